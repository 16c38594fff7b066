//! Checks that a function can be a task.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{FnArg, GenericArgument, Pat, PathArguments, ReturnType, Signature, Type};

use super::Shape;
use crate::errors::Errors;
use crate::function::{self, Function, Kind};
use crate::options::{Choice, Options, Ready, chosen, in_its_list, is_set};
use crate::reader::{Given, Purpose, Reader, Value};

/// Reports every error of the function, and returns the shape of its struct.
pub(super) fn check(function: &Function, options: &Options, errors: &mut Errors) -> Shape {
    let signature = &function.signature;
    check_context(signature, options, errors);
    check_asyncness(function, options, errors);
    check_retry_if(signature, options, errors);
    check_never_ends(signature, options, errors);
    function::check_generics(signature, Kind::Task, errors);
    let is_free = function::check_free(signature, &function.body, Kind::Task.noun(), errors);
    let mut shape = Shape { context: None, fields: Vec::new(), is_free, is_refused: false };
    let mut of_method = Errors::default();
    for (position, argument) in signature.inputs.iter().enumerate() {
        let FnArg::Typed(argument) = argument else {
            continue;
        };
        if position == 0 && function::is_context(&argument.ty) {
            shape.context = Some((*argument.ty).clone());
            continue;
        }
        if function::last_ident(&argument.ty).as_deref() == Some("TaskContext") && (shape.context.is_some() || !is_free)
        {
            // The advice for a method has it in its place.
            if is_free {
                errors.push(&argument.ty, "a task has one context: leave this one out");
            }
            continue;
        }
        shape.is_refused |= function::is_inferred(&argument.ty);
        // What is said of a method is said of all of it.
        let errors = if is_free { &mut *errors } else { &mut of_method };
        let field = function::read_field(position, argument, Kind::Task, &signature.generics, errors);
        // A refused context is no field, which the entries would lack.
        if field.ty.is_some() || function::find_word(argument.ty.to_token_stream(), "TaskContext").is_none() {
            shape.is_refused |= function::push_field(&mut shape.fields, field);
        }
    }
    shape
}

/// Reports an option that uses an argument of the function.
pub(super) fn check_arguments_in_options(function: &Function, options: &mut Options, reader: &mut Reader) {
    let Signature { ident: task, inputs, .. } = &function.signature;
    let names: Vec<&Ident> = inputs.iter().filter_map(name_of).collect();
    let used_in = |tokens: &TokenStream| names.iter().find(|name| uses(tokens.clone(), name));
    let message = |used: &Ident, option: &str| {
        format!(
            "an option cannot see the argument `{used}`: give it in the tree, as in `task({task} {{ .. }}, {option})`"
        )
    };
    if let Some(Given { value: value @ Value::Constant(_), .. }) = &mut options.name {
        if let Value::Constant(name) = &*value {
            if let Some(used) = used_in(name) {
                reader.errors.push(name, message(used, "name = .."));
                *value = Value::Refused;
            }
        }
    }
    for binding in &mut reader.bindings {
        let Some(used) = used_in(&binding.expr.to_token_stream()) else { continue };
        let option = binding.key.as_ref().map_or_else(String::new, |key| in_its_list(&key.to_string()));
        reader.errors.push(&binding.expr, message(used, &option));
        // It would be a second error.
        binding.expr = match binding.purpose {
            Purpose::Duration => syn::parse_quote!(::core::time::Duration::ZERO),
            Purpose::U32 | Purpose::Usize => syn::parse_quote!(0),
            Purpose::Factor => syn::parse_quote!(1.0),
            Purpose::Switch => syn::parse_quote!(false),
            Purpose::Text => syn::parse_quote!(""),
            _ => syn::parse_quote!(::core::unreachable!()),
        };
    }
}

