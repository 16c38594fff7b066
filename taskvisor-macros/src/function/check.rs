//! Checks that a function can become a struct that is given to a supervisor.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::{ToTokens, format_ident};
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, GenericParam, Generics, Pat, PatType, ReturnType, Safety, Signature, Type};

use super::{Field, Kind, types};
use crate::errors::Errors;
use crate::path::{self, hygienic};
use crate::twice;

/// Returns `true` for invalid qualifiers before `fn`, and reports the first: what to write has none of them.
pub(crate) fn check_qualifiers(signature: &Signature, kind: Kind, form: &str, errors: &mut Errors) -> bool {
    let noun = kind.noun();
    let (at, what) = match (&signature.constness, &signature.safety, &signature.abi) {
        (Some(token), ..) => (token.to_token_stream(), "`const`"),
        (_, Safety::Unsafe(token), _) => (token.to_token_stream(), "`unsafe`"),
        (.., Some(abi)) => (abi.to_token_stream(), "`extern`"),
        _ => {
            let Some(variadic) = &signature.variadic else { return false };
            errors.push(variadic, format!("a {noun} has one value for each argument: take a `Vec` in place of `...`"));
            return false;
        }
    };
    errors.push(&at, format!("a {noun} cannot be {what}: write `{form} {}`", signature.ident));
    true
}

/// Returns `true` if no other attribute follows that also transforms the function: one of this crate, or one that starts
/// a runtime.
pub(crate) fn check_alone(attributes: &[Attribute], errors: &mut Errors) -> bool {
    const OURS: [&str; 3] = ["task", "subscriber", "supervisor"];
    if let Some(other) = attributes.iter().find(|attribute| starts_runtime(attribute)) {
        // `#[tokio::test]` above leaves the path of another attribute.
        let name = if other.path().leading_colon.is_some() { "test".to_owned() } else { path::text(other.path()) };
        let message = format!(
            "`#[{name}]` is for a function that starts a runtime, and this one runs on that of the supervisor: leave it out"
        );
        errors.push(other, message);
        return false;
    }
    let Some(other) = attributes.iter().filter_map(last).find(|name| OURS.iter().any(|ours| name == ours)) else {
        return true;
    };
    errors.push(&other, format!("there is another attribute like `#[{other}]` above: a function has one, keep one"));
    false
}

/// Returns `true` for `#[tokio::main]` and the like.
pub(super) fn starts_runtime(attribute: &Attribute) -> bool {
    attribute.path().segments.len() > 1 && last(attribute).is_some_and(|name| name == "main" || name == "test")
}

fn last(attribute: &Attribute) -> Option<Ident> {
    attribute.path().segments.last().map(|segment| segment.ident.clone())
}

/// Reports a function that is not `async`.
pub(crate) fn check_async(signature: &Signature, kind: Kind, errors: &mut Errors) {
    if !check_qualifiers(signature, kind, "async fn", errors) && signature.asyncness.is_none() {
        let message = format!("a {} is asynchronous: write `async fn {}`", kind.noun(), signature.ident);
        errors.push(&signature.fn_token, message);
    }
}

/// Reports the generics of the function.
pub(crate) fn check_generics(signature: &Signature, kind: Kind, errors: &mut Errors) {
    let generics = &signature.generics;
    let noun = kind.noun();
    for parameter in &generics.params {
        let (at, message) = match parameter {
            GenericParam::Type(parameter) => (
                parameter.ident.to_token_stream(),
                format!(
                    "a {noun} cannot be generic, as its struct stands for one {noun}: replace `{}` by a type, or by \
                     `Arc<dyn .. + Send + Sync>`",
                    parameter.ident
                ),
            ),
            GenericParam::Const(parameter) => (
                parameter.ident.to_token_stream(),
                format!(
                    "a {noun} cannot be generic, as its struct stands for one {noun}: make `{}` an argument",
                    parameter.ident
                ),
            ),
            GenericParam::Lifetime(parameter) => {
                let lifetime = &parameter.lifetime;
                let message = match kind {
                    Kind::Task => format!(
                        "a task owns what it uses, for as long as it is supervised: replace `{lifetime}` by `'static`, \
                         or pass owned values"
                    ),
                    Kind::Subscriber => format!(
                        "a subscriber borrows the event only, which needs no lifetime: leave out `{lifetime}`, and \
                         pass owned values"
                    ),
                };
                (parameter.to_token_stream(), message)
            }
        };
        errors.push(&at, message);
    }
}

