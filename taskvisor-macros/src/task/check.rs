//! What a function must be to be a task.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, format_ident};
use syn::spanned::Spanned;
use syn::{FnArg, Pat, PatType, Safety, Signature, Type};

use super::{Field, Function, Shape, types};
use crate::errors::Errors;
use crate::path::hygienic;

/// Reports all that keeps the function from being a task, and gives the shape of its struct.
pub(super) fn check(function: &Function, errors: &mut Errors) -> Shape {
    let signature = &function.signature;
    check_qualifiers(signature, errors);
    let is_generic = check_generics(signature, errors);
    let mut shape = Shape { context: None, fields: Vec::new(), is_free: check_free(signature, errors) };
    for (position, argument) in signature.inputs.iter().enumerate() {
        let FnArg::Typed(argument) = argument else {
            continue;
        };
        if position == 0 && types::is_context(&argument.ty) {
            shape.context = Some((*argument.ty).clone());
            continue;
        }
        let name = check_name(position, argument, errors);
        let is_storable = check_type(&argument.ty, errors);
        check_attributes(argument, errors);
        let ty = (is_storable && !is_generic).then(|| (*argument.ty).clone());
        shape.fields.push(Field { name, ty });
    }
    shape
}

fn check_qualifiers(signature: &Signature, errors: &mut Errors) {
    let refuse = |at: &dyn ToTokens, what: &str, errors: &mut Errors| {
        let at = at.to_token_stream();
        errors.push(&at, format!("a task cannot be {what}: write `async fn {}`", signature.ident));
    };
    if let Some(token) = &signature.constness {
        refuse(token, "`const`", errors);
    }
    if let Safety::Unsafe(token) = &signature.safety {
        refuse(token, "`unsafe`", errors);
    }
    if let Some(abi) = &signature.abi {
        refuse(abi, "`extern`", errors);
    }
    if let Some(variadic) = &signature.variadic {
        errors.push(variadic, "a task cannot be variadic");
    }
    if signature.asyncness.is_none() && signature.constness.is_none() {
        let message = format!("a task is asynchronous: write `async fn {}`", signature.ident);
        errors.push(&signature.fn_token, message);
    }
}

/// Whether the function has generics, which are refused.
fn check_generics(signature: &Signature, errors: &mut Errors) -> bool {
    let generics = &signature.generics;
    for parameter in &generics.params {
        let (at, message) = match parameter {
            syn::GenericParam::Type(parameter) => (
                parameter.ident.to_token_stream(),
                format!(
                    "a task cannot be generic, as its struct stands for one task: replace `{}` by a type, or by \
                     `Arc<dyn ..>`",
                    parameter.ident
                ),
            ),
            syn::GenericParam::Const(parameter) => (
                parameter.ident.to_token_stream(),
                format!(
                    "a task cannot be generic, as its struct stands for one task: make `{}` an argument",
                    parameter.ident
                ),
            ),
            syn::GenericParam::Lifetime(parameter) => (
                parameter.to_token_stream(),
                format!(
                    "a task owns what it uses, for as long as it is supervised: replace `{}` by `'static`, or \
                     pass owned values",
                    parameter.lifetime
                ),
            ),
        };
        errors.push(&at, message);
    }
    !generics.params.is_empty()
}

/// Whether the function is free, as far as the signature shows. A method is refused.
fn check_free(signature: &Signature, errors: &mut Errors) -> bool {
    const MESSAGE: &str = "a task is a free function: move it out of the `impl`, and pass what it \
                           needs as arguments";
    if let Some(FnArg::Receiver(receiver)) = signature.inputs.first() {
        errors.push(&receiver.self_token, MESSAGE);
        return false;
    }
    match self_type(signature.to_token_stream()) {
        Some(found) => {
            errors.push(&found, MESSAGE);
            false
        }
        None => true,
    }
}

fn self_type(tokens: TokenStream) -> Option<Ident> {
    tokens.into_iter().find_map(|tree| match tree {
        TokenTree::Ident(word) if word == "Self" => Some(word),
        TokenTree::Group(group) => self_type(group.stream()),
        _ => None,
    })
}

/// The name of the field, made up if the argument has none.
fn check_name(position: usize, argument: &PatType, errors: &mut Errors) -> Ident {
    match &*argument.pat {
        Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => name.ident.clone(),
        pattern => {
            let message = "an argument of a task needs a plain name, which becomes the name of a field";
            errors.push(pattern, message);
            format_ident!("argument{position}", span = hygienic(pattern.span()))
        }
    }
}

/// Whether a field can have the type of the argument.
fn check_type(ty: &Type, errors: &mut Errors) -> bool {
    let found = types::problems(ty);
    for (at, message) in &found {
        errors.push(at, message);
    }
    found.is_empty()
}

fn check_attributes(argument: &PatType, errors: &mut Errors) {
    let conditional = argument
        .attrs
        .iter()
        .find(|attribute| attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr"));
    if let Some(attribute) = conditional {
        errors.push(attribute, "an argument of a task cannot be conditional: put `#[cfg(..)]` on the function");
    }
}