/// Returns `true` if the tokens use that name as a value: not as a field, a method or a part of a path.
fn uses(tokens: TokenStream, name: &Ident) -> bool {
    let mut before = None;
    let mut trees = tokens.into_iter().peekable();
    while let Some(tree) = trees.next() {
        let is_used = match &tree {
            TokenTree::Group(group) => uses(group.stream(), name),
            TokenTree::Ident(ident) if ident == name => {
                let is_part = matches!(before, Some('.' | ':'));
                let is_head =
                    matches!(trees.peek(), Some(TokenTree::Punct(next)) if matches!(next.as_char(), ':' | '!'));
                !is_part && !is_head
            }
            _ => false,
        };
        if is_used {
            return true;
        }
        before = match tree {
            TokenTree::Punct(punct) => Some(punct.as_char()),
            _ => None,
        };
    }
    false
}

fn name_of(argument: &FnArg) -> Option<&Ident> {
    match argument {
        FnArg::Typed(argument) => match &*argument.pat {
            Pat::Ident(name) => Some(&name.ident),
            _ => None,
        },
        FnArg::Receiver(_) => None,
    }
}

/// Checks that a task is `async` or has `blocking`.
fn check_asyncness(function: &Function, options: &Options, errors: &mut Errors) {
    let signature = &function.signature;
    if let Some(Given { value: Value::Bound(local), .. }) = &options.blocking {
        errors.push(
            local,
            "`blocking` is `true`, `false` or \"pool\", and no expression: it decides how the function is called",
        );
    }
    let chosen = chosen(options.blocking.as_ref());
    let blocking = options.blocking.as_ref().filter(|_| matches!(chosen, Some(Choice::On | Choice::Word)));
    let form = if blocking.is_some() { "fn" } else { "async fn" };
    let is_qualified = function::check_qualifiers(signature, Kind::Task, form, errors);
    match (blocking, &signature.asyncness) {
        (Some(blocking), Some(_)) => {
            let message = "`blocking` is for a function that is not async, and runs on a thread of its own: leave out \
                           `blocking`, or `async`";
            errors.push(&blocking.key, message);
        }
        (None, None) if !is_qualified && !options.blocking.as_ref().is_some_and(Given::is_refused) => {
            errors.push(&signature.fn_token, not_async(function));
        }
        (None, Some(_)) => check_no_future(signature, errors),
        _ => {}
    }
}

/// Checks that an `async fn` does not return a future as well.
fn check_no_future(signature: &Signature, errors: &mut Errors) {
    let ReturnType::Type(_, ty) = &signature.output else { return };
    let wraps = |name: String| ["Pin", "Box"].contains(&&*name);
    let is_future = matches!(**ty, Type::ImplTrait(_)) || function::last_ident(ty).is_some_and(wraps);
    if let Some(output) = output_of_future(&signature.output).filter(|_| is_future) {
        let (name, arguments) = (&signature.ident, if signature.inputs.is_empty() { "" } else { ".." });
        let message = format!("an `async fn` is a future by itself: write `async fn {name}({arguments}){output}`");
        errors.push(ty, message);
    }
}

/// Returns the message for a function that is not `async`.
fn not_async(function: &Function) -> String {
    let name = &function.signature.ident;
    // `#[tokio::main]` removes the `async` of a function, and calls `block_on` in its body.
    if function::find_word(function.body.clone(), "block_on").is_some() {
        return format!(
            "a task runs on the runtime of the supervisor: write `async fn {name}`, without `block_on` and without an \
             attribute such as `#[tokio::main]`"
        );
    }
    let future = "a task is an `async fn`, and not a function that returns a future";
    if let Some(output) = output_of_future(&function.signature.output) {
        let arguments = if function.signature.inputs.is_empty() { "" } else { ".." };
        return format!("{future}: write `async fn {name}({arguments}){output}`");
    }
    if function::find_word(function.signature.output.to_token_stream(), "BoxFuture").is_some() {
        return format!("{future}: write `async fn {name}`");
    }
    format!("a task is asynchronous: write `async fn {name}`, or `#[task(blocking)]` if it blocks its thread")
}

