//! The texts about a task or group.

use crate::output::Style;
use crate::reply::Node;
use crate::time::{Time, left, until};

/// The outcomes of a task or group that has ended in failure.
const FAILURES: [&str; 5] = ["failed", "exhausted", "fatal", "panicked", "aborted"];

impl Node {
    pub(super) fn is_group(&self) -> bool {
        self.kind == "group"
    }

    /// The path, or the name for the root, whose path is empty.
    pub(super) fn title(&self) -> &str {
        if self.path.is_empty() { &self.name } else { &self.path }
    }

    fn has_failed(&self) -> bool {
        self.outcome.as_deref().is_some_and(|outcome| FAILURES.contains(&outcome))
    }

    /// Returns `true` if it needs attention: it has failed, waits after a failure, or has a problem.
    pub(super) fn needs_attention(&self) -> bool {
        self.has_failed() || self.state == "backoff" || self.problem.is_some()
    }

    /// The state, or the outcome after the end.
    pub(super) fn word(&self) -> &str {
        match &self.outcome {
            Some(outcome) if self.state == "ended" => outcome,
            _ => &self.state,
        }
    }

    pub(super) fn style(&self) -> Style {
        match &*self.state {
            _ if self.has_failed() => Style::Bad,
            "backoff" => Style::Bad,
            _ if self.problem.is_some() => Style::Waiting,
            "running" if self.ready => Style::Good,
            "running" | "pending" | "stopping" | "queued" | "throttled" => Style::Waiting,
            "paused" | "ended" => Style::Faint,
            _ => Style::Plain,
        }
    }

    /// The current attempt, `#3`.
    pub(super) fn attempt(&self) -> String {
        if self.attempt > 0 { format!("#{}", self.attempt) } else { String::new() }
    }

    /// The failures in a row, with the number of retries if there is one: one more failure exhausts them.
    pub(super) fn failures(&self) -> String {
        match (self.failures, self.max_retries) {
            (0, _) => String::new(),
            (failures, None) => format!("failures {failures}"),
            (failures, Some(retries)) => format!("failures {failures} (max_retries {retries})"),
        }
    }

    /// The time of the next attempt from now, `next in 3s`.
    pub(super) fn next(&self, now: &Time) -> String {
        self.next_at.as_ref().map(|next| format!("next {}", until(next, now))).unwrap_or_default()
    }

    /// The reason for the state, with the time that is left.
    pub(super) fn reason(&self, now: &Time) -> String {
        let Some(why) = &self.why else { return String::new() };
        match why.until.as_ref().and_then(|end| left(end, now)) {
            Some(left) => format!("{}, {left} left", why.text),
            None => why.text.clone(),
        }
    }

    /// The last error in quotes.
    pub(super) fn error(&self) -> String {
        self.last_error.as_ref().map(|error| format!("\"{error}\"")).unwrap_or_default()
    }
}
