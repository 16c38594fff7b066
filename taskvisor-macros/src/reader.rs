//! The state of reading one invocation: its errors, and the user's expressions in the written order.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident};
use syn::spanned::Spanned;
use syn::{Expr, Lit, LitStr, UnOp};

use crate::argument::{List, as_ident, peel};
use crate::duration;
use crate::errors::Errors;
use crate::path::hygienic;
use crate::suggest;

/// The value of an option.
pub(crate) enum Value<T> {
    /// A checked literal, with its tokens for errors.
    Known(T, TokenStream),
    /// A value that is known at run time, in this local.
    Bound(Ident),
    /// A constant expression.
    Constant(TokenStream),
    /// An invalid value, which was reported.
    Refused,
}

/// A given option.
pub(crate) struct Given<T> {
    pub(crate) key: Ident,
    pub(crate) value: Value<T>,
}

impl<T> Given<T> {
    pub(crate) fn new(key: &Ident, value: Value<T>) -> Self {
        Self { key: key.clone(), value }
    }

    /// Returns `true` if it could not be read, which was reported.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.value, Value::Refused)
    }

    /// Returns the literal value and its tokens.
    pub(crate) fn known(&self) -> Option<(&T, &TokenStream)> {
        match &self.value {
            Value::Known(value, at) => Some((value, at)),
            _ => None,
        }
    }
}

/// The purpose of a user expression, which decides how it is bound.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Duration,
    U32,
    Usize,
    Factor,
    Switch,
    Text,
    Config,
    Controller,
    Subscriber,
    Spec,
    Specs,
}

/// A user expression that is evaluated once into a generated local.
pub(crate) struct Binding {
    pub(crate) local: Ident,
    pub(crate) purpose: Purpose,
    pub(crate) expr: Expr,
    /// The `#[cfg(..)]` of its entry.
    pub(crate) cfgs: Vec<syn::Attribute>,
}

/// Reads values, and collects errors and bindings.
#[derive(Default)]
pub(crate) struct Reader {
    pub(crate) errors: Errors,
    pub(crate) bindings: Vec<Binding>,
    /// `true` if the list could not be parsed completely: `Expr::Verbatim` is the unread part.
    pub(crate) recovered: bool,
    /// The `#[cfg(..)]` of the current entry and of the groups around it.
    pub(crate) cfgs: Vec<syn::Attribute>,
}

impl Reader {
    /// Returns `true` if the parser has already reported this piece.
    pub(crate) fn is_unread(&self, expr: &Expr) -> bool {
        self.recovered && matches!(expr, Expr::Verbatim(_))
    }

    /// Returns `true` if the parser has already reported this piece, or a part of it.
    pub(crate) fn is_unreadable(&self, expr: &Expr) -> bool {
        self.recovered && syn::parse2::<Expr>(expr.to_token_stream()).is_err()
    }

