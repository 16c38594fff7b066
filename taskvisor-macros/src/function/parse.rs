//! Parses a function with an unparsed body.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, FnArg, Signature, Token};

use super::Function;

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let signature: Signature = input.parse()?;
        if let (Some(FnArg::Receiver(receiver)), true) = (signature.inputs.first(), input.peek(Token![;])) {
            let message = "a method of a trait is no free function: leave it as it is, and put the attribute on a function \
                           beside the trait, which calls it";
            return Err(syn::Error::new(receiver.self_token.span, message));
        }
        if input.peek(Token![;]) {
            return Err(input.error("the function needs a body"));
        }
        Ok(Self {
            attributes,
            visibility,
            signature,
            body: input.parse::<TokenTree>()?.into_token_stream(),
            struct_name: None,
        })
    }
}

/// Returns the error for an item that is not a function with a body; `expected` describes the valid item.
pub(crate) fn not_a_function(item: &TokenStream, error: syn::Error, expected: &str) -> syn::Error {
    let is_function = item.clone().into_iter().any(|tree| match tree {
        TokenTree::Ident(word) => word == "fn",
        _ => false,
    });
    if is_function {
        return error;
    }
    syn::Error::new_spanned(item, expected)
}
