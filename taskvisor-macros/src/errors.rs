//! Collects the errors of one invocation, to report all at once.

use std::fmt::Display;

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;

/// The errors of one invocation of a macro, in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    found: Vec<syn::Error>,
}

impl Errors {
    /// Reports `message` at these tokens.
    pub(crate) fn push(&mut self, at: &impl ToTokens, message: impl Display) {
        self.push_at(at.to_token_stream(), message.to_string());
    }

    fn push_at(&mut self, at: TokenStream, message: String) {
        self.found.push(syn::Error::new_spanned(at, message));
    }

    /// Adds an error of the parser.
    pub(crate) fn push_error(&mut self, error: syn::Error) {
        self.found.push(error);
    }

    /// Reports that `second` repeats `first`, and points at both.
    ///
    /// Macros cannot add notes on stable Rust, so the first location is a second error.
    pub(crate) fn push_repeated(&mut self, first: &Ident, second: &Ident, message: impl Display) {
        self.push(second, message);
        self.push(first, format!("`{}` is first given here", first.unraw()));
    }

    /// Returns how many errors there are.
    pub(crate) fn count(&self) -> usize {
        self.found.len()
    }

    /// Leaves the errors out that follow from one before.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.found.truncate(count);
    }

    /// Returns `true` if there is no error.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Returns the `compile_error!` invocations, for statement or item position.
    pub(crate) fn to_compile_errors(&self) -> TokenStream {
        self.found.iter().map(syn::Error::to_compile_error).collect()
    }

    /// Returns the messages.
    #[cfg(test)]
    pub(crate) fn messages(&self) -> Vec<String> {
        self.found.iter().flat_map(|error| error.clone().into_iter()).map(|error| error.to_string()).collect()
    }
}