/// Returns `true` if the function is free, as far as it shows itself. Methods and other functions of an `impl` are refused.
pub(crate) fn check_free(signature: &Signature, body: &TokenStream, noun: &str, errors: &mut Errors) -> bool {
    if let Some(FnArg::Receiver(receiver)) = signature.inputs.first() {
        let message = if twice::is_at_root(&signature.ident) {
            "only a function of an `impl` has a `self`: take an argument in its place, as in `this: Arc<Type>`"
                .to_owned()
        } else {
            format!("a {noun} is a free function: {}", instead_of_method(signature, noun))
        };
        errors.push(&receiver.self_token, message);
        return false;
    }
    let found = types::find_word(signature.to_token_stream(), "Self").or_else(|| find_self(body.clone()));
    let Some(found) = found.or_else(|| twice::is_associated(&signature.ident).then(|| signature.ident.clone())) else {
        return true;
    };
    errors.push(&found, format!("a {noun} is a free function: {}", instead_of_associated(signature, noun)));
    false
}

/// Returns `true` for a body with an `.await` that stands in no `async` block of it.
pub(super) fn awaits(body: TokenStream) -> bool {
    let (mut is_async, mut after_dot) = (false, false);
    body.into_iter().any(|tree| {
        let was_dot = std::mem::replace(&mut after_dot, false);
        match tree {
            TokenTree::Ident(word) if word == "async" => is_async = true,
            TokenTree::Ident(word) => return was_dot && !is_async && word == "await",
            TokenTree::Punct(mark) => {
                after_dot = mark.as_char() == '.';
                is_async &= !matches!(mark.as_char(), ';' | ',');
            }
            TokenTree::Group(group) => {
                let found = !is_async && awaits(group.stream());
                is_async &= group.delimiter() != Delimiter::Brace;
                return found;
            }
            TokenTree::Literal(_) => {}
        }
        false
    })
}

/// Returns the `Self` of the type around the function: one that stands in no item and in no macro of the body.
fn find_self(body: TokenStream) -> Option<Ident> {
    let (mut is_item, mut is_macro) = (false, false);
    body.into_iter().find_map(|tree| {
        let after_mark = std::mem::replace(&mut is_macro, false);
        match tree {
            TokenTree::Ident(word) if word == "Self" => return (!is_item).then_some(word),
            TokenTree::Ident(word) => {
                is_item |= ["impl", "trait", "struct", "enum", "union"].iter().any(|item| word == item);
                is_macro = after_mark;
            }
            TokenTree::Punct(mark) => {
                is_macro = mark.as_char() == '!';
                is_item &= mark.as_char() != ';';
            }
            TokenTree::Group(group) => {
                let found = if is_item || after_mark { None } else { find_self(group.stream()) };
                is_item &= group.delimiter() != Delimiter::Brace;
                return found;
            }
            TokenTree::Literal(_) => {}
        }
        None
    })
}

/// Returns the advice for a function of an `impl` without `self`.
fn instead_of_associated(signature: &Signature, noun: &str) -> String {
    let (name, arguments) = (&signature.ident, if signature.inputs.is_empty() { "" } else { ".." });
    if noun != Kind::Task.noun() || signature.asyncness.is_none() {
        return "move it out of the `impl`, and pass what it needs as arguments".to_owned();
    }
    let output = written_output(signature);
    format!(
        "leave this one as it is, and write `#[task] async fn {name}({arguments}){output} {{ \
         Type::{name}({arguments}).await }}` beside the `impl`"
    )
}

/// Returns the return type as it stands in the advice.
fn written_output(signature: &Signature) -> String {
    match &signature.output {
        ReturnType::Default => String::new(),
        ReturnType::Type(_, ty) => format!(" -> {}", compact(&ty.to_token_stream().to_string())),
    }
}

