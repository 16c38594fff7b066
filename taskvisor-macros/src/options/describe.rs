//! How a task is supervised, in words, for the documentation of what `#[task]` generates.

use std::time::Duration;

use super::{Backoff, Jitter, Options, Ready, Restart};
use crate::reader::{Given, Value};
use crate::{duration, path};

impl Options {
    /// One line of Markdown for each option that is given.
    pub(crate) fn describe(&self) -> String {
        let mut lines = vec![
            word("restart", self.restart.as_ref(), Restart::WORDS),
            time("interval", self.interval.as_ref()),
            time("every", self.every.as_ref()),
            time("initial_delay", self.initial_delay.as_ref()),
            time("timeout", self.timeout.as_ref()),
            time("stop_timeout", self.stop_timeout.as_ref()),
            time("cleanup", self.cleanup.as_ref()),
            time("start_timeout", self.start_timeout.as_ref()),
            word("ready", self.ready.as_ref(), Ready::WORDS),
            time("watchdog", self.watchdog.as_ref()),
            line("max_retries", self.max_retries.as_ref(), u32::to_string),
            line("retry_if", self.retry_if.as_ref(), |path| format!("`{}`", path::text(path))),
            flag("critical", self.critical.as_ref()),
            flag("significant", self.significant.as_ref()),
            flag("final_attempt", self.final_attempt.as_ref()),
            flag("readiness", self.readiness.as_ref()),
            line("metric_label", self.metric_label.as_ref(), |label| format!("`{}`", label.value())),
            flag("blocking", self.blocking.as_ref()),
        ];
        if let Some(backoff) = &self.backoff {
            lines.extend(backoff.describe());
        }
        let lines: Vec<String> = lines.into_iter().flatten().collect();
        if lines.is_empty() {
            return "How it is supervised is inherited from the supervisor.".to_owned();
        }
        format!("How it is supervised (the rest is inherited from the supervisor):\n\n{}", lines.join("\n"))
    }
}

impl Backoff {
    fn describe(&self) -> [Option<String>; 5] {
        [
            time("backoff.first", self.first.as_ref()),
            time("backoff.max", self.max.as_ref()),
            line("backoff.factor", self.factor.as_ref(), f64::to_string),
            word("backoff.jitter", self.jitter.as_ref(), Jitter::WORDS),
            time("backoff.reset_after", self.reset_after.as_ref()),
        ]
    }
}

fn time(name: &str, given: Option<&Given<Duration>>) -> Option<String> {
    line(name, given, |value| duration::display(*value))
}

fn word<W: Copy + PartialEq>(name: &str, given: Option<&Given<W>>, words: &[(&str, W)]) -> Option<String> {
    line(name, given, |value| {
        let written = words.iter().find(|(_, word)| word == value);
        written.map_or("", |(written, _)| written).to_owned()
    })
}

fn flag(name: &str, given: Option<&Given<bool>>) -> Option<String> {
    line(name, given, bool::to_string)
}

fn line<T>(name: &str, given: Option<&Given<T>>, literal: impl Fn(&T) -> String) -> Option<String> {
    match &given?.value {
        Value::Known(value, _) => Some(format!("- `{name}`: {}", literal(value))),
        Value::Bound(_) | Value::Constant(_) => Some(format!("- `{name}`: computed")),
        Value::Refused => None,
    }
}
