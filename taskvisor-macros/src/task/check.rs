//! What a function must be to be a task.

use proc_macro2::Ident;
use quote::{ToTokens, format_ident};
use syn::spanned::Spanned;
use syn::{FnArg, Pat, PatType, ReturnType, Safety, Signature, Type};

use super::{Field, Function, Shape, types};
use crate::errors::Errors;
use crate::options::{Options, Ready, is_set};
use crate::path::hygienic;
use crate::reader::{Given, Value};

/// Reports all that keeps the function from being a task, and gives the shape of its struct.
pub(super) fn check(function: &Function, options: &Options, errors: &mut Errors) -> Shape {
    let signature = &function.signature;
    check_context(signature, options, errors);
    check_qualifiers(signature, options, errors);
    check_retry_if(signature, options, errors);
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

fn check_qualifiers(signature: &Signature, options: &Options, errors: &mut Errors) {
    let blocking = options.blocking.as_ref().filter(|_| is_set(options.blocking.as_ref()));
    let form = if blocking.is_some() { "fn" } else { "async fn" };
    let refuse = |at: &dyn ToTokens, what: &str, errors: &mut Errors| {
        let at = at.to_token_stream();
        errors.push(&at, format!("a task cannot be {what}: write `{form} {}`", signature.ident));
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
    match (blocking, &signature.asyncness) {
        (Some(blocking), Some(_)) => {
            let message = "`blocking` is for a function that is not async, and runs on a thread of its own: leave out \
                           `blocking`, or `async`";
            errors.push(&blocking.key, message);
        }
        (None, None) if signature.constness.is_none() && !is_refused(options.blocking.as_ref()) => {
            let message = format!(
                "a task is asynchronous: write `async fn {}`, or `#[task(blocking)]` if it blocks its thread",
                signature.ident
            );
            errors.push(&signature.fn_token, message);
        }
        _ => {}
    }
}

/// Whether the option could not be read, which was reported.
fn is_refused<T>(given: Option<&Given<T>>) -> bool {
    given.is_some_and(|given| matches!(given.value, Value::Refused))
}

/// Options by which the task is to call its context. One that is at the wrong place is another error.
fn check_context(signature: &Signature, options: &Options, errors: &mut Errors) {
    if types::find_word(signature.inputs.to_token_stream(), "TaskContext").is_some() {
        return;
    }
    let advice = match signature.inputs.first() {
        Some(FnArg::Typed(argument)) if types::is_context(&argument.ty) => {
            "take it in place of the `CancellationToken`, which is its `token()`"
        }
        _ => "make it the first argument",
    };
    if let Some(watchdog) = &options.watchdog {
        let message = format!("`watchdog` needs a `TaskContext`, to call its `heartbeat()`: {advice}");
        errors.push(&watchdog.key, message);
    }
    if let Some((Ready::Signal, at)) = options.ready.as_ref().and_then(Given::known) {
        let message = format!("`ready = \"signal\"` needs a `TaskContext`, to call its `ready()`: {advice}");
        errors.push(at, message);
    }
}

/// What asks about failures needs some.
fn check_retry_if(signature: &Signature, options: &Options, errors: &mut Errors) {
    let fails = match &signature.output {
        ReturnType::Default => false,
        ReturnType::Type(_, ty) => match &**ty {
            Type::Tuple(tuple) => !tuple.elems.is_empty(),
            Type::Never(_) => false,
            _ => true,
        },
    };
    if let (Some(retry_if), false) = (&options.retry_if, fails) {
        let message = "`retry_if` asks about the error of a failure, and this task has none: return `Result<(), E>`";
        errors.push(&retry_if.key, message);
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
    match types::find_word(signature.to_token_stream(), "Self") {
        Some(found) => {
            errors.push(&found, MESSAGE);
            false
        }
        None => true,
    }
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
