//! The expectation of an event.

use std::fmt;
use std::time::Duration;

use super::RecordedEvent;
use crate::events::EventKind;

/// The expectation of an event. A field that is not set matches any value.
///
/// An [`EventKind`] converts to an expectation, and so does a pair of a path and a kind.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use taskvisor::EventKind::*;
/// use taskvisor::prelude::*;
/// use taskvisor::test::{ExpectedEvent, Recorder, Script};
///
/// #[tokio::main(flavor = "current_thread", start_paused = true)]
/// async fn main() -> Result<(), RuntimeError> {
///     let tree = supervise!(tasks = [task(Script::new("sync").fails("no route"), backoff(first = "2s"))]);
///     let recorder = Recorder::attach(tree.supervisor());
///     tree.start().await?;
///
///     let mut sync = recorder.of("sync");
///     sync.expect([TaskAddRequested, TaskAdded]).await;
///     sync.expect([
///         ExpectedEvent::new(TaskStarting).attempt(1),
///         ExpectedEvent::new(TaskFailed).because("no route"),
///         ExpectedEvent::new(BackoffScheduled).delay(Duration::from_secs(2)),
///         ExpectedEvent::new(TaskStarting).attempt(2),
///     ]).await;
///     tree.shutdown().await
/// }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is expected yet"]
pub struct ExpectedEvent {
    kind: EventKind,
    task: Option<String>,
    attempt: Option<u32>,
    reason: Option<String>,
    delay: Option<Duration>,
}

impl ExpectedEvent {
    /// Expects an event of this kind.
    pub fn new(kind: EventKind) -> Self {
        Self { kind, task: None, attempt: None, reason: None, delay: None }
    }

    /// Expects an event of the task at `path`.
    pub fn of(mut self, path: impl Into<String>) -> Self {
        self.task = Some(path.into());
        self
    }

    /// Expects an event of this attempt, counted from 1.
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = Some(attempt);
        self
    }

    /// Expects a reason that contains this text.
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Expects this delay until the next attempt, compared in whole milliseconds.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    pub(super) fn matches(&self, event: &RecordedEvent) -> bool {
        fn agree<T>(expected: Option<T>, agrees: impl FnOnce(T) -> bool) -> bool {
            expected.is_none_or(agrees)
        }
        self.kind == event.kind
            && agree(self.task.as_deref(), |task| event.task.as_deref() == Some(task))
            && agree(self.attempt, |attempt| event.attempt == Some(attempt))
            && agree(self.reason.as_deref(), |text| event.reason.as_ref().is_some_and(|reason| reason.contains(text)))
            && agree(self.delay, |delay| event.delay.is_some_and(|came| came.as_millis() == delay.as_millis()))
    }
}

impl From<EventKind> for ExpectedEvent {
    fn from(kind: EventKind) -> Self {
        Self::new(kind)
    }
}

impl From<(&str, EventKind)> for ExpectedEvent {
    fn from((path, kind): (&str, EventKind)) -> Self {
        Self::new(kind).of(path)
    }
}

/// Formats like a recorded event, so that both are easy to compare.
impl fmt::Display for ExpectedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(task) = &self.task {
            write!(f, " {task}")?;
        }
        if let Some(attempt) = self.attempt {
            write!(f, " #{attempt}")?;
        }
        if let Some(delay) = self.delay {
            write!(f, " +{delay:?}")?;
        }
        if let Some(reason) = &self.reason {
            write!(f, ": ..{}..", reason.escape_debug())?;
        }
        Ok(())
    }
}
