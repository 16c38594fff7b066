//! `#[task(..)]`: parse, check, expand.

mod check;
mod expand;
mod fallback;
mod parse;
mod types;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Attribute, Signature, Type, Visibility};

use crate::argument;
use crate::options::{Options, Place};
use crate::path::hygienic;
use crate::reader::{Reader, Value};

/// The whole of the attribute: its options and the function that it stands on.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut reader = Reader::default();
    let list = argument::parse_list(options, &mut reader);
    let options = Options::parse(Place::Attribute, &list, &mut reader);
    options.check(Place::Attribute, &mut reader.errors);

    let function = match syn::parse2::<Function>(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            reader.errors.push_error(parse::not_a_function(&item, error));
            return [item, reader.errors.to_compile_errors()].into_iter().collect();
        }
    };
    let shape = check::check(&function, &options, &mut reader.errors);
    if reader.errors.is_empty() {
        return expand::expand(&function, &shape, &options, &reader.bindings);
    }
    let mut tokens = function.to_token_stream();
    if shape.is_free {
        tokens.extend(fallback::expand(&function, &shape, &options, &reader.bindings));
    }
    tokens.extend(reader.errors.to_compile_errors());
    tokens
}

/// The function as written. The body stays raw, so that a half-typed one never fails the macro.
struct Function {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    signature: Signature,
    body: TokenStream,
}

impl Function {
    /// The name of the struct. As one that a macro made, it may be in snake case.
    fn struct_name(&self) -> Ident {
        let mut name = self.signature.ident.clone();
        name.set_span(hygienic(name.span()));
        name
    }

    /// The expression for `NAME`: the name that was given, else that of the function.
    fn constant_name(&self, options: &Options) -> TokenStream {
        match options.name.as_ref().map(|given| &given.value) {
            Some(Value::Known(name, _)) => name.to_token_stream(),
            Some(Value::Constant(name)) => name.to_token_stream(),
            _ => self.signature.ident.unraw().to_string().to_token_stream(),
        }
    }

    /// `#[cfg(..)]`, which must stand on every item that is generated.
    fn conditions(&self) -> TokenStream {
        self.attributes_named("cfg").collect()
    }

    /// `#[deprecated]`, which must stand on the struct.
    fn deprecation(&self) -> TokenStream {
        self.attributes_named("deprecated").collect()
    }

    /// Allows the other items to use a struct and a function that are deprecated.
    fn allowance(&self) -> TokenStream {
        self.attributes_named("deprecated").map(|_| quote!(#[allow(deprecated)])).collect()
    }

    fn attributes_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = TokenStream> + 'a {
        let named = self.attributes.iter().filter(move |attribute| attribute.path().is_ident(name));
        named.map(ToTokens::to_token_stream)
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        // Being `async`, or else to own the arguments, is what the macro asks for.
        tokens.extend(if self.signature.asyncness.is_some() {
            quote!(#[allow(clippy::unused_async)])
        } else {
            quote!(#[allow(clippy::needless_pass_by_value)])
        });
        for attribute in &self.attributes {
            attribute.to_tokens(tokens);
        }
        self.visibility.to_tokens(tokens);
        self.signature.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}

/// What the arguments say about the struct.
struct Shape {
    /// The type of the leading `TaskContext` or `CancellationToken`.
    context: Option<Type>,
    fields: Vec<Field>,
    /// Not a method: items can stand beside the function.
    is_free: bool,
}

/// An argument that becomes a field.
struct Field {
    name: Ident,
    /// None if a field cannot have the type of the argument, which was reported.
    ty: Option<Type>,
}
