//! The paths and spans of generated code.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Path, Visibility};

use crate::echo::is_editor;

/// Returns `::taskvisor::__private`, or the path in the crate of `crate = ".."`.
pub(crate) fn private(krate: Option<&Path>) -> TokenStream {
    krate.map_or_else(|| quote!(::taskvisor::__private), |krate| quote!(#krate::__private))
}

/// Returns the import of taskvisor's items for macros under the name [`alias`], so that a wrong path is one error.
pub(crate) fn import(krate: Option<&Path>) -> TokenStream {
    let (path, alias) = (private(krate), alias());
    quote!(use #path as #alias;)
}

/// Returns the name of taskvisor's items for macros in a block with that import.
pub(crate) fn alias() -> TokenStream {
    quote!(__tv)
}

/// Formats the path without spaces.
pub(crate) fn text(path: &impl ToTokens) -> String {
    path.to_token_stream().to_string().replace(" :: ", "::")
}

/// Returns `true` if an item or a field can have that name. Keywords such as `self` cannot.
pub(crate) fn is_name(ident: &Ident) -> bool {
    syn::parse2::<Ident>(ident.to_token_stream()).is_ok()
}

/// Returns the docs of a generated item that has no docs of the user's: an item that other crates see needs them, and an
/// editor shows them.
pub(crate) fn standard_doc(visibility: &Visibility, text: &str) -> Option<TokenStream> {
    (is_editor() || matches!(visibility, Visibility::Public(_))).then(|| quote!(#[doc = #text]))
}

/// Returns a span that points at user code, for names that cannot collide with user names. In an editor it points at the
/// macro, because the tokens would be targets of the user's token.
pub(crate) fn hygienic(span: Span) -> Span {
    if is_editor() { Span::mixed_site() } else { Span::mixed_site().located_at(span) }
}

/// Returns a span like [`hygienic`], for a name that is defined by that user token: in an editor it is the token.
pub(crate) fn defining(span: Span) -> Span {
    if is_editor() { span } else { Span::mixed_site().located_at(span) }
}

/// Returns the tokens with the location of `place`, where errors about them are reported. The meaning of their names
/// stays the same. In an editor they keep their location, as with [`hygienic`].
pub(crate) fn located(tokens: &TokenStream, place: Span) -> TokenStream {
    if is_editor() {
        return tokens.clone();
    }
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
