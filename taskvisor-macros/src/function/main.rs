//! The attribute on `main`, which the compiler would refuse as `async`.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::Visibility;

use super::{Function, Kind, check};
use crate::errors::Errors;
use crate::path::hygienic;
use crate::twice;

impl Function {
    /// Returns `true` for the `main` of a program, as far as that can be told, and reports it. In the file of a module, one
    /// that is public is a function like others.
    pub(crate) fn check_main(&self, kind: Kind, errors: &mut Errors) -> bool {
        let name = &self.signature.ident;
        let is_own = || matches!(self.visibility, Visibility::Inherited) || twice::is_in_file(name, "main.rs");
        let is_main = name == "main" && is_own() && twice::is_at_root(name);
        if is_main {
            let (noun, example, list) = match kind {
                Kind::Task => ("task", "async fn ping()", "tasks = [ping {}]"),
                Kind::Subscriber => {
                    ("subscriber", "async fn listen(event: &Event)", "subscribers = [listen {}], tasks = [..]")
                }
            };
            let message = format!(
                "`main` runs the tree, and another function is the {noun}: put `#[{noun}]` on that, as in `{example}`, and \
                 write `supervise!({list})` in `main`"
            );
            errors.push(name, message);
        }
        is_main
    }

    /// Returns a `main` that the compiler accepts, with the function in it. What starts a runtime is left out.
    pub(crate) fn into_main_tokens(mut self) -> TokenStream {
        self.attributes.retain(|attribute| !check::starts_runtime(attribute));
        let (conditions, function) = (self.conditions(), self.to_refused_tokens());
        let span = self.signature.ident.span();
        let name = Ident::new("main", span);
        let main = quote_spanned!(hygienic(span)=> fn #name());
        quote!(#conditions #main { #[allow(dead_code)] #function })
    }
}
