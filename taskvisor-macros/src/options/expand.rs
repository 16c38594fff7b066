//! Expands options to calls of the public setters, and to fields of the public config.

use std::time::Duration;

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, format_ident, quote};

use super::held::Held;
use super::singleton::{self, Lease};
use super::table::{Row, Use};
use super::{Backoff, Choice, Jitter, Options, Restart};
use crate::reader::{Given, Value};

impl Options {
    /// Returns `spec.with_restart(..).with_timeout(..)`: a call for each given option of a task.
    pub(crate) fn of_task(&self, spec: TokenStream, private: &TokenStream) -> TokenStream {
        self.calls(spec, |row| row.task, private)
    }

    /// Returns `group.with_restart(..).not_critical()`: a call for each given option of a group.
    pub(crate) fn of_group(&self, group: TokenStream, private: &TokenStream) -> TokenStream {
        self.calls(group, |row| row.group, private)
    }

    fn calls(&self, of_what: TokenStream, of: impl Fn(&Row) -> Use, private: &TokenStream) -> TokenStream {
        let mut calls = of_what;
        let mut switches = TokenStream::new();
        let mut call = |setter: &str, value: Option<TokenStream>| {
            let setter = format_ident!("{setter}");
            calls.extend(value.map(|value| quote!(.#setter(#value))));
        };
        call("with_restart", self.restart_policy(private));
        if let Some(backoff) = &self.backoff {
            call("with_backoff", Some(backoff.policy(private)));
            call("with_reset_after", backoff.reset_after.lower(private));
        }
        call("with_named_limit", plain(self.limit.named.as_ref()));
        call("with_limit", self.limit.sliding.as_ref().and_then(|limit| limit.arguments(private)));
        let singleton = self.singleton.as_ref().filter(|_| singleton::ENABLED).map(|given| &given.value);
        match singleton {
            Some(Value::Known(Lease::None, _)) => call("without_singleton", Some(TokenStream::new())),
            Some(Value::Known(Lease::OfPath, _)) => call("with_singleton", Some(TokenStream::new())),
            Some(Value::Known(Lease::OfKey(key), _)) => call("with_singleton_key", Some(key.to_token_stream())),
            Some(Value::Bound(_) | Value::Constant(_) | Value::Refused) | None => {}
        }
        for (row, held) in self.rows() {
            match of(row) {
                Use::Set(setter) | Use::OfEntry(setter) => call(setter, held.lower(private)),
                Use::Either(set, unset) => match held.flag() {
                    Some(Value::Known(true, _)) => call(set, Some(TokenStream::new())),
                    Some(Value::Known(false, _)) => call(unset, Some(TokenStream::new())),
                    Some(Value::Bound(local)) => {
                        let (set, unset) = (format_ident!("{set}"), format_ident!("{unset}"));
                        switches.extend(quote!(let set = if #local { set.#set() } else { set.#unset() };));
                    }
                    Some(Value::Constant(_) | Value::Refused) | None => {}
                },
                Use::Choice(set, unset, word) => match held.choice() {
                    Some(Value::Known(Choice::On, _)) => call(set, Some(TokenStream::new())),
                    Some(Value::Known(Choice::Off, _)) => call(unset, Some(TokenStream::new())),
                    Some(Value::Known(Choice::Word, _)) => call(word, Some(TokenStream::new())),
                    Some(Value::Bound(local)) => {
                        let (set, unset) = (format_ident!("{set}"), format_ident!("{unset}"));
                        switches.extend(quote!(let set = if #local { set.#set() } else { set.#unset() };));
                    }
                    Some(Value::Constant(_) | Value::Refused) | None => {}
                },
                Use::No | Use::Own | Use::OfFunction | Use::Field | Use::SomeField => {}
            }
        }
        let calls = if switches.is_empty() { calls } else { quote!({ let set = #calls; #switches set }) };
        match singleton {
            // In the end, as each option of a singleton makes it one.
            Some(Value::Bound(lease)) => quote!(#private::with_singleton(#calls, #lease)),
            _ => calls,
        }
    }

    /// Returns `config.restart = ..;`: an assignment for each given default.
    pub(crate) fn assignments(&self, config: &impl ToTokens, private: &TokenStream) -> TokenStream {
        let mut assignments = TokenStream::new();
        let mut assign = |field: &str, value: Option<TokenStream>| {
            let field = format_ident!("{field}");
            assignments.extend(value.map(|value| quote!(#config.#field = #value;)));
        };
        let some = |value: Option<TokenStream>| value.map(|value| quote!(#private::Option::Some(#value)));
        assign("restart", self.restart_policy(private));
        if let Some(backoff) = &self.backoff {
            assign("backoff", Some(backoff.policy(private)));
            assign("reset_after", some(backoff.reset_after.lower(private)));
        }
        for (row, held) in self.rows() {
            match row.defaults {
                Use::Field => assign(row.name, held.lower(private)),
                Use::SomeField => assign(row.name, some(held.lower(private))),
                Use::No
                | Use::Own
                | Use::OfFunction
                | Use::OfEntry(_)
                | Use::Set(_)
                | Use::Either(..)
                | Use::Choice(..) => {}
            }
        }
        assignments
    }

    /// Returns a line of Markdown for each given option, for the docs of the generated items.
    pub(crate) fn describe(&self) -> String {
        let lines: Vec<String> = self.rows().flat_map(|(row, held)| held.describe(row.name)).collect();
        if lines.is_empty() {
            return "How it is supervised is inherited from the supervisor.".to_owned();
        }
        format!("How it is supervised (the rest is inherited from the supervisor):\n\n{}", lines.join("\n"))
    }

    fn restart_policy(&self, private: &TokenStream) -> Option<TokenStream> {
        lower(self.restart.as_ref(), |restart| match restart {
            Restart::Never => quote!(#private::RestartPolicy::Never),
            Restart::OnFailure => quote!(#private::RestartPolicy::OnFailure),
            Restart::Always => {
                let interval = duration(self.interval.as_ref(), private);
                interval.map_or_else(
                    || quote!(#private::RestartPolicy::Always { interval: #private::Option::None }),
                    |interval| quote!(#private::always(#interval)),
                )
            }
        })
    }
}

impl Backoff {
    fn policy(&self, private: &TokenStream) -> TokenStream {
        if let Some(policy) = &self.policy {
            return policy.to_token_stream();
        }
        let jitter = lower(self.jitter.as_ref(), |jitter| match jitter {
            Jitter::None => quote!(#private::JitterPolicy::None),
            Jitter::Full => quote!(#private::JitterPolicy::Full),
            Jitter::Equal => quote!(#private::JitterPolicy::Equal),
            Jitter::Decorrelated => quote!(#private::JitterPolicy::Decorrelated),
        });
        let fields = [
            (quote!(first), duration(self.first.as_ref(), private)),
            (quote!(max), duration(self.max.as_ref(), private)),
            (quote!(factor), plain(self.factor.as_ref())),
            (quote!(jitter), jitter),
        ];
        let rest = fields
            .iter()
            .any(|(_, value)| value.is_none())
            .then(|| quote!(..<#private::BackoffPolicy as #private::Default>::default()));
        let given = fields.iter().filter_map(|(field, value)| value.as_ref().map(|value| quote!(#field: #value,)));
        quote!(#private::BackoffPolicy { #(#given)* #rest })
    }
}

/// Returns `true` if a flag is given and is not `false`.
pub(crate) fn is_set(flag: Option<&Given<bool>>) -> bool {
    matches!(flag.and_then(Given::known), Some((true, _)))
}

/// Returns the value of a flag that can be a word, if it is known.
pub(crate) fn chosen(flag: Option<&Given<Choice>>) -> Option<Choice> {
    flag.and_then(Given::known).map(|(choice, _)| *choice)
}

/// Returns the exact duration, or its local.
pub(crate) fn duration(given: Option<&Given<Duration>>, private: &TokenStream) -> Option<TokenStream> {
    lower(given, |duration| {
        let (seconds, nanos) = (Literal::u64_unsuffixed(duration.as_secs()), duration.subsec_nanos());
        match u64::try_from(duration.as_millis()).map(Literal::u64_unsuffixed) {
            _ if nanos == 0 => quote!(#private::Duration::from_secs(#seconds)),
            Ok(millis) if nanos % 1_000_000 == 0 => quote!(#private::Duration::from_millis(#millis)),
            _ => {
                let nanos = Literal::u32_unsuffixed(nanos);
                quote!(#private::Duration::new(#seconds, #nanos))
            }
        }
    })
}

/// Returns a literal value, or its local.
pub(crate) fn plain<T: ToTokens>(given: Option<&Given<T>>) -> Option<TokenStream> {
    lower(given, ToTokens::to_token_stream)
}

/// Returns the expression for a literal value, or the local.
pub(crate) fn lower<T>(given: Option<&Given<T>>, literal: impl Fn(&T) -> TokenStream) -> Option<TokenStream> {
    match &given?.value {
        Value::Known(value, _) => Some(literal(value)),
        Value::Bound(local) => Some(local.to_token_stream()),
        Value::Constant(expr) => Some(expr.to_token_stream()),
        Value::Refused => None,
    }
}
