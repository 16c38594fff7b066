//! Checks the options, alone and together. Only literals can be checked here; the runtime checks the values of
//! expressions when the task is registered.

use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use syn::spanned::Spanned as _;

use super::expand::{chosen, is_set};
use super::{Backoff, Choice, Options, Place, Ready, Restart};
use super::{schedule, singleton};
use crate::duration;
use crate::errors::Errors;
use crate::reader::{Given, Value};

impl Options {
    /// Reports every contradiction and every invalid value.
    pub(crate) fn check(&self, place: Place, errors: &mut Errors) {
        check_name(self.name.as_ref(), errors);
        if let Some((name, at)) = self.name.as_ref().and_then(Given::known) {
            if name.value().contains('/') {
                errors.push(at, "a `name` has no `/` in it, which parts the names in a path");
            }
        }
        self.check_repetition(place, errors);
        self.check_always(errors);
        if place != Place::Defaults {
            // In `defaults(..)` they are valid beside `never`, for tasks with their own policy.
            self.check_never(errors);
        }
        self.check_no_retries(errors);
        self.check_any_end(errors);
        self.check_first_success(place, errors);
        self.check_splay(place, errors);
        self.check_schedule(place, schedule::ENABLED, errors);
        self.check_singleton(place, singleton::ENABLED, errors);
        if let Some((label, at)) = self.metric_label.as_ref().and_then(Given::known) {
            if label.value().is_empty() {
                errors.push(at, "`metric_label` is empty: write what metrics should name the task by");
            }
        }
        self.check_zeros(place, errors);
        self.check_watchdog(place, errors);
        if let Some(backoff) = &self.backoff {
            backoff.check(errors);
        }
    }

    /// Returns the options that have no effect on a task without a context: the place of each, the function that checks the
    /// task, and the message.
    pub(crate) fn of_context(&self, task: &str) -> Vec<(Span, &'static str, String)> {
        let watchdog = self.watchdog.as_ref().filter(|given| !given.is_refused() && zero(Some(given)).is_none());
        let signal = self.ready.as_ref().and_then(Given::known).filter(|(word, _)| **word == Ready::Signal);
        let cleanup = self.cleanup.as_ref().filter(|given| !given.is_refused());
        let first = |needs: &str| format!("{needs}: make it the first argument of `{task}`");
        let found = [
            watchdog.map(|given| {
                let message = first("`watchdog` needs a `TaskContext`, to call its `heartbeat()`");
                (given.key.span(), "check_context", message)
            }),
            signal.map(|(_, at)| {
                let message = first("`ready = \"signal\"` needs a `TaskContext`, to call its `ready()`");
                (at.span(), "check_context", message)
            }),
            cleanup.map(|given| {
                let message =
                    first("`cleanup` is for a task that takes a `TaskContext`, and others are dropped at once");
                (given.key.span(), "check_token", message)
            }),
        ];
        found.into_iter().flatten().collect()
    }

    fn restart_word(&self) -> Option<Restart> {
        self.restart.as_ref().and_then(Given::known).map(|(word, _)| *word)
    }

    /// `interval` and `every` exclude each other, and need `always`.
    fn check_repetition(&self, place: Place, errors: &mut Errors) {
        // `cron` excludes both.
        if self.cron.is_some() {
            return;
        }
        let keys = [key(self.interval.as_ref()), key(self.every.as_ref())];
        if let [Some(interval), Some(every)] = keys {
            let message = "`interval` and `every` exclude each other: `interval` is the wait after \
                           a run, `every` the time from start to start";
            errors.push(every, message);
            errors.push(interval, "`interval` is given here");
        }
        // An invalid word was reported, and may have meant `always`.
        let refused = self.restart.as_ref().is_some_and(Given::is_refused);
        if self.restart.as_ref().is_some_and(|restart| matches!(restart.value, Value::Bound(_))) {
            // The runtime checks `every`.
            if let Some(interval) = key(self.interval.as_ref()) {
                let message = "`interval` is a part of the policy in `restart`: write \
                               `restart = RestartPolicy::Always { interval: Some(..) }`";
                errors.push(interval, message);
            }
            return;
        }
        if refused || self.is_partial || self.restart_word() == Some(Restart::Always) {
            return;
        }
        // The whole policy is replaced, with its interval.
        let more = if place == Place::Entry { ", also if `#[task(..)]` has it" } else { "" };
        match keys {
            [Some(interval), Some(_)] => {
                errors.push(interval, format!("`interval` and `every` need `restart = \"always\"` beside them{more}"));
            }
            [interval, every] => {
                for key in [interval, every].into_iter().flatten() {
                    errors.push(key, format!("`{key}` needs `restart = \"always\"` beside it{more}"));
                }
            }
        }
    }

