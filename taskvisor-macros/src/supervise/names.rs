//! What the structs of a tree are called, and who sees them.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::{Attribute, Visibility};

/// How a tree names its structs.
pub(crate) struct Names {
    /// The struct of the tree itself.
    root: Ident,
    /// What the names of all others begin with.
    prefix: String,
    visibility: TokenStream,
    /// `#[cfg(..)]` of the whole tree.
    cfgs: Vec<Attribute>,
    /// What the documentation says that the tree is; none for structs that nobody else sees.
    title: Option<String>,
}

impl Names {
    /// Structs inside the expression, that cannot be named outside.
    pub(super) fn inner() -> Self {
        Self {
            root: format_ident!("Tree"),
            prefix: String::new(),
            visibility: TokenStream::new(),
            cfgs: Vec::new(),
            title: None,
        }
    }

    /// Structs that begin with `root`, beside the function of that name.
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

    /// `AppTasks` for `Tasks`.
    pub(super) fn of(&self, name: &str) -> Ident {
        format_ident!("{}{name}", self.prefix, span = self.root.span())
    }

    /// `#[doc = ".."]`, where there is someone to read it. `{}` in the text is the tree.
    pub(super) fn doc(&self, text: &str) -> Option<TokenStream> {
        let text = text.replace("{}", self.title.as_ref()?);
        Some(quote!(#[doc = #text]))
    }
}
