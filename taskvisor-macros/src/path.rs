//! How generated code names things: paths, and spans for names of its own.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::Path;

/// `::taskvisor::__private`, or that of the crate given with `crate = ".."`.
pub(crate) fn private(krate: Option<&Path>) -> TokenStream {
    krate.map_or_else(|| quote!(::taskvisor::__private), |krate| quote!(#krate::__private))
}

/// The path as one would write it.
pub(crate) fn text(path: &impl ToTokens) -> String {
    path.to_token_stream().to_string().replace(" :: ", "::")
}

/// Whether an item or a field can be called that: `self`, `Self` and other keywords are none.
pub(crate) fn is_name(ident: &Ident) -> bool {
    syn::parse2::<Ident>(ident.to_token_stream()).is_ok()
}

/// A span that points at the user's code, for names that cannot meet the user's.
pub(crate) fn hygienic(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

/// The tokens as if they stood at `place`, where errors about them are then reported. What their
/// names mean stays the same.
pub(crate) fn located(tokens: &TokenStream, place: Span) -> TokenStream {
    let relocate = |tree: TokenTree| {
        let span = tree.span().located_at(place);
        let mut tree = match tree {
            TokenTree::Group(group) => TokenTree::Group(Group::new(group.delimiter(), located(&group.stream(), place))),
            tree => tree,
        };
        tree.set_span(span);
        tree
    };
    tokens.clone().into_iter().map(relocate).collect()
}
