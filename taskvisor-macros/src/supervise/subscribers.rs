//! `subscribers = [log {}, ..others]`: the receivers of events, and what to write for what is none.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{Attribute, Expr, ExprAwait, ExprReference, ExprTry, Lit};

use super::entry::{self, first_token};
use super::{Declaration, repeated};
use crate::argument::{self, Form, as_ident, peel};
use crate::path;
use crate::reader::{Purpose, Reader};
use crate::table::{Key, Read};

/// A declared subscriber, or all of an iterator.
pub(super) struct Subscriber {
    /// Its local, or that of all of an iterator.
    pub(super) value: Ident,
    pub(super) is_spread: bool,
    pub(super) cfgs: Vec<Attribute>,
}

impl Key<Declaration> {
    pub(super) const SUBSCRIBERS: Self = Self::new(
        "subscribers",
        "subscribers = [..]",
        Read::Value(|declaration, key, value, reader| {
            for expr in reader.elements(key, value) {
                declaration.subscribers.extend(read(&expr, reader));
            }
        }),
    );
}

fn read(expr: &Expr, reader: &mut Reader) -> Option<Subscriber> {
    if reader.is_unreadable(expr) {
        return None;
    }
    let entry::Before { expr, cfgs, .. } = entry::Before::of(expr, reader);
    let outer = reader.cfgs.len();
    reader.cfgs.extend(cfgs.iter().cloned());
    let value = match (peel(&expr), refused(&expr)) {
        (_, Some((at, message, inner))) => {
            reader.errors.push(&at, message);
            // It keeps what it uses in use.
            if let Some(inner) = inner {
                reader.bind(Purpose::Subscriber, inner);
            }
            None
        }
        (Expr::Range(range), None) => {
            entry::read_spread(range, Purpose::Subscribers, reader).map(|value| (value, true))
        }
        _ => Some((reader.bind(Purpose::Subscriber, &expr), false)),
    };
    reader.cfgs.truncate(outer);
    let (value, is_spread) = value?;
    Some(Subscriber { value, is_spread, cfgs: [&*reader.key_cfgs, &cfgs].concat() })
}

/// Returns the message for what is an option of `#[subscriber]`, or a word of others for one.
pub(crate) fn option_of_subscriber(word: &Ident) -> Option<String> {
    let (option, value) = match &*word.to_string() {
        "name" | "label" => ("name", "\"..\""),
        "queue" | "queue_capacity" | "capacity" | "queue_size" | "buffer" => ("queue", "64"),
        _ => return None,
    };
    Some(format!("`{option}` is an option of the function: put `#[subscriber({option} = {value})]` on it"))
}

/// What is refused: the place, the message, and the subscriber in it.
type Refused<'a> = (TokenStream, String, Option<&'a Expr>);

