//! The state of reading one invocation: its errors, and the user's expressions in the written order.

mod literal;
mod shape;

use std::borrow::Cow;
use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit, LitStr, Path};

use self::literal::{
    Literal, computed, dashed, is_never_zero, is_told, literal, never_zero, no_duration, not_a_list, real,
    unquoted_duration, whole, word_with_list,
};
pub(crate) use self::shape::{elements, is_no_value};
use self::shape::{first_text, instead_of_option, no_value};
use crate::argument::{as_ident, peel};
use crate::echo::Echo;
use crate::errors::Errors;
use crate::options::Choice;
use crate::path::hygienic;
use crate::{duration, suggest, synonyms, unlisted};

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

impl<T> Value<T> {
    /// Converts a literal by `read`, which gets its tokens and reports an error as `None`.
    pub(crate) fn and_then<U>(self, read: impl FnOnce(T, &TokenStream) -> Option<U>) -> Value<U> {
        match self {
            Self::Known(value, at) => match read(value, &at) {
                Some(value) => Value::Known(value, at),
                None => Value::Refused,
            },
            Self::Bound(local) => Value::Bound(local),
            Self::Constant(expr) => Value::Constant(expr),
            Self::Refused => Value::Refused,
        }
    }
}

/// A given option.
pub(crate) struct Given<T> {
    pub(crate) key: Ident,
    pub(crate) value: Value<T>,
    /// The `#[cfg(..)]` of the key, which only those of `supervise!` can have.
    pub(crate) cfgs: Vec<syn::Attribute>,
}

impl<T> Given<T> {
    pub(crate) fn new(key: &Ident, value: Value<T>) -> Self {
        Self { key: key.clone(), value, cfgs: Vec::new() }
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
    Restart,
    Ready,
    SpanScope,
    Missed,
    LastRun,
    Fleet,
    Lease,
    Standby,
    Overrun,
    Ticks,
    Jitter,
    Backoff,
    Strategy,
    Admission,
    Signals,
    SignalAction,
    Config,
    Controller,
    Overrides,
    Subscriber,
    Spec,
    Specs,
    Group,
    Subscribers,
    Dynamic,
    Maker,
}

/// A user expression that is evaluated once into a generated local.
pub(crate) struct Binding {
    pub(crate) local: Ident,
    pub(crate) purpose: Purpose,
    pub(crate) expr: Expr,
    /// The `#[cfg(..)]` of its entry.
    pub(crate) cfgs: Vec<syn::Attribute>,
    /// The key that it is the value of, if it is in a list of keys.
    pub(crate) key: Option<Ident>,
}

/// The words of an option, the name of the module with their docs, and that of their list among the synonyms.
pub(crate) struct Words<W: 'static> {
    pub(crate) module: &'static str,
    pub(crate) list: &'static [&'static str],
    pub(crate) known: &'static [(&'static str, W)],
    /// `true` if the option is a flag as well.
    pub(crate) is_flag: bool,
}

impl<W> Words<W> {
    fn names(&self) -> impl Iterator<Item = &'static str> + Clone + use<'_, W> {
        self.known.iter().map(|(word, _)| *word)
    }

    /// Returns the valid values, for messages.
    fn expected(&self) -> String {
        let words = suggest::list(self.names(), '"');
        if self.is_flag { format!("`true`, `false` or {words}") } else { words }
    }
}

