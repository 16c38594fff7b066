//! The names and the visibility of the structs of a tree.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::{Attribute, Visibility};

/// The naming of the structs of a tree.
pub(crate) struct Names {
    /// The struct of the tree itself.
    root: Ident,
    /// The prefix of all other names.
    prefix: String,
    visibility: TokenStream,
    /// The `#[cfg(..)]` of the whole tree.
    cfgs: Vec<Attribute>,
    /// The description of the tree for docs; `None` for structs that are not visible outside.
    title: Option<String>,
}

impl Names {
    /// Names for structs inside the expression, which cannot be named outside.
    pub(super) fn inner() -> Self {
        Self {
            root: format_ident!("DeclaredTree"),
            prefix: String::new(),
            visibility: TokenStream::new(),
            cfgs: Vec::new(),
            title: None,
        }
    }

    /// Names with the prefix `root`, for structs beside the function of that name.
    pub(crate) fn beside(function: &Ident, root: &Ident, visibility: &Visibility, cfgs: Vec<Attribute>) -> Self {
        let function = function.unraw();
        Self {
            root: root.clone(),
            prefix: root.unraw().to_string(),
            visibility: visibility.to_token_stream(),
            cfgs,
            title: Some(format!("the tree that [`{function}`](fn@{function}) declares")),
        }
    }

    pub(super) fn root(&self) -> Ident {
        self.root.clone()
    }

    pub(super) fn visibility(&self) -> &TokenStream {
        &self.visibility
    }

    pub(super) fn cfgs(&self) -> Vec<Attribute> {
        self.cfgs.clone()
    }

    /// Returns `AppTasks` for `Tasks`.
    pub(super) fn of(&self, name: &str) -> Ident {
        format_ident!("{}{name}", self.prefix, span = self.root.span())
    }

    /// Returns `#[doc = ".."]` for visible structs. `{}` in the text is the tree.
    pub(super) fn doc(&self, text: &str) -> Option<TokenStream> {
        let text = text.replace("{}", self.title.as_ref()?);
        Some(quote!(#[doc = #text]))
    }
}
