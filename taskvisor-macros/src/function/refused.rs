//! The function beside an error, in a form that the compiler accepts: it would report what was refused again.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{FnArg, GenericParam, Pat, Signature, Token};

use super::{Function, check, types};
use crate::path::hygienic;
use crate::twice;

impl Function {
    /// Returns the function with types, arguments and qualifiers that the compiler accepts in place of those that were refused.
    pub(crate) fn to_refused_tokens(&self) -> TokenStream {
        let mut signature = self.signature.clone();
        for argument in &mut signature.inputs {
            if let FnArg::Typed(argument) = argument {
                types::accepted(&mut argument.ty);
            }
        }
        // The compiler would report each `.await` as well.
        if signature.asyncness.is_none() && check::awaits(self.body.clone()) {
            signature.asyncness = Some(Token![async](hygienic(signature.fn_token.span)));
        }
        signature.variadic = None;
        if signature.asyncness.is_some() {
            signature.constness = None;
        }
        for parameter in &mut signature.generics.params {
            match parameter {
                GenericParam::Type(parameter) => parameter.default = None,
                GenericParam::Const(parameter) => parameter.default = None,
                GenericParam::Lifetime(_) => {}
            }
        }
        let bound = bind_in_body(&mut signature);
        let mut allowance = None;
        let mut body = with_statements(&bound, &self.body);
        if self.has_stray_self() {
            signature.inputs = signature.inputs.into_iter().skip(1).collect();
            if types::find_word(body.clone(), "self").is_some() || types::find_word(body.clone(), "Self").is_some() {
                allowance = Some(quote!(#[allow(unused_variables)]));
                body = quote_spanned!(hygienic(signature.ident.span())=> { loop {} });
            }
        }
        let function = self.to_tokens_with(signature, body);
        quote!(#allowance #function)
    }

    /// Returns `true` for a function with a `self` that certainly stands in no `impl`.
    pub(crate) fn has_stray_self(&self) -> bool {
        matches!(self.signature.inputs.first(), Some(FnArg::Receiver(_))) && twice::is_at_root(&self.signature.ident)
    }
}

/// Moves each pattern that can fail to match into a statement of the body, and returns those.
fn bind_in_body(signature: &mut Signature) -> TokenStream {
    let mut statements = TokenStream::new();
    for (position, argument) in signature.inputs.iter_mut().enumerate() {
        let FnArg::Typed(argument) = argument else { continue };
        if !can_fail(&argument.pat) {
            continue;
        }
        let (pattern, span) = (&argument.pat, hygienic(argument.pat.span()));
        let name = format_ident!("argument{position}", span = span);
        statements.extend(quote_spanned! {span=>
            #[allow(irrefutable_let_patterns)]
            let #pattern = #name else { loop {} };
        });
        *argument.pat = Pat::Verbatim(quote!(#name));
    }
    statements
}

/// Returns `true` for a pattern that may be of some values only, as far as it shows.
fn can_fail(pattern: &Pat) -> bool {
    match pattern {
        Pat::Ident(name) => name.subpat.as_ref().is_some_and(|(_, inner)| can_fail(inner)),
        Pat::Paren(inner) => can_fail(&inner.pat),
        Pat::Reference(inner) => can_fail(&inner.pat),
        Pat::Struct(fields) => fields.fields.iter().any(|field| can_fail(&field.pat)),
        Pat::Tuple(list) => list.elems.iter().any(can_fail),
        Pat::Const(_)
        | Pat::Lit(_)
        | Pat::Or(_)
        | Pat::Path(_)
        | Pat::Range(_)
        | Pat::Slice(_)
        | Pat::TupleStruct(_) => true,
        _ => false,
    }
}

/// Returns the body with these statements at its begin.
fn with_statements(statements: &TokenStream, body: &TokenStream) -> TokenStream {
    let extend = |tree: TokenTree| match tree {
        TokenTree::Group(group) => {
            let inner = group.stream();
            let mut extended = Group::new(Delimiter::Brace, quote!(#statements #inner));
            extended.set_span(group.span());
            extended.into()
        }
        tree => tree,
    };
    body.clone().into_iter().map(extend).collect()
}