    /// Returns the elements of a list in brackets.
    pub(crate) fn elements<'a>(&mut self, key: &Ident, value: &'a Expr) -> impl Iterator<Item = &'a Expr> + use<'a> {
        const EMPTY: &List = &List::new();
        let elements = match peel(value) {
            Expr::Array(array) => &array.elems,
            _ if self.is_unreadable(value) => EMPTY,
            _ => {
                let element = as_ident(value).map_or_else(|| "..".to_owned(), |name| name.to_string());
                self.errors.push(value, format!("`{key}` is a list: write `{key} = [{element}]`"));
                EMPTY
            }
        };
        elements.iter()
    }

    /// Binds the expression to a local, in the written order.
    pub(crate) fn bind(&mut self, purpose: Purpose, expr: &Expr) -> Ident {
        // Located at the user expression, so that a type error is reported there.
        let span = hygienic(expr.span());
        let local = format_ident!("value{}", self.bindings.len(), span = span);
        self.bindings.push(Binding { local: local.clone(), purpose, expr: expr.clone(), cfgs: self.cfgs.clone() });
        local
    }

    pub(crate) fn duration(&mut self, key: &Ident, expr: &Expr) -> Value<Duration> {
        let read = |literal: &Lit| match literal {
            Lit::Str(text) => duration::parse(&text.value()),
            Lit::Int(number) => Err(unquoted_duration(key, number.base10_digits(), number.suffix())),
            Lit::Float(number) => Err(unquoted_duration(key, number.base10_digits(), number.suffix())),
            _ => Err(format!("`{key}` is a duration: write for example `{key} = \"10s\"`")),
        };
        let negative = |_: &Lit| Err(format!("`{key}` is a duration, and cannot be negative"));
        self.value(Purpose::Duration, expr, read, negative)
    }

    pub(crate) fn u32(&mut self, key: &Ident, expr: &Expr) -> Value<u32> {
        let read = |literal: &Lit| whole(key, literal, "u32", &u32::MAX);
        let negative = |_: &Lit| Err(format!("`{key}` cannot be negative"));
        self.value(Purpose::U32, expr, read, negative)
    }

    pub(crate) fn usize(&mut self, key: &Ident, expr: &Expr) -> Value<usize> {
        let read = |literal: &Lit| whole(key, literal, "usize", &usize::MAX);
        let negative = |_: &Lit| Err(format!("`{key}` cannot be negative"));
        self.value(Purpose::Usize, expr, read, negative)
    }

    pub(crate) fn factor(&mut self, key: &Ident, expr: &Expr) -> Value<f64> {
        let read = |literal: &Lit| real(key, literal);
        let negative = |literal: &Lit| real(key, literal).map(|number| -number);
        self.value(Purpose::Factor, expr, read, negative)
    }

    pub(crate) fn switch(&mut self, key: &Ident, expr: &Expr) -> Value<bool> {
        let wrong = |_: &Lit| Err(format!("`{key}` is `true` or `false`"));
        let read = |literal: &Lit| match literal {
            Lit::Bool(switch) => Ok(switch.value),
            other => wrong(other),
        };
        self.value(Purpose::Switch, expr, read, wrong)
    }

    /// Reads a `bool` that must be known at compile time.
    pub(crate) fn flag(&mut self, key: &Ident, expr: &Expr) -> Value<bool> {
        if literal(expr).is_some() || self.is_unreadable(expr) {
            return self.switch(key, expr);
        }
        self.errors.push(expr, format!("`{key}` is `true` or `false`, and no expression"));
        Value::Refused
    }

    pub(crate) fn text(&mut self, key: &Ident, expr: &Expr) -> Value<LitStr> {
        let wrong = |_: &Lit| Err(format!("`{key}` is a string: write `{key} = \"..\"`"));
        let read = |literal: &Lit| match literal {
            Lit::Str(text) => Ok(text.clone()),
            other => wrong(other),
        };
        self.value(Purpose::Text, expr, read, wrong)
    }

    /// Reads a string that must be known at compile time.
    pub(crate) fn constant_text(&mut self, key: &Ident, expr: &Expr) -> Value<LitStr> {
        match literal(expr) {
            None if !self.is_unreadable(expr) => Value::Constant(expr.to_token_stream()),
            _ => self.text(key, expr),
        }
    }

    /// Reads one of a few words, in quotes.
    pub(crate) fn word<W: Copy>(&mut self, key: &Ident, expr: &Expr, words: &[(&str, W)]) -> Value<W> {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        match self.place_of_word(key, expr, &known).and_then(|place| words.get(place)) {
            Some((_, word)) => Value::Known(*word, expr.to_token_stream()),
            None => Value::Refused,
        }
    }

    /// Returns the given word.
    fn place_of_word(&mut self, key: &Ident, expr: &Expr, known: &[&str]) -> Option<usize> {
        if self.is_unreadable(expr) {
            return None;
        }
        let closest = |written: &str| suggest::closest(written, known.iter().copied());
        let expected = || suggest::list(known.iter().copied(), '"');
        let message = match peel(expr) {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => {
                    let text = text.value();
                    if let Some(place) = known.iter().position(|word| *word == text) {
                        return Some(place);
                    }
                    match closest(&text) {
                        Some(meant) => {
                            format!("unknown `{key}` \"{text}\", did you mean \"{meant}\"?")
                        }
                        None => format!("unknown `{key}` \"{text}\", expected {}", expected()),
                    }
                }
                _ => format!("`{key}` is {}", expected()),
            },
            Expr::Path(path) => {
                let last = path.path.segments.last();
                let written = last.map(|segment| segment.ident.to_string()).unwrap_or_default();
                match closest(&written) {
                    Some(meant) => format!("`{key}` is a word in quotes: write `{key} = \"{meant}\"`"),
                    None => format!("`{key}` is {}, in quotes", expected()),
                }
            }
            _ => format!("`{key}` is {}, in quotes", expected()),
        };
        self.errors.push(expr, message);
        None
    }

    /// Reads a literal, or `-literal` by `negative`; any other expression is bound.
    fn value<T>(
        &mut self,
        purpose: Purpose,
        expr: &Expr,
        read: impl Fn(&Lit) -> Result<T, String>,
        negative: impl Fn(&Lit) -> Result<T, String>,
    ) -> Value<T> {
        if self.is_unreadable(expr) {
            return Value::Refused;
        }
        let result = match literal(expr) {
            Some(Literal::Plain(literal)) => read(literal),
            Some(Literal::Negative(literal)) => negative(literal),
            None => return Value::Bound(self.bind(purpose, expr)),
        };
        match result {
            Ok(value) => Value::Known(value, expr.to_token_stream()),
            Err(message) => {
                self.errors.push(expr, message);
                Value::Refused
            }
        }
    }
}

