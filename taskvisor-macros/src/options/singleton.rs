//! `singleton`, `standby`, `overrun` and `ticks`: what runs once in a fleet.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{Expr, Lit, LitStr};

use super::check::key;
use super::expand::lower;
use super::held::{Held, WrongForm, keep, line, word};
use super::{Options, Place, Ready};
use crate::argument::{Form, peel};
use crate::duration;
use crate::errors::Errors;
use crate::reader::{Given, Purpose, Reader, Value, Words};

/// `true` if the feature `fleet` is on.
pub(crate) const ENABLED: bool = cfg!(feature = "fleet");

/// The keys that need the feature.
pub(super) const KEYS: [&str; 4] = ["singleton", "standby", "overrun", "ticks"];

/// The longest key of a lease, in bytes.
const LONGEST: usize = 512;

/// `key`, `key = true`, `key = false`, `key = ".."`, or an expression of a flag or a string.
pub(crate) type Singleton = Option<Given<Lease>>;

/// The lease of a task or group.
pub(crate) enum Lease {
    None,
    OfPath,
    OfKey(LitStr),
}

/// Generates the words of an option, whose values are variants of a type of the same name.
macro_rules! words {
    ($name:ident, $alias:ident: $module:literal $list:literal { $($word:literal: $variant:ident,)+ }) => {
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name {
            $($variant,)+
        }

        impl $name {
            const WORDS: Words<Self> = Words {
                module: $module,
                list: &[$list],
                known: &[$(($word, Self::$variant)),+],
                is_flag: false,
            };
        }

        pub(crate) type $alias = Option<Given<$name>>;

        impl Held for $alias {
            fn read(&mut self, key: &Ident, form: &Form<'_>, reader: &mut Reader) -> Result<(), WrongForm> {
                keep(self, key, form, |value| reader.word(key, value, &$name::WORDS, Purpose::$name))
            }

            fn lower(&self, private: &TokenStream) -> Option<TokenStream> {
                lower(self.as_ref(), |word| match word {
                    $($name::$variant => quote!(#private::$name::$variant),)+
                })
            }

            fn describe(&self, name: &str) -> Vec<String> {
                word(name, self.as_ref(), &$name::WORDS)
            }
        }
    };
}

words!(Standby, WhileStandby: "words_of_standby" "`standby`" { "ready": Ready, "not_ready": NotReady, });
words!(Overrun, OnOverrun: "words_of_overrun" "`overrun`" { "report": Report, "abort": Abort, });
words!(Ticks, TicksWhen: "words_of_ticks" "`ticks`" { "at_most_once": AtMostOnce, "at_least_once": AtLeastOnce, });

impl Held for Singleton {
    fn read(&mut self, key: &Ident, form: &Form<'_>, reader: &mut Reader) -> Result<(), WrongForm> {
        let value = match form {
            Form::Word => Value::Known(Lease::OfPath, key.to_token_stream()),
            Form::Value(value) => read_lease(key, value, reader),
            Form::List(_) => return Err("takes no list"),
        };
        *self = Some(Given::new(key, value));
        Ok(())
    }

    fn describe(&self, name: &str) -> Vec<String> {
        line(name, self.as_ref(), |lease| match lease {
            Lease::None => "false".to_owned(),
            Lease::OfPath => "true".to_owned(),
            Lease::OfKey(key) => format!("`{}`", key.value()),
        })
    }
}

/// Reads `true`, `false` or the key of a lease. Any other expression is a flag or a key, and is bound.
fn read_lease(key: &Ident, value: &Expr, reader: &mut Reader) -> Value<Lease> {
    if reader.is_unreadable(value) {
        return Value::Refused;
    }
    let message = match peel(value) {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Bool(flag) => {
                let lease = if flag.value { Lease::OfPath } else { Lease::None };
                return Value::Known(lease, value.to_token_stream());
            }
            Lit::Str(text) => match text.value() {
                empty if empty.is_empty() => {
                    format!("the key in `{key}` is empty: write `{key}` alone for the path of the task or group")
                }
                long if long.len() > LONGEST => format!("the key in `{key}` has {} bytes, of at most 512", long.len()),
                invalid if invalid.chars().any(char::is_control) => {
                    format!("the key in `{key}` has no line breaks and no other control characters in it")
                }
                _ => return Value::Known(Lease::OfKey(text.clone()), value.to_token_stream()),
            },
            _ => {
                format!("`{key}` stands alone, or is `true`, `false` or a key: write for example `{key} = \"ledger\"`")
            }
        },
        _ => return Value::Bound(reader.bind(Purpose::Lease, value)),
    };
    reader.errors.push(value, message);
    Value::Refused
}

impl Options {
    /// Returns the key of `singleton`, if its value is not `false`.
    pub(crate) fn singleton(&self) -> Option<&Ident> {
        let given = self.singleton.as_ref()?;
        let is_one = match &given.value {
            Value::Known(lease, _) => !matches!(lease, Lease::None),
            Value::Bound(_) | Value::Constant(_) => true,
            Value::Refused => false,
        };
        is_one.then_some(&given.key)
    }

    /// Returns `true` if it has ticks that all replicas share.
    pub(super) fn has_common_ticks(&self) -> bool {
        self.singleton().is_some() && self.every.is_some() && self.cron.is_none()
    }

    /// Returns `true` if the ticks of its `every` can be missed, because the store knows the last one.
    pub(super) fn can_miss_ticks(&self) -> bool {
        let is_none = matches!(self.singleton.as_ref().and_then(Given::known), Some((Lease::None, _)));
        self.singleton.is_some() && !is_none && self.every.is_some()
    }

    /// Returns the key of the first option that needs the feature.
    pub(crate) fn of_fleet(&self) -> Option<&Ident> {
        let [standby, overrun, ticks] = self.of_singleton();
        key(self.singleton.as_ref()).or(standby).or(overrun).or(ticks)
    }

    fn of_singleton(&self) -> [Option<&Ident>; 3] {
        [key(self.standby.as_ref()), key(self.overrun.as_ref()), key(self.ticks.as_ref())]
    }

    /// Reports what is wrong with a singleton, alone and beside the other options. `enabled` is `true` if the feature
    /// `fleet` is on.
    pub(crate) fn check_singleton(&self, place: Place, enabled: bool, errors: &mut Errors) {
        if !enabled {
            if let Some(key) = self.of_fleet() {
                errors.push(key, needs_feature(key));
            }
            return;
        }
        let known = self.singleton.as_ref().map(Given::known);
        for key in self.of_singleton().into_iter().flatten() {
            match known {
                Some(Some((Lease::None, _))) => {
                    errors.push(key, format!("`{key}` has no effect with `singleton = false`: leave it out"));
                }
                // An entry may have it in `#[task]`.
                None if self.is_whole(place) || (place == Place::Group && !self.is_partial) => {
                    errors.push(key, format!("`{key}` is about a singleton: write `singleton` beside it"));
                }
                _ => {}
            }
        }
        if let Some(ticks) = key(self.ticks.as_ref()) {
            if self.is_whole(place) && self.every.is_none() && self.cron.is_none() {
                errors.push(ticks, "`ticks` is about the runs of `every` or `cron`: write one beside it");
            }
        }
        if self.has_common_ticks() {
            self.check_common_ticks(errors);
        }
    }

    /// The replicas share the ticks of a singleton with `every`.
    fn check_common_ticks(&self, errors: &mut Errors) {
        if let Some((every, at)) = self.every.as_ref().and_then(Given::known) {
            if every.subsec_nanos() > 0 {
                let every = duration::display(*every);
                let message = format!(
                    "`every` of a singleton is in whole seconds, and this is {every}: its ticks are the multiples of \
                     the period by the clock of the store"
                );
                errors.push(at, message);
            }
        }
        if let Some(delay) = &self.initial_delay {
            let message = "`initial_delay` has no place beside `every` of a singleton, whose first run is the next \
                           tick: leave it out";
            errors.push(&delay.key, message);
        }
        match self.ready.as_ref().and_then(Given::known) {
            None | Some((Ready::Start, _)) => {}
            Some((_, at)) => {
                errors.push(at, "a singleton with `every` is ready while it waits for its tick: leave out `ready`");
            }
        }
        if let Some(unready_after) = &self.unready_after {
            let message = "`unready_after` is for `ready = \"first_success\"`, and a singleton with `every` is ready \
                           while it waits for its tick: leave it out";
            errors.push(&unready_after.key, message);
        }
    }
}

/// Returns the message for a key without the feature.
pub(crate) fn needs_feature(key: &Ident) -> String {
    format!("`{key}` needs the feature `fleet`: write `taskvisor = {{ .., features = [\"fleet\"] }}`")
}
