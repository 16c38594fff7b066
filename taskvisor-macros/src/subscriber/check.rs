//! Checks that a function can be a subscriber.

use syn::punctuated::Punctuated;
use syn::{FnArg, PatType, ReturnType, Signature, Type};

use super::{Options, Shape};
use crate::errors::Errors;
use crate::function::{self, Function, Kind, last_ident};
use crate::options::check_name;
use crate::reader::Given;

/// Reports invalid options.
pub(super) fn check_options(options: &Options, errors: &mut Errors) {
    check_name(options.name.as_ref(), errors);
    if let Some((0, at)) = options.queue.as_ref().and_then(Given::known) {
        errors.push(at, "`queue` must be at least 1: no event would fit in");
    }
}

/// Reports every error of the function, and returns the shape of its struct.
pub(super) fn check(function: &Function, errors: &mut Errors) -> Shape {
    let signature = &function.signature;
    function::check_async(signature, Kind::Subscriber, errors);
    function::check_generics(signature, Kind::Subscriber, errors);
    let is_free = function::check_free(signature, &function.body, Kind::Subscriber.noun(), errors);
    check_output(signature, errors);
    let mut shape = Shape { event: None, state: Vec::new(), is_free, is_refused: false };
    let arguments = signature.inputs.iter().filter_map(|argument| match argument {
        FnArg::Typed(argument) => Some(argument),
        FnArg::Receiver(_) => None,
    });
    if arguments.clone().next().is_none() && is_free {
        errors.push(&signature.ident, "a subscriber is given the event: make `event: &Event` the first argument");
    }
    // The event, if it is there and not the first.
    let late = arguments.clone().position(is_event).filter(|position| *position > 0);
    for (position, argument) in arguments.enumerate() {
        shape.is_refused |= function::is_inferred(&argument.ty);
        if late == Some(position) {
            errors.push(argument, "the event comes first: make `event: &Event` the first argument");
            continue;
        }
        match (position, as_event(argument)) {
            (0, First::Event) => {
                function::check_attributes(argument, Kind::Subscriber, errors);
                shape.event = Some((*argument.ty).clone());
            }
            (0, First::Refused(message)) => errors.push(&argument.ty, message),
            (0, First::State) => {
                if late.is_none() {
                    let message = "a subscriber is given the event first: put `event: &Event` before this";
                    errors.push(argument, message);
                }
                shape.state.push(function::read_field(
                    position,
                    argument,
                    Kind::Subscriber,
                    &signature.generics,
                    errors,
                ));
            }
            _ => {
                let field = function::read_field(position, argument, Kind::Subscriber, &signature.generics, errors);
                shape.is_refused |= function::push_field(&mut shape.state, field);
            }
        }
    }
    shape
}

/// The kind of a first argument.
enum First {
    /// A shared reference. The compiler checks whether it refers to an `Event`.
    Event,
    /// Probably meant to be the event.
    Refused(&'static str),
    State,
}

fn as_event(argument: &PatType) -> First {
    match peel(&argument.ty) {
        Type::Reference(reference) if reference.mutability.is_some() => {
            First::Refused("all subscribers share the event: write `&Event`")
        }
        Type::Reference(reference)
            if reference.lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static") =>
        {
            First::Refused("the event is lent for one call: write `&Event`")
        }
        Type::Reference(_) => First::Event,
        ty if last_ident(ty).as_deref() == Some("Event") => {
            First::Refused("all subscribers share the event: write `&Event`")
        }
        _ => First::State,
    }
}

/// Returns `true` for an `Event`, by its name, and for a reference to one.
fn is_event(argument: &PatType) -> bool {
    let ty = match peel(&argument.ty) {
        Type::Reference(reference) => &reference.elem,
        ty => ty,
    };
    last_ident(ty).as_deref() == Some("Event")
}

/// Returns the type without the invisible groups that `macro_rules!` puts around its fragments.
fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => peel(&group.elem),
        Type::Paren(paren) => peel(&paren.elem),
        ty => ty,
    }
}

fn check_output(signature: &Signature, errors: &mut Errors) {
    if let ReturnType::Type(_, ty) = &signature.output {
        let is_unit = matches!(peel(ty), Type::Tuple(tuple) if Punctuated::is_empty(&tuple.elems));
        if !is_unit {
            errors.push(ty, "a subscriber returns nothing, as nobody would look at it: leave the return type out");
        }
    }
}
