//! Checks that only the compiler can do, as constants: equal names of siblings, and options between the braces of a task.

use std::collections::HashSet;

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Expr, ExprStruct, Member, Path, PathArguments, parse_quote};

use super::{Child, ChildKind, Group, Label};
use crate::argument::{as_ident, peel};
use crate::echo::is_editor;
use crate::options::Place;
use crate::path::{self, hygienic, located};
use crate::reader::{Given, Value};
use crate::twice;

/// Returns the type of an entry that is a struct literal like those of `#[task]`: without generics, and with the name
/// of a function.
pub(super) fn literal_type(entry: &Expr) -> Option<Path> {
    let Expr::Struct(literal) = peel(entry) else { return None };
    let name = literal.path.segments.last()?.ident.to_string();
    let looks_like_a_function = !name.trim_start_matches("r#").starts_with(char::is_uppercase);
    let is_plain = literal.path.segments.iter().all(|segment| matches!(segment.arguments, PathArguments::None));
    (literal.qself.is_none() && is_plain && looks_like_a_function).then(|| literal.path.clone())
}

/// Returns the fields of a struct literal that have the name of an option, and a value like those of options: a literal,
/// a word or a list.
pub(super) fn like_options(entry: &Expr) -> Vec<Ident> {
    let Expr::Struct(literal) = peel(entry) else { return Vec::new() };
    // The type has to be written without its parameters.
    if literal.path.segments.last().is_some_and(|last| twice::is_generic(&last.ident)) {
        return Vec::new();
    }
    let fields = literal
        .fields
        .iter()
        .filter(|field| matches!(peel(&field.expr), Expr::Lit(_) | Expr::Array(_)) || as_ident(&field.expr).is_some());
    let names = fields.filter_map(|field| match &field.member {
        Member::Named(name) if field.colon_token.is_some() => Some(name.clone()),
        _ => None,
    });
    names.filter(|name| Place::Entry.names().iter().any(|option| name == option)).collect()
}

