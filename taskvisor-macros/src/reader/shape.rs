//! Expressions that are no single value, which the compiler would report by the types of generated code.

use proc_macro2::{Ident, Span};
use quote::ToTokens;
use syn::parse::Parser;
use syn::{Expr, ExprLit, Lit, LitChar};

use super::Purpose;
use crate::argument::{self, Form, List, as_ident, peel};

/// Returns `true` for an expression that can be no text, number, duration or word.
pub(crate) fn is_no_value(expr: &Expr) -> bool {
    match peel(expr) {
        Expr::Array(_) | Expr::Async(_) | Expr::Closure(_) | Expr::Range(_) | Expr::Repeat(_) | Expr::Tuple(_) => true,
        Expr::Call(call) => as_ident(&call.func).is_some_and(|name| name == "Some" || name == "Ok"),
        Expr::Macro(call) => call.mac.path.is_ident("vec"),
        Expr::Paren(paren) => is_no_value(&paren.expr),
        Expr::Reference(reference) => is_no_value(&reference.expr),
        _ => false,
    }
}

/// Returns a literal that is none of an option, to get the message for such an expression.
pub(super) fn no_value() -> Lit {
    Lit::Char(LitChar::new(' ', Span::call_site()))
}

/// Returns the message for `None` and `Some(..)` in place of a value.
pub(super) fn instead_of_option(key: &Ident, expr: &Expr, purpose: Purpose) -> Option<String> {
    let what = match purpose {
        Purpose::Duration => "a duration",
        Purpose::Text => "a string",
        Purpose::U32 | Purpose::Usize | Purpose::Factor => "a number",
        _ => return None,
    };
    match argument::form(expr)? {
        (word, Form::Word) if word == "None" => Some(format!("`{key}` is {what}: leave it out, in place of `None`")),
        (word, Form::List(list)) if word == "Some" && list.len() == 1 => {
            Some(format!("`{key}` is {what}: write `{key} = {}`, without `Some`", list.to_token_stream()))
        }
        _ => None,
    }
}

/// Returns the elements of `["a", "b"]`, `("a", "b")`, `vec!["a", "b"]` and references to them.
pub(crate) fn elements(expr: &Expr) -> Vec<Expr> {
    match peel(expr) {
        Expr::Array(array) => array.elems.iter().cloned().collect(),
        Expr::Tuple(tuple) => tuple.elems.iter().cloned().collect(),
        Expr::Reference(reference) => elements(&reference.expr),
        Expr::Repeat(repeat) => vec![(*repeat.expr).clone()],
        Expr::Macro(call) => List::parse_terminated
            .parse2(call.mac.tokens.clone())
            .map_or_else(|_| Vec::new(), |list| list.into_iter().collect()),
        _ => Vec::new(),
    }
}

/// Returns the text of the first element, if it is a string.
pub(super) fn first_text(expr: &Expr) -> Option<String> {
    match peel(elements(expr).first()?) {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    }
}
