//! `cron`, `zone`, `missed`, `late` and `last_run`: the schedule of a task by the calendar.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{BinOp, Expr, Lit, LitStr};
#[cfg(feature = "cron")]
use taskvisor_parse::cron;

use super::check::key;
use super::expand::{lower, plain};
use super::held::{Held, WrongForm, keep, line, word};
use super::{Options, Place, Ready, Restart};
use crate::argument::{Form, peel};
use crate::duration;
use crate::errors::Errors;
use crate::reader::{Given, Purpose, Reader, Value, Words, elements};

/// `true` if the feature `cron` is on.
pub(super) const ENABLED: bool = cfg!(feature = "cron");

/// The keys that need the feature.
pub(super) const KEYS: [&str; 5] = ["cron", "zone", "missed", "late", "last_run"];

/// The shortest `late`.
const SHORTEST: Duration = Duration::from_secs(1);

/// How late a run of a pattern is on time at most, as in the runtime.
const ON_TIME: Duration = Duration::from_secs(60);

/// `key = ".."`, or an expression.
pub(crate) type Cron = Option<Given<Pattern>>;
/// `key = ".."`, or an expression.
pub(crate) type Zone = Option<Given<ZoneName>>;
/// The word for missed runs.
pub(crate) type MissedRuns = Option<Given<Missed>>;
/// An expression.
pub(crate) type LastRun = Option<Given<NoLiteral>>;

/// A cron pattern without errors.
pub(crate) struct Pattern(LitStr);

/// The name of a time zone. The runtime knows which there are.
pub(crate) struct ZoneName(LitStr);

/// What happens to missed runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missed {
    Once,
    Skip,
}

/// The literal of an option that has none.
pub(crate) enum NoLiteral {}

impl Missed {
    const WORDS: Words<Self> = Words {
        module: "words_of_missed",
        list: &["`missed`"],
        known: &[("once", Self::Once), ("skip", Self::Skip)],
        is_flag: false,
    };
}

impl ToTokens for Pattern {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.0.to_tokens(tokens);
    }
}

impl Held for Cron {
    fn read(&mut self, key: &Ident, form: &Form<'_>, reader: &mut Reader) -> Result<(), WrongForm> {
        keep(self, key, form, |value| read_pattern(key, value, reader))
    }

    fn lower(&self, _: &TokenStream) -> Option<TokenStream> {
        plain(self.as_ref())
    }

    fn describe(&self, name: &str) -> Vec<String> {
        line(name, self.as_ref(), |pattern| format!("`{}`", pattern.0.value()))
    }
}

impl Held for Zone {
    fn read(&mut self, key: &Ident, form: &Form<'_>, reader: &mut Reader) -> Result<(), WrongForm> {
        keep(self, key, form, |value| read_zone(key, value, reader))
    }