/// Returns ` -> T` for a return type that is a future of a `T`.
fn output_of_future(output: &ReturnType) -> Option<String> {
    let ReturnType::Type(_, ty) = output else { return None };
    let tokens = inside_future(ty.to_token_stream())?;
    let mut depth = 0_usize;
    let mut text = TokenStream::new();
    for tree in tokens {
        match &tree {
            TokenTree::Punct(punct) if punct.as_char() == '<' => depth += 1,
            TokenTree::Punct(punct) if punct.as_char() == '>' => match depth.checked_sub(1) {
                Some(outer) => depth = outer,
                None => break,
            },
            _ => {}
        }
        text.extend([tree]);
    }
    let text = function::compact(&text.to_string());
    Some(if text == "()" { String::new() } else { format!(" -> {text}") })
}

/// Returns the tokens after `Future<Output =` at any depth.
fn inside_future(tokens: TokenStream) -> Option<TokenStream> {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let is_word = |at: usize, word: &str| matches!(trees.get(at), Some(TokenTree::Ident(ident)) if ident == word);
    let position = (0..trees.len()).find(|at| is_word(*at, "Future") && is_word(at + 2, "Output"));
    match position {
        Some(at) => Some(trees.into_iter().skip(at + 4).collect()),
        None => trees.into_iter().find_map(|tree| match tree {
            TokenTree::Group(group) => inside_future(group.stream()),
            _ => None,
        }),
    }
}

/// Checks options that need a context. A context at the wrong position is another error.
fn check_context(signature: &Signature, options: &Options, errors: &mut Errors) {
    check_cleanup(signature, options, errors);
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

/// A thread is not dropped, so a function that blocks has its time without an argument as well.
fn check_cleanup(signature: &Signature, options: &Options, errors: &mut Errors) {
    let inputs = signature.inputs.to_token_stream();
    let takes = |word: &str| function::find_word(inputs.clone(), word).is_some();
    let cleanup = options.cleanup.as_ref().filter(|given| !given.is_refused());
    if let (Some(cleanup), None) = (cleanup, &options.blocking) {
        if !takes("TaskContext") && !takes("CancellationToken") {
            let message = "`cleanup` is for a task that takes a `TaskContext`, and others are dropped at once: make it the \
                           first argument";
            errors.push(&cleanup.key, message);
        }
    }
}

/// Checks that a function that never ends in success has no option that waits for it.
fn check_never_ends(signature: &Signature, options: &Options, errors: &mut Errors) {
    let ReturnType::Type(_, ty) = &signature.output else { return };
    if !never_succeeds(ty) {
        return;
    }
    if let (Some(significant), true) = (&options.significant, is_set(options.significant.as_ref())) {
        let message = "`significant` waits for an end in success, and this function never returns one";
        errors.push(&significant.key, message);
    }
    if let Some((ready @ (Ready::Completed | Ready::FirstSuccess), at)) = options.ready.as_ref().and_then(Given::known)
    {
        let word = if *ready == Ready::Completed { "completed" } else { "first_success" };
        errors.push(at, format!("`ready = \"{word}\"` waits for a success, and this function never returns one"));
    }
}

/// Returns `true` for `!`, `Infallible`, and a `Result` of them.
fn never_succeeds(ty: &Type) -> bool {
    let is_never =
        |ty: &Type| matches!(ty, Type::Never(_)) || function::last_ident(ty).as_deref() == Some("Infallible");
    let Type::Path(path) = ty else { return is_never(ty) };
    let Some(last) = path.path.segments.last() else { return false };
    match &last.arguments {
        PathArguments::AngleBracketed(arguments) => {
            last.ident == "Result" && matches!(arguments.args.first(), Some(GenericArgument::Type(ty)) if is_never(ty))
        }
        _ => is_never(ty),
    }
}

/// Checks that a task with `retry_if` can fail.
fn check_retry_if(signature: &Signature, options: &Options, errors: &mut Errors) {
    let fails = match &signature.output {
        ReturnType::Default => false,
        ReturnType::Type(_, ty) => match &**ty {
            Type::Tuple(tuple) => !tuple.elems.is_empty(),
            Type::Never(_) => false,
            ty => function::last_ident(ty).as_deref() != Some("Infallible"),
        },
    };
    if let (Some(retry_if), false) = (&options.retry_if, fails) {
        let message = "`retry_if` asks about the error of a failure, and this task has none: return `Result<(), E>`";
        errors.push(&retry_if.key, message);
    }
}
