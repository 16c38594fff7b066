//! The struct beside a refused function, so that its uses cause no further errors.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};

use super::{Field, Function};
use crate::path::hygienic;

/// The fields. A refused type becomes a type parameter, which accepts any value.
pub(crate) struct Fallback {
    pub(crate) names: Vec<Ident>,
    pub(crate) types: Vec<TokenStream>,
    pub(crate) parameters: Vec<Ident>,
}

impl Fallback {
    pub(crate) fn of(fields: &[Field], name: &Ident) -> Self {
        let mut fallback = Self { names: Vec::new(), types: Vec::new(), parameters: Vec::new() };
        for (position, field) in fields.iter().enumerate() {
            fallback.names.push(field.name.clone());
            let ty = field.ty.as_ref().map(ToTokens::to_token_stream);
            fallback.types.push(ty.unwrap_or_else(|| {
                let parameter = format_ident!("Any{position}", span = hygienic(name.span()));
                fallback.parameters.push(parameter.clone());
                parameter.to_token_stream()
            }));
        }
        fallback
    }

    /// Returns the struct and its `Debug`.
    pub(crate) fn items(&self, function: &Function, private: &TokenStream) -> [TokenStream; 2] {
        let Self { names, types, parameters } = self;
        let (visibility, name, title) = (&function.visibility, function.struct_name(), function.title());
        [
            quote! {
                #[doc(hidden)]
                #visibility struct #name<#(#parameters),*> { #(pub #names: #types),* }
            },
            quote! {
                impl<#(#parameters),*> #private::fmt::Debug for #name<#(#parameters),*> {
                    fn fmt(&self, formatter: &mut #private::fmt::Formatter<'_>) -> #private::fmt::Result {
                        #private::debug(formatter, #title)
                    }
                }
            },
        ]
    }
}