    /// A setter converts a string, and the field of the config does not.
    fn lower(&self, private: &TokenStream) -> Option<TokenStream> {
        lower(self.as_ref(), |ZoneName(name)| quote!(<#private::Arc<#private::str> as #private::From<_>>::from(#name)))
    }

    fn describe(&self, name: &str) -> Vec<String> {
        line(name, self.as_ref(), |zone| format!("`{}`", zone.0.value()))
    }
}

impl Held for MissedRuns {
    fn read(&mut self, key: &Ident, form: &Form<'_>, reader: &mut Reader) -> Result<(), WrongForm> {
        keep(self, key, form, |value| reader.word(key, value, &Missed::WORDS, Purpose::Missed))
    }

    fn lower(&self, private: &TokenStream) -> Option<TokenStream> {
        lower(self.as_ref(), |missed| match missed {
            Missed::Once => quote!(#private::Missed::Once),
            Missed::Skip => quote!(#private::Missed::Skip),
        })
    }

    fn describe(&self, name: &str) -> Vec<String> {
        word(name, self.as_ref(), &Missed::WORDS)
    }
}

impl Held for LastRun {
    fn read(&mut self, key: &Ident, form: &Form<'_>, reader: &mut Reader) -> Result<(), WrongForm> {
        keep(self, key, form, |value| read_time(key, value, reader))
    }

    fn lower(&self, _: &TokenStream) -> Option<TokenStream> {
        lower(self.as_ref(), |literal| match *literal {})
    }

    fn describe(&self, name: &str) -> Vec<String> {
        line(name, self.as_ref(), |literal| match *literal {})
    }
}

/// Reports every error of the pattern, unless the feature that reads patterns is off, which is then the error. Places within a literal are not available to macros.
fn read_pattern(key: &Ident, expr: &Expr, reader: &mut Reader) -> Value<Pattern> {
    if elements(expr).len() > 1 {
        let message = format!(
            "`{key}` is one pattern: put its times in one, as in `{key} = \"0 9,17 * * *\"`, or write a task for each"
        );
        reader.errors.push(expr, message);
        return Value::Refused;
    }
    let text = reader.text_like("30 2 * * *", key, expr);
    #[cfg(feature = "cron")]
    let text = text.and_then(|text, at| match cron::Pattern::parse(&text.value()) {
        Ok(_) => Some(text),
        Err(errors) => {
            for error in &errors {
                reader.errors.push(at, error);
            }
            None
        }
    });
    text.and_then(|text, _| Some(Pattern(text)))
}

fn read_zone(key: &Ident, expr: &Expr, reader: &mut Reader) -> Value<ZoneName> {
    // `Europe/Berlin` is a division.
    if matches!(peel(expr), Expr::Binary(binary) if matches!(binary.op, BinOp::Div(_))) {
        let name = expr.to_token_stream().to_string().replace(' ', "");
        reader.errors.push(expr, format!("`{key}` is a name in quotes: write `{key} = {name:?}`"));
        return Value::Refused;
    }
    reader.text_like("Europe/Berlin", key, expr).and_then(|text, at| {
        if text.value().trim().is_empty() {
            let message = format!("`{key}` is empty: write for example `{key} = \"Europe/Berlin\"`, or leave it out");
            reader.errors.push(at, message);
            return None;
        }
        Some(ZoneName(text))
    })
}

fn read_time(key: &Ident, expr: &Expr, reader: &mut Reader) -> Value<NoLiteral> {
    if reader.is_unreadable(expr) {
        return Value::Refused;
    }
    if let Expr::Lit(literal) = peel(expr) {
        let of_text = if matches!(literal.lit, Lit::Str(_)) { ", and no text" } else { "" };
        let message =
            format!("`{key}` is a `SystemTime` or an `Option` of one{of_text}: write for example `{key} = saved`");
        reader.errors.push(expr, message);
        return Value::Refused;
    }
    Value::Bound(reader.bind(Purpose::LastRun, expr))
}

impl Options {
    /// Reports what is wrong with a schedule, alone and beside the other options. `enabled` is `true` if the feature
    /// `cron` is on.
    pub(crate) fn check_schedule(&self, place: Place, enabled: bool, errors: &mut Errors) {
        let cron = key(self.cron.as_ref());
        let (zone, missed) = (key(self.zone.as_ref()), key(self.missed.as_ref()));
        let (late, last_run) = (key(self.late.as_ref()), key(self.last_run.as_ref()));
        let beside = [zone, missed, late, last_run];
        if !enabled {
            if let Some(key) = cron.or_else(|| beside.into_iter().flatten().next()) {
                let message =
                    format!("`{key}` needs the feature `cron`: write `taskvisor = {{ .., features = [\"cron\"] }}`");
                errors.push(key, message);
            }
            return;
        }
        if let Some((late, at)) = self.late.as_ref().and_then(Given::known) {
            if *late < SHORTEST {
                let late = duration::display(*late);
                errors.push(at, format!("`late` is {late}, and must be at least 1s: leave it out for no limit"));
            }
        }
        if cron.is_some() || !self.is_whole(place) || self.can_miss_ticks() {
            self.check_late(place, errors);
        }
        match cron {
            Some(cron) => self.check_beside_cron(cron, place, errors),
            None if self.is_whole(place) => {
                for key in beside.into_iter().flatten() {
                    let can_be_missed = key == "missed" || key == "late";
                    if can_be_missed && self.can_miss_ticks() {
                        continue;
                    }
                    let message = if can_be_missed && self.every.is_some() {
                        format!(
                            "`{key}` is about a schedule: write `cron = \"30 2 * * *\"` in place of `every`, or \
                             `singleton` beside it"
                        )
                    } else {
                        format!("`{key}` is about a schedule: write `cron = \"30 2 * * *\"` beside it")
                    };
                    errors.push(key, message);
                }
            }
            // An entry may have `cron` in `#[task]`, but not beside these.
            None if place == Place::Entry => {
                let [every, interval] = [key(self.every.as_ref()), key(self.interval.as_ref())];
                for given in [zone, missed, late].into_iter().flatten() {
                    let is_of_ticks = given != "zone";
                    let Some(other) = interval.or(every.filter(|_| !is_of_ticks)) else { continue };
                    let message =
                        format!("`{given}` is about a schedule, and has no effect with `{other}`: leave it out");
                    errors.push(given, message);
                }
            }
            None => {}
        }
    }

    /// A run that is skipped may be as late as one that is on time. A task can have another word than the defaults.
    fn check_late(&self, place: Place, errors: &mut Errors) {
        let is_skipped = self.missed.as_ref().and_then(Given::known).is_some_and(|(word, _)| *word == Missed::Skip);
        let Some((late, at)) = self.late.as_ref().and_then(Given::known).filter(|_| is_skipped) else { return };
        if place != Place::Defaults && *late > ON_TIME {
            let [late, on_time] = [*late, ON_TIME].map(duration::display);
            let message = format!(
                "`late` ({late}) has no effect with `missed = \"skip\"`, which skips each run that is later than \
                 {on_time}: write less, or leave it out"
            );
            errors.push(at, message);
        }
    }

    fn check_beside_cron(&self, cron: &Ident, place: Place, errors: &mut Errors) {
        let is_always = match &self.restart {
            // An entry may have it in `#[task]`.
            None => !self.is_whole(place),
            // An invalid word was reported, and may have meant `always`. The runtime checks an expression.
            Some(restart) => restart.known().is_none_or(|(word, _)| *word == Restart::Always),
        };
        if !is_always {
            errors.push(cron, "`cron` needs `restart = \"always\"` beside it");
        }
        for key in [key(self.every.as_ref()), key(self.interval.as_ref())].into_iter().flatten() {
            errors.push(key, format!("`{key}` and `cron` both say when the task runs again: keep one"));
        }
        if let Some(delay) = &self.initial_delay {
            let message = "`initial_delay` has no place beside `cron`, whose first time is the first run: leave it out";
            errors.push(&delay.key, message);
        }
        match self.ready.as_ref().and_then(Given::known) {
            None | Some((Ready::Start, _)) => {}
            Some((_, at)) => {
                let message = "a task with `cron` is ready while it waits for its time: leave out `ready`";
                errors.push(at, message);
            }
        }
        if let Some(unready_after) = &self.unready_after {
            let message = "`unready_after` is for `ready = \"first_success\"`, and a task with `cron` is ready while it \
                           waits for its time: leave it out";
            errors.push(&unready_after.key, message);
        }
    }
}
