//! Generates items of the same names beside a refused function, so that their uses cause no further errors.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::Shape;
use crate::bindings;
use crate::function::{Fallback, Function};
use crate::options::Options;
use crate::path;
use crate::reader::Binding;

/// Returns the struct with its `spec`, `NAME` and traits, which never run.
pub(super) fn expand(function: &Function, shape: &Shape, options: &Options, bindings: &[Binding]) -> TokenStream {
    let private = path::private(options.krate.as_ref());
    let name = function.struct_name();
    let title = function.title();
    let constant = function.constant_name(options.name.as_ref(), &private);
    let fallback = Fallback::of(&shape.fields, &name);
    let Fallback { names, types, parameters } = &fallback;
    let units = parameters.iter().map(|_| quote!(()));
    // The user's expressions stay in use, and are type-checked.
    let locals: Vec<&Ident> = bindings.iter().map(|binding| &binding.local).collect();
    let bindings = bindings::expand(bindings, &private);
    let [item_struct, impl_debug] = fallback.items(function);
    let items = [
        item_struct,
        impl_debug,
        quote! {
            impl<#(#parameters),*> #name<#(#parameters),*> {
                pub const NAME: &'static #private::str = #constant;

                #[must_use]
                pub fn spec(#(#names: #types),*) -> #private::TaskSpec {
                    <#private::TaskSpec as #private::From<Self>>::from(Self { #(#names),* })
                }
            }
        },
        quote! {
            // Only for one type, so that inference finds it without other hints.
            impl #private::Named for #name<#(#units),*> {
                const NAME: &'static #private::str = #constant;
            }
        },
        impl_task(&quote!(#name<#(#parameters),*>), parameters, &private),
        quote! {
            impl<#(#parameters),*> #private::From<#name<#(#parameters),*>> for #private::TaskSpec {
                fn from(_: #name<#(#parameters),*>) -> Self {
                    #bindings
                    #(let _ = #locals;)*
                    struct Refused;
                    impl #private::Task for Refused {
                        fn name(&self) -> &#private::str {
                            #title
                        }
                        fn spawn(&self, _: #private::CancellationToken) -> #private::BoxTaskFuture {
                            #private::detached_task()
                        }
                    }
                    #private::TaskSpec::inherit(#private::Arc::new(Refused))
                }
            }
        },
    ];
    let conditions = function.conditions();
    quote!(#(#conditions #[allow(deprecated)] #items)*)
}

fn impl_task(name: &TokenStream, parameters: &[Ident], private: &TokenStream) -> TokenStream {
    quote! {
        impl<#(#parameters),*> #private::Task for #name
        where
            Self: ::core::marker::Send + ::core::marker::Sync + 'static,
        {
            fn name(&self) -> &#private::str {
                Self::NAME
            }
            fn spawn(&self, _: #private::CancellationToken) -> #private::BoxTaskFuture {
                #private::detached_task()
            }
        }
    }
}
