//! Generates items of the same names beside a refused function, so that their uses cause no further errors.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::Shape;
use crate::bindings;
use crate::function::{Fallback, Function};
use crate::options::Options;
use crate::path;
use crate::reader::Binding;
use crate::twice;

/// Returns the struct with its `spec`, `NAME` and traits, which never run.
pub(super) fn expand(function: &Function, shape: &Shape, options: &Options, bindings: &[Binding]) -> TokenStream {
    let (private, import) = (path::alias(), path::import(options.krate.as_ref()));
    let name = function.struct_name();
    let constant = function.constant_name(options.name.as_ref(), &private);
    let fallback = Fallback::of(&shape.fields, &name);
    let Fallback { arguments, parameters, .. } = &fallback;
    if !parameters.is_empty() {
        twice::add_generic(&name);
    }
    let units: Vec<TokenStream> = parameters.iter().map(|_| quote!(())).collect();
    // The user's expressions stay in use, and are type-checked.
    let locals: Vec<&Ident> = bindings.iter().map(|binding| &binding.local).collect();
    let bindings = bindings::expand(bindings, &private);
    let spec = quote! {
        #bindings
        #(let _ = #locals;)*
        #private::Given(()).taskvisor_spec()
    };
    let [item_struct, impl_debug] = fallback.items(function, &private);
    let items = [
        impl_debug,
        quote! {
            // Only for one type, so that inference finds it without other hints.
            #[allow(unused_variables)]
            impl #name<#(#units),*> {
                pub const NAME: &'static #private::str = #constant;

                pub fn spec(#(#arguments),*) -> #private::TaskSpec {
                    #private::Given(()).taskvisor_spec()
                }
            }
        },
        quote! {
            impl<#(#parameters),*> #private::Clone for #name<#(#parameters),*> {
                fn clone(&self) -> Self {
                    ::core::unreachable!()
                }
            }
        },
        if parameters.is_empty() {
            quote! {
                impl #private::FunctionTask for #name {
                    const NAME: &'static #private::str = #constant;
                    const LIKE_OPTIONS: #private::Arguments = #private::Option::None;
                    type Context = ();

                    fn attempt(self, _: ()) -> #private::BoxTaskFuture {
                        #private::detached_task()
                    }

                    fn spec_of(_: Self) -> #private::TaskSpec {
                        #spec
                    }
                }
            }
        } else {
            quote! {
                impl #private::NamedTask for #name<#(#units),*> {
                    const NAME: &'static #private::str = #constant;
                }

                impl<#(#parameters),*> #private::From<#name<#(#parameters),*>> for #private::TaskSpec {
                    fn from(_: #name<#(#parameters),*>) -> Self {
                        #spec
                    }
                }
            }
        },
    ];
    let conditions = function.conditions();
    quote! {
        #conditions #item_struct
        #conditions #[allow(deprecated)]
        const _: () = {
            #import
            #(#items)*
        };
    }
}
