//! The sink that gathers the errors of one invocation, so that all are reported at once.

use std::fmt::Display;

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;

/// What is wrong with one invocation of a macro, in the order found.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    found: Vec<syn::Error>,
}

impl Errors {
    /// Reports `message` at the tokens it is about.
    pub(crate) fn push(&mut self, at: &impl ToTokens, message: impl Display) {
        self.push_at(at.to_token_stream(), message.to_string());
    }

    fn push_at(&mut self, at: TokenStream, message: String) {
        self.found.push(syn::Error::new_spanned(at, message));
    }

    /// Takes over an error that the parser made.
    pub(crate) fn push_error(&mut self, error: syn::Error) {
        self.found.push(error);
    }

    /// Reports that `second` says again what `first` said, and points at both.
    ///
    /// The compiler gives macros no notes on stable, hence a second error for the first place.
    pub(crate) fn push_repeated(&mut self, first: &Ident, second: &Ident, message: impl Display) {
        self.push(second, message);
        self.push(first, format!("`{first}` is first given here"));
    }

    /// Whether nothing was wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The `compile_error!` invocations that show them, for statement or item position.
    pub(crate) fn to_compile_errors(&self) -> TokenStream {
        self.found.iter().map(syn::Error::to_compile_error).collect()
    }

    /// The messages alone.
    #[cfg(test)]
    pub(crate) fn messages(&self) -> Vec<String> {
        self.found.iter().flat_map(|error| error.clone().into_iter()).map(|error| error.to_string()).collect()
    }
}
