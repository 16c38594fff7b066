//! Checks that a function can be a task.

use quote::ToTokens;
use syn::{FnArg, ReturnType, Signature, Type};

use super::Shape;
use crate::errors::Errors;
use crate::function::{self, Function, Kind};
use crate::options::{Options, Ready, is_set};
use crate::reader::Given;

/// Reports every error of the function, and returns the shape of its struct.
pub(super) fn check(function: &Function, options: &Options, errors: &mut Errors) -> Shape {
    let signature = &function.signature;
    check_context(signature, options, errors);
    check_asyncness(signature, options, errors);
    check_retry_if(signature, options, errors);
    let is_generic = function::check_generics(signature, Kind::Task, errors);
    let is_free = function::check_free(signature, Kind::Task.noun(), errors);
    let mut shape = Shape { context: None, fields: Vec::new(), is_free };
    for (position, argument) in signature.inputs.iter().enumerate() {
        let FnArg::Typed(argument) = argument else {
            continue;
        };
        if position == 0 && function::is_context(&argument.ty) {
            shape.context = Some((*argument.ty).clone());
            continue;
        }
        shape.fields.push(function::read_field(position, argument, Kind::Task, is_generic, errors));
    }
    shape
}

/// Checks that a task is `async` or has `blocking`.
fn check_asyncness(signature: &Signature, options: &Options, errors: &mut Errors) {
    let blocking = options.blocking.as_ref().filter(|_| is_set(options.blocking.as_ref()));
    let form = if blocking.is_some() { "fn" } else { "async fn" };
    function::check_qualifiers(signature, Kind::Task, form, errors);
    match (blocking, &signature.asyncness) {
        (Some(blocking), Some(_)) => {
            let message = "`blocking` is for a function that is not async, and runs on a thread of its own: leave out \
                           `blocking`, or `async`";
            errors.push(&blocking.key, message);
        }
        (None, None) if signature.constness.is_none() && !options.blocking.as_ref().is_some_and(Given::is_refused) => {
            let message = format!(
                "a task is asynchronous: write `async fn {}`, or `#[task(blocking)]` if it blocks its thread",
                signature.ident
            );
            errors.push(&signature.fn_token, message);
        }
        _ => {}
    }
}

/// Checks options that need a context. A context at the wrong position is another error.
fn check_context(signature: &Signature, options: &Options, errors: &mut Errors) {
    if function::find_word(signature.inputs.to_token_stream(), "TaskContext").is_some() {
        return;
    }
    let advice = match signature.inputs.first() {
        Some(FnArg::Typed(argument)) if function::is_context(&argument.ty) => {
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

/// Checks that a task with `retry_if` can fail.
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