/// Returns the advice for a method: for a task, the function that calls the method. A context comes first in it.
fn instead_of_method(signature: &Signature, noun: &str) -> String {
    let name = &signature.ident;
    if noun != Kind::Task.noun() || signature.asyncness.is_none() {
        return "move it out of the `impl`, and pass what it needs as arguments".to_owned();
    }
    let is_context = |argument: &&FnArg| match argument {
        FnArg::Typed(argument) => types::find_word(argument.ty.to_token_stream(), "TaskContext").is_some(),
        FnArg::Receiver(_) => false,
    };
    let context = signature.inputs.iter().find(is_context);
    let is_borrowed = matches!(context, Some(FnArg::Typed(argument)) if matches!(*argument.ty, Type::Reference(_)));
    let passed = context.map(|_| if is_borrowed { "&ctx" } else { "ctx" });
    let others = (signature.inputs.len() > 1 + usize::from(context.is_some())).then_some("..");
    let taken = [context.map(|_| "ctx: TaskContext"), Some("this: Arc<Type>"), others];
    let [taken, passed] = [&taken[..], &[passed, others]].map(|parts| {
        let parts: Vec<&str> = parts.iter().copied().flatten().collect();
        parts.join(", ")
    });
    let output = written_output(signature);
    format!(
        "leave the method as it is, and write `#[task] async fn {name}({taken}){output} {{ this.{name}({passed}).await }}` \
         beside the `impl`"
    )
}

/// Returns the text of a type without the spaces between its tokens, where none are usual.
pub(crate) fn compact(ty: &str) -> String {
    let spaces = [(" :: ", "::"), (" < ", "<"), (" >", ">"), (" ,", ","), ("& ", "&"), ("( ", "("), (" )", ")")];
    spaces.iter().fold(ty.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// Returns the field of an argument, and reports errors.
pub(crate) fn read_field(
    position: usize,
    argument: &PatType,
    kind: Kind,
    generics: &Generics,
    errors: &mut Errors,
) -> Field {
    let name = check_name(position, argument, kind, errors);
    let is_storable = check_type(&argument.ty, kind, errors);
    check_attributes(argument, kind, errors);
    let docs = argument.attrs.iter().filter(|attribute| attribute.path().is_ident("doc")).cloned().collect();
    let is_generic = types::has_parameter(&argument.ty, generics);
    let is_kept = is_storable && !is_generic && !types::is_inferred(&argument.ty);
    let ty = if is_kept { Some((*argument.ty).clone()) } else { types::with_static(&argument.ty) };
    let bound = (!is_plain(&argument.pat)).then(|| bound_by(&argument.pat));
    Field { name, ty: ty.filter(|_| bound.is_none()), docs, bound }
}

/// Adds the field. Returns `true` if there is one of its name, which the compiler reports in the function.
pub(crate) fn push_field(fields: &mut Vec<Field>, field: Field) -> bool {
    let is_twice = fields.iter().any(|other| other.name == field.name);
    if !is_twice {
        fields.push(field);
    }
    is_twice
}

/// Returns the name of the field; a generated name if the argument has none.
fn check_name(position: usize, argument: &PatType, kind: Kind, errors: &mut Errors) -> Ident {
    match &*argument.pat {
        Pat::Ident(name) if is_plain(&argument.pat) => name.ident.clone(),
        pattern => {
            let message =
                format!("an argument of a {} needs a plain name, which becomes the name of a field", kind.noun());
            errors.push(pattern, message);
            format_ident!("argument{position}", span = hygienic(pattern.span()))
        }
    }
}

fn is_plain(pattern: &Pat) -> bool {
    matches!(pattern, Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none())
}

/// Returns the names that the pattern binds.
fn bound_by(pattern: &Pat) -> Vec<Ident> {
    match pattern {
        Pat::Ident(name) => vec![name.ident.clone()],
        Pat::Paren(inner) => bound_by(&inner.pat),
        Pat::Reference(inner) => bound_by(&inner.pat),
        Pat::Slice(list) => list.elems.iter().flat_map(bound_by).collect(),
        Pat::Struct(fields) => fields.fields.iter().flat_map(|field| bound_by(&field.pat)).collect(),
        Pat::Tuple(list) => list.elems.iter().flat_map(bound_by).collect(),
        Pat::TupleStruct(list) => list.elems.iter().flat_map(bound_by).collect(),
        _ => Vec::new(),
    }
}

/// Returns `true` if a field can have the type of the argument.
fn check_type(ty: &Type, kind: Kind, errors: &mut Errors) -> bool {
    let found = types::problems(ty, kind);
    for (at, message) in &found {
        errors.push(at, message);
    }
    found.is_empty()
}

/// Reports an argument under `#[cfg(..)]`.
pub(crate) fn check_attributes(argument: &PatType, kind: Kind, errors: &mut Errors) {
    let conditional = argument
        .attrs
        .iter()
        .find(|attribute| attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr"));
    if let Some(attribute) = conditional {
        let message =
            format!("an argument of a {} cannot be conditional: put `#[cfg(..)]` on the function", kind.noun());
        errors.push(attribute, message);
    }
}