/// Returns what is wrong with an expression that cannot be a subscriber.
fn refused(expr: &Expr) -> Option<Refused<'_>> {
    let first = || first_token(expr);
    let told = |at: TokenStream, message: &str, inner| Some((at, message.to_owned(), inner));
    match peel(expr) {
        Expr::Assign(assign) => {
            let inner = literal_inside(&assign.right);
            let option =
                as_ident(&assign.left).filter(|_| inner.is_none()).and_then(|word| option_of_subscriber(&word));
            let label = assign.left.to_token_stream();
            let message = option.unwrap_or_else(|| no_label(&label));
            Some((label, message, inner))
        }
        Expr::Let(local) => told(
            local.let_token.to_token_stream(),
            "a subscriber has no label: leave out `let` and the name",
            literal_inside(&local.expr),
        ),
        Expr::Cast(cast) if is_literal(&cast.expr) => {
            let at = cast.as_token.to_token_stream();
            Some((at, no_label(&cast.ty.to_token_stream()), literal_inside(&cast.expr)))
        }
        Expr::Lit(literal) => {
            let message = match &literal.lit {
                Lit::Str(name) if name.parse::<Ident>().is_ok() => {
                    format!("a subscriber is a value, and not a name in quotes: write `{} {{ .. }}`", name.value())
                }
                _ => format!(
                    "`{}` is not a subscriber: write `name {{ .. }}`, with the name of a function under `#[subscriber]`",
                    literal.to_token_stream()
                ),
            };
            Some((first(), message, None))
        }
        Expr::If(choice) if choice.else_branch.is_none() => {
            told(first(), "a subscriber under a condition is `..flag.then(|| log { .. })`", None)
        }
        Expr::ForLoop(_) | Expr::While(_) | Expr::Loop(_) => {
            told(first(), "the subscribers of a loop are `..iterator.map(|item| log { .. })`", None)
        }
        Expr::Closure(_) => told(first(), "a closure is no subscriber: make it a function under `#[subscriber]`", None),
        Expr::Async(_) => told(
            first(),
            "an `async` block is no subscriber: make it the body of a function under `#[subscriber]`",
            None,
        ),
        Expr::Tuple(_) | Expr::Array(_) => {
            told(first(), "a list is no subscriber: write each of them alone in `subscribers = [..]`", None)
        }
        Expr::Repeat(_) => {
            told(first(), "a list is no subscriber: write `..(0..3).map(|number| log { .. })` for several", None)
        }
        Expr::Await(ExprAwait { base, .. }) if is_literal(base) => {
            told(last_token(expr), "a subscriber is given to the tree, which calls it: leave out `.await`", Some(base))
        }
        Expr::Try(ExprTry { expr: inner, .. }) if is_literal(inner) => {
            told(last_token(expr), "a subscriber is no result: leave out the `?`", Some(inner))
        }
        Expr::Reference(ExprReference { expr: inner, .. }) if is_literal(inner) => {
            told(first(), "the tree takes a subscriber by value: leave out the `&`", Some(inner))
        }
        Expr::Range(range) => match range.end.as_deref().filter(|_| range.start.is_none()) {
            Some(all) => {
                let name = repeated::literal_type(all)?;
                let message =
                    format!("`..` adds all of an iterator: write `{} {{ .. }}` for one subscriber", path::text(&name));
                Some((range.limits.to_token_stream(), message, Some(all)))
            }
            _ => None,
        },
        Expr::MethodCall(call) if is_literal(&call.receiver) => {
            let method = call.method.to_string();
            let option = Ident::new(method.strip_prefix("with_").unwrap_or(&method), call.method.span());
            Some((call.method.to_token_stream(), option_of_subscriber(&option)?, Some(&call.receiver)))
        }
        call @ Expr::Call(_) => {
            let (word, Form::List(list)) = argument::form(call)? else { return None };
            of_call(&word, list).map(|message| (quote!(#word), message, list.first().and_then(literal_inside)))
        }
        _ => None,
    }
}

fn no_label(label: &TokenStream) -> String {
    let name = label.to_string();
    format!(
        "a subscriber has no label: leave it out, or put `#[subscriber(name = \"{}\")]` on the function",
        name.trim_matches('"')
    )
}

/// Returns the message for a call that cannot give a subscriber.
fn of_call(word: &Ident, list: &argument::List) -> Option<String> {
    let has_keys = list.iter().any(|argument| matches!(peel(argument), Expr::Assign(_)));
    match &*word.to_string() {
        "Some" => {
            Some("an `Option` is no subscriber: write `..option`, which adds the subscriber if there is one".to_owned())
        }
        "subscriber" if has_keys || list.first().is_some_and(is_literal) => Some(
            "a subscriber stands alone, as `log { .. }`: its options are those of the function, as in \
             `#[subscriber(queue = 64)]`"
                .to_owned(),
        ),
        "task" | "group" if has_keys || list.first().is_some_and(is_literal) => {
            Some(format!("`{word}(..)` stands in `tasks = [..]`, and a subscriber alone, as `log {{ .. }}`"))
        }
        _ if has_keys => Some(format!(
            "unknown `{word}(..)`: a subscriber is `{word} {{ .. }}`, and its options are those of the function, as in \
             `#[subscriber(queue = 64)]`"
        )),
        _ => option_of_subscriber(word).filter(|_| list.len() == 1),
    }
}

fn is_literal(expr: &Expr) -> bool {
    repeated::literal_type(expr).is_some()
}

fn literal_inside(expr: &Expr) -> Option<&Expr> {
    Some(expr).filter(|expr| is_literal(expr))
}

fn last_token(expr: &Expr) -> TokenStream {
    expr.to_token_stream().into_iter().last().into_iter().collect()
}
