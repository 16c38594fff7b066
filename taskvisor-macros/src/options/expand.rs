//! Options as calls of the public setters, and as fields of the public config.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};

use super::{Backoff, Jitter, Options, Ready, Restart};
use crate::reader::{Given, Value};

impl Options {
    /// `.with_restart(..).with_timeout(..)`: a call for each option that a task is given.
    pub(crate) fn of_task(&self, private: &TokenStream) -> TokenStream {
        let mut calls = self.of_child(private);
        let mut call = |setter: TokenStream, value: Option<TokenStream>| {
            calls.extend(value.map(|value| quote!(.#setter(#value))));
        };
        call(quote!(with_every), duration(self.every.as_ref(), private));
        call(quote!(with_initial_delay), duration(self.initial_delay.as_ref(), private));
        call(quote!(with_timeout), duration(self.timeout.as_ref(), private));
        call(quote!(with_stop_timeout), duration(self.stop_timeout.as_ref(), private));
        call(quote!(with_cleanup), duration(self.cleanup.as_ref(), private));
        call(quote!(with_start_timeout), duration(self.start_timeout.as_ref(), private));
        call(quote!(with_watchdog), duration(self.watchdog.as_ref(), private));
        call(quote!(with_ready), self.ready_when(private));
        call(quote!(with_metric_label), plain(self.metric_label.as_ref()));
        calls.extend(flag(self.final_attempt.as_ref(), "with_final_attempt", "without_final_attempt"));
        calls
    }

    /// `.with_restart(..).not_critical()`: a call for each option that a task and a group both have.
    pub(crate) fn of_child(&self, private: &TokenStream) -> TokenStream {
        let mut calls = TokenStream::new();
        let mut call = |setter: TokenStream, value: Option<TokenStream>| {
            calls.extend(value.map(|value| quote!(.#setter(#value))));
        };
        call(quote!(with_restart), self.restart_policy(private));
        call(quote!(with_max_retries), plain(self.max_retries.as_ref()));
        if let Some(backoff) = &self.backoff {
            call(quote!(with_backoff), Some(backoff.policy(private)));
            call(quote!(with_reset_after), duration(backoff.reset_after.as_ref(), private));
        }
        calls.extend(flag(self.critical.as_ref(), "critical", "not_critical"));
        calls.extend(flag(self.significant.as_ref(), "significant", "not_significant"));
        calls.extend(flag(self.readiness.as_ref(), "with_readiness", "without_readiness"));
        calls
    }

    /// `config.restart = ..;`: an assignment for each default that is given.
    pub(crate) fn assignments(&self, config: &impl ToTokens, private: &TokenStream) -> TokenStream {
        let mut assignments = TokenStream::new();
        let mut assign = |field: TokenStream, value: Option<TokenStream>| {
            assignments.extend(value.map(|value| quote!(#config.#field = #value;)));
        };
        let some = |value: Option<TokenStream>| value.map(|value| quote!(#private::Option::Some(#value)));
        assign(quote!(restart), self.restart_policy(private));
        assign(quote!(timeout), duration(self.timeout.as_ref(), private));
        assign(quote!(stop_timeout), some(duration(self.stop_timeout.as_ref(), private)));
        assign(quote!(cleanup), some(duration(self.cleanup.as_ref(), private)));
        assign(quote!(start_timeout), duration(self.start_timeout.as_ref(), private));
        assign(quote!(max_retries), some(plain(self.max_retries.as_ref())));
        if let Some(backoff) = &self.backoff {
            assign(quote!(backoff), Some(backoff.policy(private)));
            assign(quote!(reset_after), some(duration(backoff.reset_after.as_ref(), private)));
        }
        assignments
    }

    fn ready_when(&self, private: &TokenStream) -> Option<TokenStream> {
        let (ready, _) = self.ready.as_ref()?.known()?;
        Some(match ready {
            Ready::Start => quote!(#private::Ready::Start),
            Ready::Signal => quote!(#private::Ready::Signal),
            Ready::Completed => quote!(#private::Ready::Completed),
        })
    }

    fn restart_policy(&self, private: &TokenStream) -> Option<TokenStream> {
        let (restart, _) = self.restart.as_ref()?.known()?;
        Some(match restart {
            Restart::Never => quote!(#private::RestartPolicy::Never),
            Restart::OnFailure => quote!(#private::RestartPolicy::OnFailure),
            Restart::Always => {
                let interval = duration(self.interval.as_ref(), private).map_or_else(
                    || quote!(#private::Option::None),
                    |interval| quote!(#private::Option::Some(#interval)),
                );
                quote!(#private::RestartPolicy::Always { interval: #interval })
            }
        })
    }
}

impl Backoff {
    fn policy(&self, private: &TokenStream) -> TokenStream {
        let jitter = self.jitter.as_ref().and_then(Given::known).map(|(jitter, _)| {
            let variant = match jitter {
                Jitter::None => quote!(None),
                Jitter::Full => quote!(Full),
                Jitter::Equal => quote!(Equal),
                Jitter::Decorrelated => quote!(Decorrelated),
            };
            quote!(#private::JitterPolicy::#variant)
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

/// Whether a flag is given, and not as `false`.
pub(crate) fn is_set(flag: Option<&Given<bool>>) -> bool {
    matches!(flag.and_then(Given::known), Some((true, _)))
}

/// The call that sets a flag, or the one that takes it back.
fn flag(given: Option<&Given<bool>>, set: &str, unset: &str) -> Option<TokenStream> {
    let (is_set, _) = given?.known()?;
    let setter = format_ident!("{}", if *is_set { set } else { unset });
    Some(quote!(.#setter()))
}

/// The duration as exact seconds and nanoseconds, or the local that holds it.
pub(crate) fn duration(given: Option<&Given<Duration>>, private: &TokenStream) -> Option<TokenStream> {
    lower(given, |duration| {
        let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
        quote!(#private::Duration::new(#seconds, #nanos))
    })
}

/// A value that stands for itself.
pub(crate) fn plain<T: ToTokens>(given: Option<&Given<T>>) -> Option<TokenStream> {
    lower(given, ToTokens::to_token_stream)
}

fn lower<T>(given: Option<&Given<T>>, literal: impl Fn(&T) -> TokenStream) -> Option<TokenStream> {
    match &given?.value {
        Value::Known(value, _) => Some(literal(value)),
        Value::Bound(local) => Some(local.to_token_stream()),
        Value::Constant(expr) => Some(expr.to_token_stream()),
        Value::Refused => None,
    }
}
