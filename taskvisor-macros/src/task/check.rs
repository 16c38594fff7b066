//! What a function must be to be a task.

use quote::ToTokens;
use syn::{FnArg, Signature};

use super::Shape;
use crate::errors::Errors;
use crate::function::{self, Function, Kind};
use crate::options::{Options, Ready};
use crate::reader::Given;

/// Reports all that keeps the function from being a task, and gives the shape of its struct.
pub(super) fn check(function: &Function, options: &Options, errors: &mut Errors) -> Shape {
    let signature = &function.signature;
    check_context(signature, options, errors);
    function::check_qualifiers(signature, Kind::Task, errors);
    function::check_async(signature, Kind::Task, errors);
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

/// Options by which the task is to call its context. One that is at the wrong place is another error.
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