/// Returns a literal, with or without a minus sign.
enum Literal<'a> {
    Plain(&'a Lit),
    Negative(&'a Lit),
}

fn literal(expr: &Expr) -> Option<Literal<'_>> {
    match peel(expr) {
        Expr::Lit(literal) => Some(Literal::Plain(&literal.lit)),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => match peel(&unary.expr) {
            Expr::Lit(literal) => Some(Literal::Negative(&literal.lit)),
            _ => None,
        },
        _ => None,
    }
}

fn unquoted_duration(key: &Ident, digits: &str, suffix: &str) -> String {
    if suffix.is_empty() {
        format!("`{key}` is a duration with a unit, in quotes: `{key} = \"{digits}s\"` for seconds")
    } else {
        format!("a duration stands in quotes: `{key} = \"{digits}{suffix}\"`")
    }
}

fn whole<N>(key: &Ident, literal: &Lit, ty: &str, max: &N) -> Result<N, String>
where
    N: FromStr<Err: Display> + Display,
{
    match literal {
        Lit::Int(number) if number.suffix().is_empty() || number.suffix() == ty => number
            .base10_parse::<N>()
            .map_err(|_| format!("`{key}` is at most {max}, and {} is more", number.base10_digits())),
        Lit::Int(number) => Err(format!("`{key}` is a `{ty}`, not a `{}`", number.suffix())),
        Lit::Str(text) if text.value().parse::<N>().is_ok() => {
            Err(format!("`{key}` is a number, without quotes: `{key} = {}`", text.value()))
        }
        _ => Err(format!("`{key}` is a whole number: write for example `{key} = 5`")),
    }
}

fn real(key: &Ident, literal: &Lit) -> Result<f64, String> {
    let (number, suffix) = match literal {
        Lit::Float(number) => (number.base10_parse::<f64>(), number.suffix()),
        Lit::Int(number) => (number.base10_parse::<f64>(), number.suffix()),
        _ => return Err(format!("`{key}` is a number: write for example `{key} = 2.0`")),
    };
    match number {
        Ok(number) if !number.is_finite() => Err(format!("`{key}` must be finite")),
        Ok(number) if suffix.is_empty() || suffix == "f64" => Ok(number),
        _ => Err(format!("`{key}` is an `f64`: write for example `{key} = 2.0`")),
    }
}