    /// Options that need a success that ends the task exclude `always`.
    fn check_always(&self, errors: &mut Errors) {
        if self.restart_word() != Some(Restart::Always) {
            return;
        }
        if let (Some(significant), true) = (&self.significant, is_set(self.significant.as_ref())) {
            let message = "`significant` waits for an end in success, and with `restart = \"always\"` there is none";
            errors.push(&significant.key, message);
        }
        // A task with ticks has a message of its own.
        let has_ticks = self.cron.is_some() || self.has_common_ticks();
        if let (Some((Ready::Completed, at)), false) = (self.ready.as_ref().and_then(Given::known), has_ticks) {
            let message = "a task with `restart = \"always\"` never completes: write `ready = \"first_success\"`, or \
                           `ready = \"signal\"` and call `ready()` on its `TaskContext`";
            errors.push(at, message);
        }
    }

    fn check_never(&self, errors: &mut Errors) {
        if self.restart_word() != Some(Restart::Never) {
            return;
        }
        let backoff = self.backoff.as_ref().map(|backoff| &backoff.key);
        let limit = self.limit.sliding.as_ref().and_then(|limit| limit.key.as_ref());
        let keys = [key(self.max_retries.as_ref()), backoff, limit, key(self.retry_if.as_ref())];
        for key in keys.into_iter().flatten() {
            errors.push(key, format!("`{key}` has no effect with `restart = \"never\"`: nothing is retried"));
        }
        if let (Some(last), true) = (&self.final_attempt, is_set(self.final_attempt.as_ref())) {
            let message = "`final_attempt` adds an attempt to those of a task that runs again, and with \
                           `restart = \"never\"` there is one only";
            errors.push(&last.key, message);
        }
    }

    /// An end in success cannot fail the group and be waited for.
    fn check_any_end(&self, errors: &mut Errors) {
        if chosen(self.critical.as_ref()) != Some(Choice::Word) {
            return;
        }
        if let (Some(significant), true) = (&self.significant, is_set(self.significant.as_ref())) {
            let message = "`significant` stops the group at an end in success, and `critical = \"any_end\"` fails it: \
                           keep one";
            errors.push(&significant.key, message);
        }
        if let Some((Ready::Completed, at)) = self.ready.as_ref().and_then(Given::known) {
            let message = "`ready = \"completed\"` waits for an end in success, which `critical = \"any_end\"` makes a \
                           failure: keep one";
            errors.push(at, message);
        }
    }

    /// `splay` needs `every`, `interval` or `cron`. An entry may have them in `#[task]`.
    fn check_splay(&self, place: Place, errors: &mut Errors) {
        let Some(splay) = &self.splay else { return };
        let repeats = self.every.is_some() || self.interval.is_some() || self.cron.is_some();
        if self.is_whole(place) && !repeats {
            errors.push(&splay.key, "`splay` shifts a task with `every`, `interval` or `cron`: write one beside it");
        }
    }

    /// `first_success` needs a task that repeats, and `unready_after` needs `first_success`. An entry may have them in
    /// `#[task]`.
    fn check_first_success(&self, place: Place, errors: &mut Errors) {
        // Ticks exclude both.
        if self.cron.is_some() || self.has_common_ticks() {
            return;
        }
        let is_whole = self.is_whole(place);
        let ready = self.ready.as_ref().and_then(Given::known);
        if let Some((Ready::FirstSuccess, at)) = ready {
            let repeats = match &self.restart {
                None => !is_whole,
                Some(restart) => restart.known().is_none_or(|(word, _)| *word == Restart::Always),
            };
            if !repeats {
                errors.push(
                    at,
                    "`ready = \"first_success\"` is for a task that repeats: write `restart = \"always\"` beside it",
                );
            }
        }
        let Some(unready_after) = &self.unready_after else { return };
        let is_missing =
            if self.ready.is_none() { is_whole } else { ready.is_some_and(|(word, _)| *word != Ready::FirstSuccess) };
        if is_missing {
            errors.push(&unready_after.key, "`unready_after` needs `ready = \"first_success\"` beside it");
        }
        if let Some((0, at)) = unready_after.known() {
            errors.push(at, "`unready_after` must be at least 1: leave it out for never");
        }
    }

    /// Returns `true` if no other list has options of the same task. An entry completes those of `#[task]`.
    pub(super) fn is_whole(&self, place: Place) -> bool {
        place == Place::Attribute && !self.is_partial
    }

