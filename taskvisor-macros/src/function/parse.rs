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
    if item.clone().into_iter().any(|tree| is_word(&tree, "fn")) {
        return error;
    }
    syn::Error::new_spanned(item, expected)
}

/// Returns `true` for what the compiler reports before it calls the macro: an argument without a type or with a default, a
/// late `self`, and `unsafe async`.
pub(crate) fn is_told(item: &TokenStream, error: &syn::Error) -> bool {
    let trees: Vec<TokenTree> = item.clone().into_iter().collect();
    let is_swapped =
        |pair: &[TokenTree]| matches!(pair, [first, second] if is_word(first, "unsafe") && is_word(second, "async"));
    let is_function = trees.iter().any(|tree| is_word(tree, "fn"));
    let of_arguments = ["expected `:`", "expected `,`", "unexpected method receiver"];
    is_function && (of_arguments.contains(&&*error.to_string()) || trees.windows(2).any(is_swapped))
}

fn is_word(tree: &TokenTree, expected: &str) -> bool {
    matches!(tree, TokenTree::Ident(word) if word == expected)
}
