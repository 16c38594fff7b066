//! What was meant as the elements of a list that is not written in brackets, so that their handles are there.

use proc_macro2::Ident;
use syn::parse::Parser;
use syn::{Expr, ExprArray, ExprLit, Lit, Stmt};

use crate::argument::{self, Form, List, as_ident, peel};

/// Returns `true` for a key whose value is a list in brackets.
pub(crate) fn is_list(key: &str) -> bool {
    ["tasks", "subscribers", "slots", "limits"].contains(&key)
}

/// Returns the list of these elements.
pub(crate) fn array(elements: Vec<Expr>) -> Expr {
    let elems = elements.into_iter().collect();
    Expr::Array(ExprArray { attrs: Vec::new(), bracket_token: syn::token::Bracket::default(), elems })
}

/// Returns `true` for `task(..)`, `group(..)` and `ping {}` after a `=`.
pub(crate) fn is_entry(form: &Form<'_>) -> bool {
    let Form::Value(value) = form else { return false };
    let is_call = ["task", "group"].iter().any(|word| argument::call_of(value, word).is_some());
    is_call || matches!(peel(value), Expr::Struct(_))
}

/// Returns the key and the elements of an argument that was refused, such as `children = [ping {}]`, `"tasks" = [ping {}]`,
/// `tasks == [ping {}]`, `task[ping {}]` and `task(ping {})`; no key for `[ping {}]`.
pub(crate) fn argument(argument: &Expr) -> Option<(Option<Ident>, Vec<Expr>)> {
    let key = |key: &Expr| {
        as_ident(key).or_else(|| match peel(key) {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text.parse().ok(),
            _ => None,
        })
    };
    Some(match peel(argument) {
        Expr::Array(_) => (None, all(argument)),
        Expr::Assign(assign) => (Some(key(&assign.left)?), all(&assign.right)),
        Expr::Binary(binary) => (Some(key(&binary.left)?), all(&binary.right)),
        Expr::Index(index) => (Some(key(&index.expr)?), elements(&index.index)),
        Expr::Macro(call) => {
            let list = List::parse_terminated.parse2(call.mac.tokens.clone()).ok()?;
            (Some(call.mac.path.get_ident()?.clone()), list.into_iter().filter(is_declared).collect())
        }
        call @ Expr::Call(_) => {
            let (word, Form::List(list)) = argument::form(call)? else { return None };
            let is_declaration = list.first().is_some_and(|first| match &*word.to_string() {
                "task" => matches!(peel(first), Expr::Struct(_)),
                "slot" | "limit" => as_ident(first).is_some(),
                _ => false,
            });
            let elements = if is_declaration {
                vec![call.clone()]
            } else {
                // The fields of another list are no elements.
                let is_element = |element: &&Expr| match peel(element) {
                    Expr::Assign(assign) => is_entry(&Form::Value(&assign.right)),
                    _ => is_declared(element),
                };
                list.iter().filter(is_element).cloned().collect()
            };
            (Some(word), elements)
        }
        _ => return None,
    })
}

/// Returns all elements of a list in brackets, and those that are certainly declared in another value.
fn all(value: &Expr) -> Vec<Expr> {
    match peel(value) {
        Expr::Array(list) => list.elems.iter().cloned().collect(),
        value => elements(value),
    }
}

/// Returns the elements of `(ping {}, pong {})`, `vec![ping {}]`, `&[ping {}]`, `{ ping {} }` or `ping {}`, as far as they
/// are certainly declared there: other expressions can be anything.
pub(crate) fn elements(value: &Expr) -> Vec<Expr> {
    let elements: Vec<Expr> = match peel(value) {
        Expr::Tuple(tuple) => tuple.elems.iter().cloned().collect(),
        Expr::Array(array) => array.elems.iter().cloned().collect(),
        // `[ping {}; pong {}]`
        Expr::Repeat(repeat) => vec![(*repeat.expr).clone(), (*repeat.len).clone()],
        Expr::Paren(paren) => return elements(&paren.expr),
        Expr::Reference(reference) => return elements(&reference.expr),
        Expr::Block(block) => match block.block.stmts.as_slice() {
            [Stmt::Expr(only, _)] => return elements(only),
            _ => Vec::new(),
        },
        Expr::Macro(call) if call.mac.path.is_ident("vec") => List::parse_terminated
            .parse2(call.mac.tokens.clone())
            .map_or_else(|_| Vec::new(), |list| list.into_iter().collect()),
        other => vec![other.clone()],
    };
    elements.into_iter().filter(is_declared).collect()
}

/// Returns `true` for `ping {}`, `label = ..`, `task(..)`, `slot(..)` and `limit(..)`.
fn is_declared(element: &Expr) -> bool {
    match peel(element) {
        Expr::Struct(_) => true,
        Expr::Assign(assign) => argument::as_ident(&assign.left).is_some(),
        element => ["task", "slot", "limit"].iter().any(|word| argument::call_of(element, word).is_some()),
    }
}
