//! `#[task(..)]`: parse, check, expand.

mod check;
mod expand;
mod fallback;

use proc_macro2::TokenStream;
use syn::Type;

use crate::argument;
use crate::errors::Errors;
use crate::function::{self, Field, Function, Kind};
use crate::options::{Options, Place};
use crate::reader::Reader;
use crate::twice;

/// Expands the attribute.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut reader = Reader::default();
    let expanded = expand_with(options, item, &mut reader);
    [reader.echo.expand(reader.krate.as_ref()), expanded].into_iter().collect()
}

fn expand_with(options: TokenStream, item: TokenStream, reader: &mut Reader) -> TokenStream {
    let list = argument::parse_list(options, reader);
    let mut options = Options::parse(Place::Attribute, &list, reader);
    options.check(Place::Attribute, &mut reader.errors);

    reader.krate.clone_from(&options.krate);
    let function = match syn::parse2::<Function>(item.clone()) {
        Ok(function) => Function { struct_name: options.struct_name.clone(), ..function },
        Err(error) if function::is_told(&item, &error) => {
            return [item, reader.errors.to_compile_errors()].into_iter().collect();
        }
        Err(error) => {
            reader.errors.push_error(function::not_a_function(&item, error, "`#[task]` stands on an `async fn`"));
            return [item, reader.errors.to_compile_errors()].into_iter().collect();
        }
    };
    if function.check_main(Kind::Task, &mut reader.errors) {
        let shape = check::check(&function, &options, &mut Errors::default());
        let fallback = fallback::expand(&function, &shape, &options, &reader.bindings);
        return [function.into_main_tokens(), fallback, reader.errors.to_compile_errors()].into_iter().collect();
    }
    if !function::check_alone(&function.attributes, &mut reader.errors) {
        return [item, reader.errors.to_compile_errors()].into_iter().collect();
    }
    let shape = check::check(&function, &options, &mut reader.errors);
    check::check_arguments_in_options(&function, &mut options, reader);
    let twice = shape.is_free.then(|| twice::find(&function.signature.ident, &function.struct_name())).flatten();
    if let Some(twice) = twice {
        return [function.to_repeated_tokens(twice), reader.errors.to_compile_errors()].into_iter().collect();
    }
    if reader.errors.is_empty() && !shape.is_refused {
        return expand::expand(&function, &shape, &options, &reader.bindings);
    }
    let mut tokens = function.to_refused_tokens();
    if shape.is_free || function.has_stray_self() {
        tokens.extend(fallback::expand(&function, &shape, &options, &reader.bindings));
    }
    tokens.extend(reader.errors.to_compile_errors());
    tokens
}

/// The properties of the struct that come from the arguments.
struct Shape {
    /// The type of the leading `TaskContext` or `CancellationToken`.
    context: Option<Type>,
    fields: Vec<Field>,
    /// `true` if it is not a method, so that items can be added beside it.
    is_free: bool,
    /// `true` for a mistake that the compiler reports in the function itself.
    is_refused: bool,
}
