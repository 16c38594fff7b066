//! `#[supervisor]`: a tree with a named type. The structs that `supervise!` puts into its expression are beside the
//! function, and the struct of the tree has the name of the return type.

mod call;
mod expand;
mod parse;
mod returned;

#[cfg(test)]
pub(crate) use self::parse::names;
use proc_macro2::{TokenStream, TokenTree};

use crate::argument;
use crate::function::{self, Function};
use crate::reader::Reader;

/// Expands the attribute.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut reader = Reader::default();
    let list = argument::parse_list(options, &mut reader);
    let krate = parse::read(&list, &mut reader);
    let echo = reader.echo.expand(krate.as_ref());
    let expanded = match syn::parse2::<Function>(in_order(item.clone())) {
        Ok(function) if !function::check_alone(&function.attributes, &mut reader.errors) => {
            [item, reader.errors.to_compile_errors()].into_iter().collect()
        }
        Ok(function) => expand::expand(&function, krate.as_ref(), &mut reader.errors),
        Err(error) => {
            let expected = "`#[supervisor]` stands on a function that ends with `supervise!(..)`";
            reader.errors.push_error(function::not_a_function(&item, error, expected));
            [item, reader.errors.to_compile_errors()].into_iter().collect()
        }
    };
    [echo, expanded].into_iter().collect()
}

/// Returns the function with `async unsafe` in place of `unsafe async`, which the compiler reports and accepts.
fn in_order(item: TokenStream) -> TokenStream {
    let mut trees: Vec<TokenTree> = item.into_iter().collect();
    let is_word = |tree: &TokenTree, text: &str| matches!(tree, TokenTree::Ident(word) if word == text);
    let found = trees
        .windows(2)
        .position(|pair| matches!(pair, [first, second] if is_word(first, "unsafe") && is_word(second, "async")));
    if let Some(at) = found {
        trees.swap(at, at + 1);
    }
    trees.into_iter().collect()
}
