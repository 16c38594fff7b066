//! The struct beside a refused function, so that its uses cause no further errors.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};

use super::{Field, Function, is_string};
use crate::path::hygienic;

/// The fields, and the arguments of `spec`. A field of a refused type has a type parameter, which accepts any value.
pub(crate) struct Fallback {
    pub(crate) arguments: Vec<TokenStream>,
    fields: Vec<TokenStream>,
    pub(crate) parameters: Vec<Ident>,
}

impl Fallback {
    pub(crate) fn of(fields: &[Field], name: &Ident) -> Self {
        let mut fallback = Self { arguments: Vec::new(), fields: Vec::new(), parameters: Vec::new() };
        for Field { name: argument, ty, bound, .. } in fields {
            let accepted = match ty {
                Some(ty) if is_string(ty) => quote!(impl ::core::convert::Into<#ty>),
                Some(ty) => ty.to_token_stream(),
                None => quote!(impl ::core::marker::Sized),
            };
            fallback.arguments.push(quote!(#argument: #accepted));
            // The fields of a pattern are those that its names would have.
            for field in bound.as_deref().unwrap_or(std::slice::from_ref(argument)) {
                let ty = ty.as_ref().map_or_else(|| fallback.parameter(name), ToTokens::to_token_stream);
                fallback.fields.push(quote!(pub #field: #ty));
            }
        }
        fallback
    }

    /// Adds a type parameter.
    fn parameter(&mut self, name: &Ident) -> TokenStream {
        let parameter = format_ident!("Any{}", self.parameters.len(), span = hygienic(name.span()));
        self.parameters.push(parameter.clone());
        parameter.to_token_stream()
    }

    /// Returns the struct and its `Debug`.
    pub(crate) fn items(&self, function: &Function, private: &TokenStream) -> [TokenStream; 2] {
        let Self { fields, parameters, .. } = self;
        let (visibility, name, title) = (&function.visibility, function.struct_name(), function.title());
        [
            quote! {
                #[doc(hidden)]
                #visibility struct #name<#(#parameters),*> { #(#fields),* }
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