/// Reads values, and collects errors and bindings.
#[derive(Default)]
pub(crate) struct Reader {
    pub(crate) errors: Errors,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) echo: Echo,
    /// The path of taskvisor, if it is given.
    pub(crate) krate: Option<Path>,
    /// `true` if the list could not be parsed completely: `Expr::Verbatim` is the unread part.
    pub(crate) recovered: bool,
    /// `true` in a list that was refused, whose elements may be meant in another way.
    pub(crate) is_guess: bool,
    /// The `#[cfg(..)]` of the current entry and of the groups around it.
    pub(crate) cfgs: Vec<syn::Attribute>,
    /// The current key.
    pub(crate) key: Option<Ident>,
    /// The `#[cfg(..)]` of the current key, which its elements or its statement need.
    pub(crate) key_cfgs: Vec<syn::Attribute>,
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

    /// Returns the elements of a list in brackets. Those of another list are there as well, which is reported.
    pub(crate) fn elements<'a>(&mut self, key: &Ident, value: &'a Expr) -> Vec<Cow<'a, Expr>> {
        match peel(value) {
            Expr::Array(array) => array.elems.iter().map(Cow::Borrowed).collect(),
            _ if self.is_unreadable(value) => Vec::new(),
            _ => {
                self.errors.push(value, not_a_list(key, value));
                unlisted::elements(value).into_iter().map(Cow::Owned).collect()
            }
        }
    }

    /// Binds the expression to a local, in the written order.
    pub(crate) fn bind(&mut self, purpose: Purpose, expr: &Expr) -> Ident {
        // Located at the user expression, so that a type error is reported there.
        let span = hygienic(expr.span());
        let local = format_ident!("value{}", self.bindings.len(), span = span);
        let (cfgs, key) = (self.cfgs.clone(), self.key.clone());
        self.bindings.push(Binding { local: local.clone(), purpose, expr: expr.clone(), cfgs, key });
        local
    }

    pub(crate) fn duration(&mut self, key: &Ident, expr: &Expr) -> Value<Duration> {
        let read = |literal: &Lit| match literal {
            Lit::Int(number) if is_never_zero(key, number.base10_digits()) => Err(never_zero(key)),
            Lit::Float(number) if is_never_zero(key, number.base10_digits()) => Err(never_zero(key)),
            Lit::Str(text) => duration::parse(&text.value()).map_err(|error| no_duration(key, &text.value(), error)),
            Lit::Int(number) => Err(unquoted_duration(key, number.base10_digits(), number.suffix())),
            Lit::Float(number) => {
                // A duration has no exponent.
                let digits = number.base10_parse::<f64>().map_or_else(|_| "10".to_owned(), |number| number.to_string());
                Err(unquoted_duration(key, &digits, number.suffix()))
            }
            _ => Err(format!("`{key}` is a duration: write for example `{key} = \"10s\"`")),
        };
        let negative = |_: &Lit| Err(format!("`{key}` is a duration, and cannot be negative"));
        if let Some(number) = computed(expr) {
            let message = format!("`{key}` is a duration with a unit, in quotes: `{key} = \"{number}s\"` for seconds");
            self.errors.push(expr, message);
            return Value::Refused;
        }
        self.value(key, Purpose::Duration, expr, read, negative)
    }

    /// Reads a duration that can also be `None`, which is zero.
    pub(crate) fn timeout(&mut self, key: &Ident, expr: &Expr) -> Value<Duration> {
        match as_ident(expr) {
            Some(none) if none == "None" => Value::Constant(quote!(::core::time::Duration::ZERO)),
            _ => self.duration(key, expr),
        }
    }

    pub(crate) fn u32(&mut self, key: &Ident, expr: &Expr) -> Value<u32> {
        let read = |literal: &Lit| whole(key, literal, "u32", &u32::MAX);
        let negative = |_: &Lit| Err(format!("`{key}` cannot be negative"));
        self.value(key, Purpose::U32, expr, read, negative)
    }

    pub(crate) fn usize(&mut self, key: &Ident, expr: &Expr) -> Value<usize> {
        let read = |literal: &Lit| whole(key, literal, "usize", &usize::MAX);
        let negative = |_: &Lit| Err(format!("`{key}` cannot be negative"));
        self.value(key, Purpose::Usize, expr, read, negative)
    }

    pub(crate) fn factor(&mut self, key: &Ident, expr: &Expr) -> Value<f64> {
        let read = |literal: &Lit| real(key, literal);
        let negative = |literal: &Lit| real(key, literal).map(|number| -number);
        self.value(key, Purpose::Factor, expr, read, negative)
    }

    pub(crate) fn switch(&mut self, key: &Ident, expr: &Expr) -> Value<bool> {
        let wrong = |_: &Lit| Err(format!("`{key}` is `true` or `false`"));
        let read = |literal: &Lit| match literal {
            Lit::Bool(switch) => Ok(switch.value),
            other => wrong(other),
        };
        self.value(key, Purpose::Switch, expr, read, wrong)
    }

    pub(crate) fn text(&mut self, key: &Ident, expr: &Expr) -> Value<LitStr> {
        self.text_like("..", key, expr)
    }

    /// Reads a string. The message for another literal has an example.
    pub(crate) fn text_like(&mut self, example: &str, key: &Ident, expr: &Expr) -> Value<LitStr> {
        let first = first_text(expr);
        let example = first.as_deref().unwrap_or(example);
        let wrong = |_: &Lit| Err(format!("`{key}` is a string: write `{key} = {example:?}`"));
        let read = |literal: &Lit| match literal {
            Lit::Str(text) => Ok(text.clone()),
            other => wrong(other),
        };
        self.value(key, Purpose::Text, expr, read, wrong)
    }

    /// Reads a string that must be known at compile time.
    pub(crate) fn constant_text(&mut self, key: &Ident, expr: &Expr) -> Value<LitStr> {
        match literal(expr) {
            None if !self.is_unreadable(expr)
                && !is_no_value(expr)
                && instead_of_option(key, expr, Purpose::Text).is_none() =>
            {
                Value::Constant(expr.to_token_stream())
            }
            _ => self.text(key, expr),
        }
    }

    /// Reads one of a few words, bare or in quotes. Any other expression is a value of the type, and is bound.
    pub(crate) fn word<W: Copy>(&mut self, key: &Ident, expr: &Expr, words: &Words<W>, purpose: Purpose) -> Value<W> {
        if self.is_unreadable(expr) {
            return Value::Refused;
        }
        let (written, is_quoted) = match peel(expr) {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => (text.value(), true),
            Expr::Lit(literal) if is_told(&literal.lit) => return Value::Refused,
            value if matches!(value, Expr::Lit(_)) || is_no_value(value) => {
                self.errors.push(expr, format!("`{key}` is {}", words.expected()));
                return Value::Refused;
            }
            path => match (as_ident(path), word_with_list(key, expr, words).or_else(|| dashed(key, path, words))) {
                (Some(word), _) => (word.unraw().to_string(), false),
                (None, Some(message)) => {
                    self.errors.push(expr, message);
                    return Value::Refused;
                }
                (None, None) => return Value::Bound(self.bind(purpose, expr)),
            },
        };
        let known_word = words.known.iter().find(|(word, _)| *word == written);
        if let Some(word) = as_ident(expr) {
            self.echo.push(words.module, &word, known_word.is_some());
        }
        if let Some((name, word)) = known_word {
            if is_quoted {
                self.echo.push(words.module, &Ident::new(name, expr.span()), true);
            }
            return Value::Known(*word, expr.to_token_stream());
        }
        let quote = if is_quoted { '"' } else { '`' };
        let unknown = format!("unknown `{key}` {quote}{written}{quote}");
        let message = if let Some(ours) = synonyms::ours(words.list, &written).next() {
            format!("{unknown}: write {quote}{ours}{quote}")
        } else if let Some(meant) = suggest::closest(&written, words.names()) {
            format!("{unknown}, did you mean {quote}{meant}{quote}?")
        } else if is_quoted {
            format!("{unknown}, expected {}", words.expected())
        } else {
            // The name of a value.
            return Value::Bound(self.bind(purpose, expr));
        };
        self.errors.push(expr, message);
        Value::Refused
    }

    /// Reads `true`, `false`, or a word of a flag. Any other expression is a `bool`, and is bound.
    pub(crate) fn choice(&mut self, key: &Ident, expr: &Expr, words: &Words<Choice>) -> Value<Choice> {
        match peel(expr) {
            Expr::Lit(ExprLit { lit: Lit::Bool(flag), .. }) => {
                Value::Known(if flag.value { Choice::On } else { Choice::Off }, expr.to_token_stream())
            }
            _ => self.word(key, expr, words, Purpose::Switch),
        }
    }

    /// Reads a literal, or `-literal` by `negative`; any other expression is bound.
    fn value<T>(
        &mut self,
        key: &Ident,
        purpose: Purpose,
        expr: &Expr,
        read: impl Fn(&Lit) -> Result<T, String>,
        negative: impl Fn(&Lit) -> Result<T, String>,
    ) -> Value<T> {
        if self.is_unreadable(expr) {
            return Value::Refused;
        }
        let result = match literal(expr) {
            Some(Literal::Plain(literal)) if is_told(literal) => return Value::Refused,
            Some(Literal::Plain(literal)) => read(literal),
            Some(Literal::Negative(literal)) => negative(literal),
            None => match instead_of_option(key, expr, purpose) {
                Some(message) => Err(message),
                None if is_no_value(expr) => read(&no_value()),
                None => return Value::Bound(self.bind(purpose, expr)),
            },
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
