//! One event, as a recorder keeps it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::events::{Event, EventKind, Reason};
use crate::inspect::TaskId;

/// One event, as a [`Recorder`](super::Recorder) keeps it.
///
/// Two are equal if they tell the same, whichever run they come from: `id`, which no two registrations share, is not
/// compared. `Display` is one line, such as `BackoffScheduled store/pool #2 +100ms`.
#[derive(Clone)]
#[non_exhaustive]
pub struct RecordedEvent {
    /// What happened.
    pub kind: EventKind,
    /// The path of the task, or the name of the subscriber, that it happened to.
    pub task: Option<Arc<str>>,
    /// The registration that it happened to.
    pub id: Option<TaskId>,
    /// The slot that it happened in.
    pub slot: Option<Arc<str>>,
    /// The attempt, counted from 1.
    pub attempt: Option<u32>,
    /// Why.
    pub reason: Option<Reason>,
    /// How long the next attempt waits, in whole milliseconds.
    pub delay: Option<Duration>,
    /// The timeout that was exceeded, in whole milliseconds.
    pub timeout: Option<Duration>,
    /// How many events were lost, how many panics there were, or how many submissions wait.
    pub count: Option<u64>,
    /// When it came, by Tokio's clock, since the recorder was made.
    pub at: Duration,
}

impl RecordedEvent {
    pub(super) fn new(event: &Event, at: Duration) -> Self {
        Self {
            kind: event.kind,
            task: event.task.clone(),
            id: event.id,
            slot: event.slot.clone(),
            attempt: event.attempt,
            reason: event.reason.clone(),
            delay: event.delay_ms.map(Duration::from_millis),
            timeout: event.timeout_ms.map(Duration::from_millis),
            count: event.count,
            at,
        }
    }
}

impl PartialEq for RecordedEvent {
    fn eq(&self, other: &Self) -> bool {
        let same = |event: &Self| (event.kind, event.attempt, event.delay, event.timeout, event.count, event.at);
        same(self) == same(other)
            && self.task == other.task
            && self.slot == other.slot
            && self.reason.as_deref() == other.reason.as_deref()
    }
}

impl fmt::Display for RecordedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(task) = &self.task {
            write!(f, " {task}")?;
        }
        if let Some(slot) = &self.slot {
            write!(f, " in {slot}")?;
        }
        if let Some(attempt) = self.attempt {
            write!(f, " #{attempt}")?;
        }
        if let Some(delay) = self.delay.or(self.timeout) {
            write!(f, " +{delay:?}")?;
        }
        if let Some(count) = self.count {
            write!(f, " x{count}")?;
        }
        if let Some(reason) = &self.reason {
            write!(f, ": {}", reason.escape_debug())?;
        }
        Ok(())
    }
}

impl fmt::Debug for RecordedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{:?}] {self}", self.at)
    }
}
