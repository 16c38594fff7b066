//! `#[supervisor]`: a tree with a named type. The structs that `supervise!` puts into its expression are beside the
//! function, and the struct of the tree has the name of the return type.

mod call;
mod expand;
mod parse;
mod returned;

#[cfg(test)]
pub(crate) use self::parse::names;
use proc_macro2::TokenStream;

use crate::argument;
use crate::function::{self, Function};
use crate::reader::Reader;

/// Expands the attribute.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut reader = Reader::default();
    let list = argument::parse_list(options, &mut reader);
    let krate = parse::read(&list, &mut reader);
    let echo = reader.echo.expand(krate.as_ref());
    let expanded = match syn::parse2::<Function>(item.clone()) {
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
