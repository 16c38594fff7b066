//! A recorded event.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::events::{Event, EventKind, Reason};
use crate::inspect::TaskId;
use crate::task::StopReason;

/// An event of a [`Recorder`](super::Recorder).
///
/// Two events are equal if all fields except `id` are equal, so that events of different runs can be compared.
/// `Display` is one line, such as `BackoffScheduled store/pool #2 +100ms`.
#[derive(Clone)]
#[non_exhaustive]
pub struct RecordedEvent {
    /// The kind.
    pub kind: EventKind,
    /// The path of the task, or the name of the subscriber.
    pub task: Option<Arc<str>>,
    /// The id of the registration.
    pub id: Option<TaskId>,
    /// The name of the slot.
    pub slot: Option<Arc<str>>,
    /// The attempt, counted from 1.
    pub attempt: Option<u32>,
    /// `true` for a further run of a periodic task and the like, as in [`Event::routine`].
    pub routine: bool,
    /// The reason.
    pub reason: Option<Reason>,
    /// The reason of the stop request that ended the attempt.
    pub stop: Option<StopReason>,
    /// The time until the next attempt, in whole milliseconds.
    pub delay: Option<Duration>,
    /// The exceeded timeout, in whole milliseconds.
    pub timeout: Option<Duration>,
    /// The number of lost events and the like, as in [`Event::count`]; for a lease, its token.
    pub count: Option<u64>,
    /// The time since the creation of the recorder, by Tokio's clock.
    pub at: Duration,
}

impl RecordedEvent {
    pub(super) fn new(event: &Event, at: Duration) -> Self {
        // Without `..`, so that no new field is forgotten here.
        let Event {
            seq: _,
            at: _,
            last: _,
            kind,
            task,
            id,
            slot,
            attempt,
            routine,
            reason,
            stop,
            delay_ms,
            timeout_ms,
            count,
        } = event.clone();
        let [delay, timeout] = [delay_ms, timeout_ms].map(|ms| ms.map(Duration::from_millis));
        Self { kind, task, id, slot, attempt, routine, reason, stop, delay, timeout, count, at }
    }
}

impl PartialEq for RecordedEvent {
    fn eq(&self, other: &Self) -> bool {
        let same = |event: &Self| (event.kind, event.attempt, event.delay, event.timeout, event.count, event.at);
        same(self) == same(other)
            && self.task == other.task
            && self.slot == other.slot
            && self.stop == other.stop
            && self.routine == other.routine
            && self.reason.as_deref() == other.reason.as_deref()
    }
}

impl fmt::Display for RecordedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(task) = &self.task {
            write!(f, " {}", task.escape_debug())?;
        }
        if let Some(slot) = &self.slot {
            write!(f, " in {}", slot.escape_debug())?;
        }
        if let Some(attempt) = self.attempt {
            write!(f, " #{attempt}")?;
        }
        if let Some(delay) = self.delay.or(self.timeout) {
            write!(f, " +{delay:?}")?;
        }
        if let Some(count) = self.count {
            match self.kind {
                EventKind::LeaseAcquired | EventKind::LeaseReleased => write!(f, " token {count}")?,
                _ => write!(f, " x{count}")?,
            }
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
