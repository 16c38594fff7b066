//! Checks names of siblings that only the compiler knows, as constants.

use std::collections::HashSet;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Expr, Path, PathArguments};

use super::{Child, ChildKind, Group, Label};
use crate::argument::peel;
use crate::path::{hygienic, located};
use crate::reader::{Given, Value};

/// Returns the type of an entry that is a struct literal like those of `#[task]`: without generics, and with the name
/// of a function.
pub(super) fn literal_type(entry: &Expr) -> Option<Path> {
    let Expr::Struct(literal) = peel(entry) else { return None };
    let name = literal.path.segments.last()?.ident.to_string();
    let looks_like_a_function = !name.trim_start_matches("r#").starts_with(char::is_uppercase);
    let is_plain = literal.path.segments.iter().all(|segment| matches!(segment.arguments, PathArguments::None));
    (literal.qself.is_none() && is_plain && looks_like_a_function).then(|| literal.path.clone())
}

/// Returns the items that reject equal names in the tree and in each group.
pub(super) fn expand(group: &Group, outer: &[Attribute], private: &TokenStream) -> TokenStream {
    let mut labels = HashSet::new();
    // A label that is repeated was reported.
    let mut is_first = |child: &&Child| {
        let label = child.label.text().filter(|_| child.cfgs.is_empty());
        label.is_none_or(|label| labels.insert(label))
    };
    let named: Vec<Sibling<'_>> =
        group.children.iter().filter(|child| is_first(child)).filter_map(Sibling::of).collect();
    // Labels were compared before.
    let is_open = named.len() > 1 && named.iter().any(|sibling| !sibling.is_label);
    let mut items = if is_open { check(&named, outer, private) } else { TokenStream::new() };
    for child in &group.children {
        if let ChildKind::Group(inner) = &child.kind {
            items.extend(expand(inner, &[outer, &child.cfgs].concat(), private));
        }
    }
    items
}

/// A child with a known name.
struct Sibling<'a> {
    name: Name<'a>,
    is_label: bool,
    at: Span,
    cfgs: &'a [Attribute],
}

enum Name<'a> {
    Text(TokenStream),
    OfType(&'a Path),
}

impl<'a> Sibling<'a> {
    fn of(child: &'a Child) -> Option<Self> {
        let is_label = matches!(child.label, Label::Given(_));
        let (name, at) = match (&child.label, child.options.name.as_ref().map(|given: &Given<_>| &given.value)) {
            (Label::Given(label), _) => (Name::Text(child.name()), label.span()),
            (_, Some(Value::Known(name, at))) => (Name::Text(name.to_token_stream()), at.span()),
            (_, Some(_)) => return None,
            (_, None) => {
                let path = child.literal_type.as_ref()?;
                (Name::OfType(path), path.segments.last()?.ident.span())
            }
        };
        Some(Self { name, is_label, at, cfgs: &child.cfgs })
    }
}

/// Returns a constant for each sibling that fails to evaluate if an earlier sibling has the same name.
fn check(named: &[Sibling<'_>], outer: &[Attribute], private: &TokenStream) -> TokenStream {
    let count = named.len();
    let entries = named.iter().map(|Sibling { name, cfgs, .. }| {
        let name = match name {
            Name::Text(text) => text.clone(),
            Name::OfType(path) => name_of(path, private),
        };
        if cfgs.is_empty() { name } else { quote!({ let name = ""; #(#cfgs)* let name = #name; name }) }
    });
    let checks = named.iter().enumerate().skip(1).map(|(index, Sibling { at, cfgs, .. })| {
        let check = quote_spanned!(hygienic(*at)=> NAMES.check(#index));
        quote!(#(#outer)* #(#cfgs)* const _: () = #check;)
    });
    quote!(#(#outer)* {
        use #private::{OfNamed as _, OfNameless as _};
        #[allow(deprecated, unreachable_patterns)]
        const NAMES: #private::Names<#count> = #private::Names::new([#(#entries),*]);
        #(#checks)*
    })
}

/// Returns the name of the type, found by a pattern: an invalid type is the same error as in the literal, and is
/// reported once. The rest is for variants of an enum.
fn name_of(path: &Path, private: &TokenStream) -> TokenStream {
    let span = hygienic(path.span());
    let private = located(private, span);
    let entry = Ident::new("entry", span);
    quote_spanned!(span=> #private::name_of(|#entry @ (#path { .. } | _)| (&#entry).taskvisor_name()))
}
