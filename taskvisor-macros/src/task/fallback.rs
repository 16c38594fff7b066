//! What stands beside a function that was refused: items of the same names that nothing else
//! needs to turn red over.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;

use super::{Function, Shape};
use crate::bindings;
use crate::options::Options;
use crate::path::{self, hygienic};
use crate::reader::Binding;

/// The struct with its `spec`, `NAME` and traits, which never run.
pub(super) fn expand(function: &Function, shape: &Shape, options: &Options, bindings: &[Binding]) -> TokenStream {
    let private = path::private(options.krate.as_ref());
    let name = function.struct_name();
    let visibility = &function.visibility;
    let title = name.unraw().to_string();
    let constant = function.constant_name(options);
    let Fields { names, types, parameters } = Fields::of(shape, &name);
    let units = parameters.iter().map(|_| quote!(()));
    // The user's expressions stay in use, and are checked for errors of their own.
    let locals: Vec<&Ident> = bindings.iter().map(|binding| &binding.local).collect();
    let bindings = bindings::expand(bindings, &private);
    let items = [
        quote! {
            #[doc(hidden)]
            #visibility struct #name<#(#parameters),*> { #(pub #names: #types),* }
        },
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
            // For one type, so that it is known which is meant where nothing else says so.
            impl #private::Named for #name<#(#units),*> {
                const NAME: &'static #private::str = #constant;
            }
        },
        quote! {
            impl<#(#parameters),*> ::core::fmt::Debug for #name<#(#parameters),*> {
                fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    ::core::fmt::Formatter::write_str(formatter, #title)
                }
            }
        },
        impl_task(&quote!(#name<#(#parameters),*>), &parameters, &private),
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

/// The fields, with a type parameter for each whose type was refused: it takes whatever is given.
struct Fields {
    names: Vec<Ident>,
    types: Vec<TokenStream>,
    parameters: Vec<Ident>,
}

impl Fields {
    fn of(shape: &Shape, name: &Ident) -> Self {
        let mut fields = Self { names: Vec::new(), types: Vec::new(), parameters: Vec::new() };
        for (position, field) in shape.fields.iter().enumerate() {
            fields.names.push(field.name.clone());
            let ty = field.ty.as_ref().map(ToTokens::to_token_stream);
            fields.types.push(ty.unwrap_or_else(|| {
                let parameter = format_ident!("Any{position}", span = hygienic(name.span()));
                fields.parameters.push(parameter.clone());
                parameter.to_token_stream()
            }));
        }
        fields
    }
}