/// Returns the entry as a literal of a type that is only known if the task has an argument for each of these fields, which may
/// be meant as options. So such a field is one error, which says what to write.
pub(super) fn with_checks(entry: &Expr, fields: &[Ident]) -> Option<Expr> {
    let (Expr::Struct(literal), Some(path), false) = (peel(entry), literal_type(entry), is_editor()) else {
        return None;
    };
    let (span, task) = (hygienic(path.span()), path::text(&path));
    let private = located(&path::alias(), span);
    let ty = fields.iter().fold(path.to_token_stream(), |ty, field| {
        let (at, option) = (hygienic(field.span()), field.to_string());
        let message = format!(
            "`{task}` has no argument `{option}`: an option stands beside the braces, as in \
             `task({task} {{ .. }}, {option} = ..)`"
        );
        let (private, name) = (located(&private, at), name_of_type(&path));
        let check = quote_spanned!(at=> #private::check_argument(#name, #option, #message));
        quote_spanned!(span=> <#private::HasArgument<{ #check }> as #private::CheckedTask<fn() -> #ty>>::Type)
    });
    let name = Ident::new("ArgumentsOfTask", span);
    let literal = Expr::Struct(ExprStruct { path: name.clone().into(), ..literal.clone() });
    (!fields.is_empty())
        .then(|| parse_quote!({ use #private::{OfNamed as _, OfNameless as _}; type #name = #ty; #literal }))
}

/// Returns the items that reject equal names in the tree and in each group, and options without effect.
pub(super) fn expand(root: &Group, private: &TokenStream) -> Option<TokenStream> {
    let mut checks = Checks { private, number: 0, items: TokenStream::new() };
    checks.add(root, &[]);
    let items = checks.items;
    (!items.is_empty()).then(|| {
        quote!(#[allow(deprecated, unreachable_patterns)] {
            use #private::{OfNamed as _, OfNameless as _};
            #items
        })
    })
}

struct Checks<'a> {
    private: &'a TokenStream,
    /// How many lists have a check.
    number: usize,
    items: TokenStream,
}

impl Checks<'_> {
    /// `outer` is the `#[cfg(..)]` of the groups around.
    fn add(&mut self, group: &Group, outer: &[Attribute]) {
        let mut labels = HashSet::new();
        // A label that is repeated was reported.
        let mut is_first = |child: &&Child| {
            let label = child.label.text().filter(|_| child.cfgs.is_empty());
            label.is_none_or(|label| labels.insert(label))
        };
        let named: Vec<Sibling<'_>> =
            group.children.iter().filter(|child| is_first(child)).filter_map(Sibling::of).collect();
        // Labels were compared before.
        if named.len() > 1 && named.iter().any(|sibling| !sibling.is_label) {
            let list = format_ident!("N{}", self.number, span = Span::mixed_site());
            self.number += 1;
            self.items.extend(check(&list, &named, outer, self.private));
        }
        for child in &group.children {
            self.add_of_context(child, outer);
            if let ChildKind::Group(inner) = &child.kind {
                self.add(inner, &[outer, &child.cfgs].concat());
            }
        }
    }
}

impl Checks<'_> {
    /// Adds a check for each option that has no effect without a context: that the task takes one.
    fn add_of_context(&mut self, child: &Child, outer: &[Attribute]) {
        let (private, cfgs) = (self.private, &child.cfgs);
        let Some(path) = &child.literal_type else { return };
        let task = path::text(path);
        for (key, check, message) in child.options.of_context(&task) {
            let (span, check) = (hygienic(key), Ident::new(check, hygienic(key)));
            let entry = if child.like_options.is_empty() { name_type(path) } else { name_of_type(path) };
            let private = located(private, span);
            let check = quote_spanned!(span=> #private::#check(#entry, #message));
            self.items.extend(quote!(#(#outer)* #(#cfgs)* const _: () = #check;));
        }
    }
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
    /// The same, of an entry [with checks](with_checks).
    OfChecked(&'a Path),
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
                let name = if child.like_options.is_empty() { Name::OfType(path) } else { Name::OfChecked(path) };
                (name, path.segments.last()?.ident.span())
            }
        };
        Some(Self { name, is_label, at, cfgs: &child.cfgs })
    }
}

/// Returns a constant for each sibling that fails to evaluate if an earlier sibling has the same name. They are lengths
/// of arrays in one type, where each of them is evaluated, unless a sibling has a `#[cfg(..)]`, which no part of a type can
/// have.
fn check(list: &Ident, named: &[Sibling<'_>], outer: &[Attribute], private: &TokenStream) -> TokenStream {
    let count = Literal::usize_unsuffixed(named.len());
    let entries = named.iter().map(|Sibling { name, cfgs, .. }| {
        let name = match name {
            Name::Text(text) => text.clone(),
            Name::OfType(path) => name_of(path, &name_type(path), private),
            Name::OfChecked(path) => name_of(path, &name_of_type(path), private),
        };
        if cfgs.is_empty() { name } else { quote!({ let name = ""; #(#cfgs)* let name = #name; name }) }
    });
    let (mut always, mut conditional) = (Vec::new(), TokenStream::new());
    for (index, Sibling { at, cfgs, .. }) in named.iter().enumerate().skip(1) {
        let (at, mut list, index) = (hygienic(*at), list.clone(), Literal::usize_unsuffixed(index));
        list.set_span(at);
        let check = quote_spanned!(at=> #list.check(#index));
        let check = quote!([(); #check]);
        if cfgs.is_empty() {
            always.push(check);
        } else {
            conditional.extend(quote!(#(#outer)* #(#cfgs)* const _: #check = [];));
        }
    }
    let always = (!always.is_empty())
        .then(|| quote!(#(#outer)* const _: #private::Option<(#(#always,)*)> = #private::Option::None;));
    quote! {
        #(#outer)*
        const #list: #private::Names<#count> = #private::Names::new([#(#entries),*]);
        #always
        #conditional
    }
}

/// Returns the name of the type.
fn name_of(path: &Path, entry: &TokenStream, private: &TokenStream) -> TokenStream {
    let span = hygienic(path.span());
    let private = located(private, span);
    quote_spanned!(span=> #private::name_of(#entry))
}

/// Returns a closure from the type to that of its name. The type is found by a pattern: an invalid type is the same error
/// as in the literal, and is reported once. The rest is for variants of an enum.
fn name_type(path: &Path) -> TokenStream {
    let span = hygienic(path.span());
    let entry = Ident::new("entry", span);
    quote_spanned!(span=> |#entry @ (#path { .. } | _)| (&#entry).taskvisor_name())
}

/// The same for an entry [with checks](with_checks), whose path stands for a type there.
fn name_of_type(path: &Path) -> TokenStream {
    let span = hygienic(path.span());
    let entry = Ident::new("entry", span);
    quote_spanned!(span=> |#entry: #path| (&#entry).taskvisor_name())
}
