//! The names and the visibility of the structs of a tree.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::{Attribute, Visibility};

use crate::echo::is_editor;
use crate::path;

/// The naming of the structs of a tree.
pub(crate) struct Names {
    /// The prefix of the names, with its span.
    prefix: Option<Ident>,
    /// The name of taskvisor's items for macros.
    private: TokenStream,
    visibility: Visibility,
    /// The `#[cfg(..)]` of the whole tree.
    cfgs: Vec<Attribute>,
    /// The description of the tree for docs; `None` for structs that are not visible outside.
    title: Option<String>,
}

impl Names {
    /// Names for structs inside the expression, which cannot be named outside.
    pub(super) fn inner() -> Self {
        Self { prefix: None, private: path::alias(), visibility: Visibility::Inherited, cfgs: Vec::new(), title: None }
    }

    /// Names with the prefix `root`, for structs beside the function of that name.
    pub(crate) fn beside(function: &Ident, root: &Ident, visibility: &Visibility, cfgs: Vec<Attribute>) -> Self {
        let function = function.unraw();
        let private = format_ident!("__tv_{function}");
        Self {
            prefix: Some(root.clone()),
            private: quote!(#private),
            visibility: visibility.clone(),
            cfgs,
            title: Some(format!("the tree that [`{function}`](fn@{function}) declares")),
        }
    }

    /// Returns `true` for structs beside a function.
    pub(super) fn is_beside(&self) -> bool {
        self.prefix.is_some()
    }

    /// Returns the name under which the items for macros are imported beside the structs.
    pub(super) fn private(&self) -> &TokenStream {
        &self.private
    }

    pub(super) fn visibility(&self) -> &Visibility {
        &self.visibility
    }

    pub(crate) fn cfgs(&self) -> Vec<Attribute> {
        self.cfgs.clone()
    }

    /// Returns `AppTasks` for `Tasks`.
    pub(super) fn of(&self, name: &str) -> Ident {
        match &self.prefix {
            Some(prefix) => {
                // In an editor, the token is the name of the tree alone.
                let span = if is_editor() { Span::call_site() } else { prefix.span() };
                format_ident!("{}{name}", prefix.unraw(), span = span)
            }
            None => format_ident!("{name}"),
        }
    }

    /// Returns `#[doc = ".."]` for structs that need docs. `{}` in the text is the tree.
    pub(crate) fn doc(&self, text: &str) -> Option<TokenStream> {
        let text = text.replace("{}", self.title.as_ref()?);
        path::standard_doc(&self.visibility, &text)
    }
}
