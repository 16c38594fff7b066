//! The kinds of option values: how each is read, expanded and shown in docs.

mod parse;

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Expr, ExprPath, LitStr};

pub(crate) use self::parse::has_fields;
use self::parse::{parse_function, parse_limit};
use super::expand::{duration, lower, plain};
use super::parse::BACKOFF_FIELDS;
use super::{Backoff, Choice, Jitter, Limit, Ready, Restart, SpanScope};
use crate::argument::{self, Form, as_ident, peel};
use crate::reader::{Given, Purpose, Reader, Value, Words, is_no_value};
use crate::{duration, path};

/// `key = ".."`, or an expression of type `Duration`.
pub(crate) type Time = Option<Given<Duration>>;

/// `key = 5`, or an expression of type `u32`.
pub(crate) type Number = Option<Given<u32>>;

/// `key = ".."`, or an expression.
pub(crate) type Text = Option<Given<LitStr>>;

/// `key`, `key = true` or `key = false`, known at compile time.
pub(crate) type Flag = Option<Given<bool>>;

/// `key`, `key = true`, `key = false`, or `key = "word"`.
pub(crate) type FlagOrWord = Option<Given<Choice>>;

/// The word of a restart policy.
pub(crate) type RestartWhen = Option<Given<Restart>>;

/// The word of a readiness condition.
pub(crate) type ReadyWhen = Option<Given<Ready>>;

/// The word of the scope of a span.
pub(crate) type SpanOf = Option<Given<SpanScope>>;

/// `key = name`, the name of a declared limit.
pub(crate) type NameOfLimit = Option<Given<LimitName>>;

/// The path of a function that decides whether a failure is retried.
pub(crate) type Failures = Option<Given<ExprPath>>;

/// `backoff(..)`.
pub(crate) type Retries = Option<Backoff>;

/// `limit = db`, and `limit(max_restarts = 5, within = "60s")`: one bounds the attempts that run at a time, the other
/// bounds the failures. A list can have both.
#[derive(Default)]
pub(crate) struct Limits {
    pub(crate) named: NameOfLimit,
    pub(crate) sliding: Option<Limit>,
}

/// The name of a limit.
pub(crate) struct LimitName(Ident);

impl LimitName {
    /// Returns the name as text.
    pub(crate) fn text(&self) -> String {
        self.0.unraw().to_string()
    }
}

/// Expands to the name as a string.
impl ToTokens for LimitName {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.text().to_tokens(tokens);
    }
}

/// The message for an argument of the wrong form.
pub(crate) type WrongForm = &'static str;

/// The value of an option.
pub(crate) trait Held {
    /// Reads the argument, and reports errors of its value.
    fn read(&mut self, key: &Ident, form: &Form<'_>, reader: &mut Reader) -> Result<(), WrongForm>;

    /// Returns the value as an expression, if it is given and is a single value. An option with code of its own for the
    /// expansion has none.
    fn lower(&self, _: &TokenStream) -> Option<TokenStream> {
        None
    }

    /// Returns the value of a flag, if it is given.
    fn flag(&self) -> Option<&Value<bool>> {
        None
    }

    /// Returns the value of a flag that can be a word, if it is given.
    fn choice(&self) -> Option<&Value<Choice>> {
        None
    }

    /// Returns lines of Markdown that describe the value.
    fn describe(&self, name: &str) -> Vec<String>;
}

/// Stores the result of `read` for `key = value`.
pub(super) fn keep<V>(
    slot: &mut Option<Given<V>>,
    key: &Ident,
    form: &Form<'_>,
    read: impl FnOnce(&Expr) -> Value<V>,
) -> Result<(), WrongForm> {
    let Form::Value(value) = form else { return Err("takes a value") };
    *slot = Some(Given::new(key, read(value)));
    Ok(())
}

impl Held for Time {
    fn read(&mut self, key: &Ident, form: &Form<'_>, reader: &mut Reader) -> Result<(), WrongForm> {
        // Of the durations, only a timeout can be none.
        let read = if key == "timeout" { Reader::timeout } else { Reader::duration };
        keep(self, key, form, |value| read(reader, key, value))
    }

    fn lower(&self, private: &TokenStream) -> Option<TokenStream> {
        duration(self.as_ref(), private)
    }

    fn describe(&self, name: &str) -> Vec<String> {
        line(name, self.as_ref(), |value| duration::display(*value))
    }
}

impl Held for Number {
    fn read(&mut self, key: &Ident, form: &Form<'_>, reader: &mut Reader) -> Result<(), WrongForm> {
        keep(self, key, form, |value| reader.u32(key, value))
    }

