//! Generates items of the same names beside a refused function, so that their uses cause no further errors.

use proc_macro2::TokenStream;
use quote::quote;

use super::expand::queue_capacity;
use super::{Options, Shape};
use crate::function::{Fallback, Function};
use crate::path;
use crate::reader::Binding;

/// Returns the struct with its `NAME` and a `Subscribe` that is never called.
pub(super) fn expand(function: &Function, shape: &Shape, options: &Options, bindings: &[Binding]) -> TokenStream {
    let (private, import) = (path::alias(), path::import(options.krate.as_ref()));
    let name = function.struct_name();
    let constant = function.constant_name(options.name.as_ref(), &private);
    let queue = queue_capacity(options, bindings, &private);
    let fallback = Fallback::of(&shape.state, &name);
    let parameters = &fallback.parameters;
    let [item_struct, impl_debug] = fallback.items(function, &private);
    let items = [
        impl_debug,
        quote! {
            impl<#(#parameters),*> #name<#(#parameters),*> {
                pub const NAME: &'static #private::str = #constant;
            }
        },
        quote! {
            impl<#(#parameters),*> #private::Subscribe for #name<#(#parameters),*>
            where
                Self: ::core::marker::Send + ::core::marker::Sync + 'static,
            {
                fn on_event<'this, 'event, 'delivery>(
                    &'this self,
                    _: &'event #private::Event,
                ) -> #private::Delivery<'delivery>
                where
                    'this: 'delivery,
                    'event: 'delivery,
                    Self: 'delivery,
                {
                    #private::Box::pin(async {})
                }

                #queue
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