    fn check_no_retries(&self, errors: &mut Errors) {
        if let (Some(retry_if), Some((0, _))) = (&self.retry_if, self.max_retries.as_ref().and_then(Given::known)) {
            errors.push(&retry_if.key, "`retry_if` has no effect with `max_retries = 0`: nothing is retried");
        }
        let limit = self.limit.sliding.as_ref().and_then(|limit| limit.key.as_ref());
        if let (Some(limit), Some((0, _))) = (limit, self.max_retries.as_ref().and_then(Given::known)) {
            errors.push(limit, "`limit` has no effect with `max_retries = 0`: nothing is retried");
        }
    }

    /// An attempt ends by its timeout before a longer silence is over. A task can have another timeout than the defaults.
    fn check_watchdog(&self, place: Place, errors: &mut Errors) {
        let given = |given: &Option<Given<Duration>>| given.as_ref().and_then(Given::known).map(|(time, _)| *time);
        let (Some(watchdog), Some(timeout)) = (self.watchdog.as_ref().and_then(Given::known), given(&self.timeout))
        else {
            return;
        };
        if place != Place::Defaults && *watchdog.0 > timeout && !timeout.is_zero() {
            let [silence, timeout] = [*watchdog.0, timeout].map(duration::display);
            let message = format!(
                "`watchdog` ({silence}) has no effect beside a shorter `timeout` ({timeout}), which ends each attempt \
                 before: write less, or leave it out"
            );
            errors.push(watchdog.1, message);
        }
    }

    fn check_zeros(&self, place: Place, errors: &mut Errors) {
        if let Some(at) = zero(self.every.as_ref()) {
            errors.push(at, "`every` must be longer than zero");
        }
        if let Some(at) = zero(self.start_timeout.as_ref()) {
            errors.push(at, "`start_timeout` must be longer than zero: no start would be in time");
        }
        if let Some(at) = zero(self.watchdog.as_ref()) {
            errors.push(at, "`watchdog` must be longer than zero: leave it out for none");
        }
        if let Some(at) = zero(self.timeout.as_ref()) {
            let message = match place {
                Place::Defaults => "a `timeout` of zero means none, which is the default: leave it out",
                Place::Attribute | Place::Entry | Place::Group => {
                    "a `timeout` of zero means none: leave it out, or write `timeout = Duration::ZERO` \
                     to undo an inherited one"
                }
            };
            errors.push(at, message);
        }
    }
}

impl Backoff {
    fn check(&self, errors: &mut Errors) {
        if self.policy.is_some() {
            return;
        }
        self.check_range(errors);
        if let Some((factor, at)) = self.factor.as_ref().and_then(Given::known) {
            if *factor < 1.0 {
                let message = format!("`factor` is {factor}, and must be at least 1: a smaller one shrinks the waits");
                errors.push(at, message);
            }
        }
        if let Some(at) = zero(self.reset_after.as_ref()) {
            let message = "`reset_after` must be longer than zero: every failure would start over";
            errors.push(at, message);
        }
    }

    /// Checks `first <= max`, with the default for a missing field.
    fn check_range(&self, errors: &mut Errors) {
        let (Some((first, first_note)), Some((max, max_note))) =
            (literal_or(self.first.as_ref(), Self::DEFAULT_FIRST), literal_or(self.max.as_ref(), Self::DEFAULT_MAX))
        else {
            return;
        };
        if first <= max {
            return;
        }
        let message = format!(
            "`first` ({}{first_note}) is longer than `max` ({}{max_note})",
            duration::display(first),
            duration::display(max),
        );
        let at = [&self.first, &self.max].into_iter().find_map(|given| given.as_ref().and_then(Given::known));
        match at {
            Some((_, at)) => errors.push(at, message),
            None => errors.push(&self.key, message),
        }
    }
}

/// Reports an invalid name of a task or tree.
pub(crate) fn check_name(name: Option<&Given<syn::LitStr>>, errors: &mut Errors) {
    if let Some((name, at)) = name.and_then(Given::known) {
        if name.value().trim().is_empty() {
            errors.push(at, "`name` is empty: write what the events and the log should call it");
        } else if name.value().contains(char::is_control) {
            errors.push(at, "a `name` has no line breaks and no other control characters in it");
        }
    }
}

/// Returns the literal, or the default with a note; `None` if the value is known only at run time.
fn literal_or(given: Option<&Given<Duration>>, default: Duration) -> Option<(Duration, &'static str)> {
    match given {
        None => Some((default, ", the default")),
        Some(given) => given.known().map(|(value, _)| (*value, "")),
    }
}

pub(super) fn key<T>(given: Option<&Given<T>>) -> Option<&Ident> {
    given.map(|given| &given.key)
}

/// Returns the tokens of a literal zero.
pub(crate) fn zero(given: Option<&Given<Duration>>) -> Option<&TokenStream> {
    let (value, at) = given?.known()?;
    value.is_zero().then_some(at)
}