    fn lower(&self, _: &TokenStream) -> Option<TokenStream> {
        plain(self.as_ref())
    }

    fn describe(&self, name: &str) -> Vec<String> {
        line(name, self.as_ref(), u32::to_string)
    }
}

impl Held for Text {
    fn read(&mut self, key: &Ident, form: &Form<'_>, reader: &mut Reader) -> Result<(), WrongForm> {
        keep(self, key, form, |value| reader.text(key, value))
    }

    fn lower(&self, _: &TokenStream) -> Option<TokenStream> {
        plain(self.as_ref())
    }

    fn describe(&self, name: &str) -> Vec<String> {
        line(name, self.as_ref(), |text| format!("`{}`", text.value()))
    }
}

impl Held for Flag {
    fn read(&mut self, key: &Ident, form: &Form<'_>, reader: &mut Reader) -> Result<(), WrongForm> {
        let value = match form {
            Form::Word => Value::Known(true, key.to_token_stream()),
            Form::Value(value) => reader.switch(key, value),
            Form::List(_) => return Err("takes no list"),
        };
        *self = Some(Given::new(key, value));
        Ok(())
    }

    fn lower(&self, _: &TokenStream) -> Option<TokenStream> {
        plain(self.as_ref())
    }

    fn flag(&self) -> Option<&Value<bool>> {
        self.as_ref().map(|given| &given.value)
    }

    fn describe(&self, name: &str) -> Vec<String> {
        line(name, self.as_ref(), bool::to_string)
    }
}

impl Held for FlagOrWord {
    fn read(&mut self, key: &Ident, form: &Form<'_>, reader: &mut Reader) -> Result<(), WrongForm> {
        let value = match form {
            Form::Word => Value::Known(Choice::On, key.to_token_stream()),
            Form::Value(value) => reader.choice(key, value, Choice::words(&key.to_string())),
            Form::List(_) => return Err("takes no list"),
        };
        *self = Some(Given::new(key, value));
        Ok(())
    }

    fn choice(&self) -> Option<&Value<Choice>> {
        self.as_ref().map(|given| &given.value)
    }

    fn describe(&self, name: &str) -> Vec<String> {
        line(name, self.as_ref(), |choice| match choice {
            Choice::Off => "false".to_owned(),
            Choice::On => "true".to_owned(),
            Choice::Word => Choice::words(name).known.iter().map(|(word, _)| *word).collect(),
        })
    }
}

impl Held for RestartWhen {
    fn read(&mut self, key: &Ident, form: &Form<'_>, reader: &mut Reader) -> Result<(), WrongForm> {
        keep(self, key, form, |value| match peel(value) {
            Expr::Path(path) if path::text(path).ends_with("RestartPolicy::Always") => {
                let message = format!("`{}` has a field: write `{key} = \"always\"`", path::text(path));
                reader.errors.push(value, message);
                Value::Refused
            }
            _ => reader.word(key, value, &Restart::WORDS, Purpose::Restart),
        })
    }

    fn describe(&self, name: &str) -> Vec<String> {
        word(name, self.as_ref(), &Restart::WORDS)
    }
}

impl Held for ReadyWhen {
    fn read(&mut self, key: &Ident, form: &Form<'_>, reader: &mut Reader) -> Result<(), WrongForm> {
        keep(self, key, form, |value| reader.word(key, value, &Ready::WORDS, Purpose::Ready))
    }

    fn lower(&self, private: &TokenStream) -> Option<TokenStream> {
        lower(self.as_ref(), |ready| match ready {
            Ready::Start => quote!(#private::Ready::Start),
            Ready::Signal => quote!(#private::Ready::Signal),
            Ready::Completed => quote!(#private::Ready::Completed),
            Ready::FirstSuccess => quote!(#private::Ready::FirstSuccess),
        })
    }

    fn describe(&self, name: &str) -> Vec<String> {
        word(name, self.as_ref(), &Ready::WORDS)
    }
}

impl Held for SpanOf {
    fn read(&mut self, key: &Ident, form: &Form<'_>, reader: &mut Reader) -> Result<(), WrongForm> {
        keep(self, key, form, |value| reader.word(key, value, &SpanScope::WORDS, Purpose::SpanScope))
    }

    fn lower(&self, private: &TokenStream) -> Option<TokenStream> {
        lower(self.as_ref(), |span| match span {
            SpanScope::Attempt => quote!(#private::SpanScope::Attempt),
            SpanScope::None => quote!(#private::SpanScope::None),
        })
    }

    fn describe(&self, name: &str) -> Vec<String> {
        word(name, self.as_ref(), &SpanScope::WORDS)
    }
}

impl Held for Failures {
    fn read(&mut self, key: &Ident, form: &Form<'_>, reader: &mut Reader) -> Result<(), WrongForm> {
        keep(self, key, form, |value| parse_function(key, value, reader))
    }

    fn describe(&self, name: &str) -> Vec<String> {
        line(name, self.as_ref(), |function| format!("`{}`", path::text(function)))
    }
}

impl Held for NameOfLimit {
    fn read(&mut self, key: &Ident, form: &Form<'_>, reader: &mut Reader) -> Result<(), WrongForm> {
        keep(self, key, form, |value| parse_limit(key, value, reader))
    }

    fn describe(&self, name: &str) -> Vec<String> {
        line(name, self.as_ref(), |limit| format!("`{}`", limit.text()))
    }
}

impl Held for Retries {
    fn read(&mut self, key: &Ident, form: &Form<'_>, reader: &mut Reader) -> Result<(), WrongForm> {
        let mut backoff = Backoff::new(key);
        match form {
            Form::List(list) => BACKOFF_FIELDS.read(*list, &mut backoff, reader),
            Form::Value(value) if reader.is_unreadable(value) => {}
            Form::Value(value) => {
                let is_list = argument::form(value).is_some_and(|(_, form)| match form {
                    Form::List(list) => list.iter().any(|field| matches!(peel(field), Expr::Assign(_))),
                    _ => false,
                });
                if is_list || has_fields(value) || matches!(peel(value), Expr::Lit(_)) || is_no_value(value) {
                    return Err("takes a list");
                }
                backoff.policy = Some(reader.bind(Purpose::Backoff, value));
            }
            Form::Word => return Err("takes a list"),
        }
        *self = Some(backoff);
        Ok(())
    }

    fn describe(&self, name: &str) -> Vec<String> {
        let Some(backoff) = self else { return Vec::new() };
        if backoff.policy.is_some() {
            return vec![format!("- `{name}`: computed")];
        }
        let fields = [
            backoff.first.describe("first"),
            backoff.max.describe("max"),
            line("factor", backoff.factor.as_ref(), f64::to_string),
            word("jitter", backoff.jitter.as_ref(), &Jitter::WORDS),
            backoff.reset_after.describe("reset_after"),
        ];
        fields.concat().iter().map(|line| line.replacen("- `", &format!("- `{name}."), 1)).collect()
    }
}

impl Held for Limits {
    fn read(&mut self, key: &Ident, form: &Form<'_>, reader: &mut Reader) -> Result<(), WrongForm> {
        match form {
            Form::List(list) => {
                if let Some(name) = list.first().and_then(as_ident).filter(path::is_name) {
                    let message = format!(
                        "`{key}({name}, ..)` declares a limit: it stands in `limits = [..]` of `supervise!`, and here \
                         `{key} = {name}`"
                    );
                    reader.errors.push(&name, message);
                    return Ok(());
                }
                self.sliding = Some(Limit { key: Some(key.clone()), ..Limit::read(key, list, reader) });
                Ok(())
            }
            Form::Value(_) => self.named.read(key, form, reader),
            Form::Word => Err("takes the name of a limit, or a list"),
        }
    }

    fn describe(&self, name: &str) -> Vec<String> {
        let named = self.named.describe(name);
        let Some(limit) = &self.sliding else { return named };
        let fields = [
            named,
            line(&format!("{name}.max_restarts"), limit.max_restarts.as_ref(), u32::to_string),
            line(&format!("{name}.within"), limit.within.as_ref(), |value| duration::display(*value)),
        ];
        fields.concat()
    }
}

pub(super) fn word<W: Copy + PartialEq>(name: &str, given: Option<&Given<W>>, words: &Words<W>) -> Vec<String> {
    line(name, given, |value| {
        let written = words.known.iter().find(|(_, word)| word == value);
        written.map_or("", |(written, _)| written).to_owned()
    })
}

pub(super) fn line<T>(name: &str, given: Option<&Given<T>>, literal: impl Fn(&T) -> String) -> Vec<String> {
    let value = match given.map(|given| &given.value) {
        Some(Value::Known(value, _)) => literal(value),
        Some(Value::Bound(_) | Value::Constant(_)) => "computed".to_owned(),
        Some(Value::Refused) | None => return Vec::new(),
    };
    vec![format!("- `{name}`: {value}")]
}
