//! An event.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use super::EventKind;
use crate::inspect::{TaskId, now, one_line};
use crate::panics::drop_caught;
use crate::task::{StopReason, TaskError};

/// An event of a supervisor.
///
/// [`kind`](Self::kind) determines which of the fields are set: see the table at [`EventKind`]. [`data`](Self::data)
/// returns a variant for each kind, with the fields of that kind.
///
/// Events are for logs, metrics and alarms. A subscriber that is behind loses events, so code must not decide on them:
/// use [`TaskHandle::outcome`](crate::TaskHandle::outcome) instead. The guide explains
/// [outcomes and events](crate::guide::outcomes_and_events).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Event {
    /// The kind of an event.
    pub kind: EventKind,
    /// The path of the task or group, or the name of the subscriber.
    pub task: Option<Arc<str>>,
    /// The id of the registration.
    pub id: Option<TaskId>,
    /// The name of the slot.
    pub slot: Option<Arc<str>>,
    /// The attempt, counted from 1. A start that failed or was stopped before its attempt began has the number of the
    /// attempt before it; 0 if there was none.
    pub attempt: Option<u32>,
    /// `true` for a further run of a periodic task (with an interval or a schedule) whose last attempt did not fail, and
    /// for a run of any other task that has succeeded ten times in a row. Set when the run begins, unless a restart of
    /// siblings begins it, and when it succeeds. `LogLevel` puts these events at `DEBUG`.
    pub routine: bool,
    /// The reason. For a lease, its key; for a slot, its change of state.
    pub reason: Option<Reason>,
    /// The reason of the stop request that ended the attempt, or the registration between attempts.
    pub stop: Option<StopReason>,
    /// The time until the next attempt or run, in milliseconds, rounded down; for `ShutdownWaiting`, the time since the
    /// stop request.
    pub delay_ms: Option<u64>,
    /// The exceeded timeout, in milliseconds, rounded down; for `ShutdownWaiting`, the time until the end of the grace.
    pub timeout_ms: Option<u64>,
    /// `true` for the end of an attempt that also ends its task, and the next event tells both: `ActorExhausted` or
    /// `ActorDead`.
    #[cfg_attr(not(feature = "logging"), allow(dead_code, reason = "only the level of a log line depends on it"))]
    pub(crate) last: bool,
    /// The number of lost events, of panics, of waiting submissions, of missed runs, of tasks that have not stopped, or
    /// of failures or restarts of a group; for a lease, its token.
    pub count: Option<u64>,
    /// The sequence number, which increases from event to event.
    pub seq: u64,
    /// The time of the event. With the feature `test-util` it follows Tokio's clock, and advances with paused time.
    pub at: SystemTime,
}

impl Event {
    /// Creates an event of this kind with the current time and no other fields. Useful to test a subscriber.
    #[must_use]
    pub fn new(kind: EventKind) -> Self {
        Self::of(kind, now())
    }

    /// Like `new`, with this time.
    pub(crate) const fn of(kind: EventKind, at: SystemTime) -> Self {
        Self {
            kind,
            task: None,
            id: None,
            slot: None,
            attempt: None,
            routine: false,
            reason: None,
            stop: None,
            delay_ms: None,
            timeout_ms: None,
            last: false,
            count: None,
            seq: 0,
            at,
        }
    }

    /// Returns [`delay_ms`](Self::delay_ms) as a duration.
    pub fn delay(&self) -> Option<Duration> {
        self.delay_ms.map(Duration::from_millis)
    }

    /// Returns [`timeout_ms`](Self::timeout_ms) as a duration.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout_ms.map(Duration::from_millis)
    }

    /// Returns the error that caused the event, if there is one.
    pub fn error(&self) -> Option<&Arc<TaskError>> {
        self.reason.as_ref().and_then(Reason::error)
    }

    pub(crate) fn about(kind: EventKind, task: &Arc<str>) -> Self {
        Self { task: Some(Arc::clone(task)), ..Self::new(kind) }
    }

    pub(crate) fn because(self, reason: impl Into<Reason>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }
}

/// Returns whole milliseconds, as in events.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The reason of an event: an error with its causes, each once, or another text. At most 1 KiB of it is kept, and a
/// longer one ends in `…`. An error is formatted once, at the first read.
#[derive(Clone)]
pub struct Reason {
    pub(super) error: Option<Arc<TaskError>>,
    pub(super) text: OnceLock<Box<str>>,
}

impl Reason {
    /// Creates a reason whose error is already formatted.
    pub(crate) fn formatted(error: Arc<TaskError>, text: &str) -> Self {
        Self { error: Some(error), text: OnceLock::from(kept(text)) }
    }

    /// Returns the error, if there is one.
    pub const fn error(&self) -> Option<&Arc<TaskError>> {
        self.error.as_ref()
    }

    /// Returns the reason as text.
    pub fn as_str(&self) -> &str {
        if let Some(text) = self.text.get() {
            return text;
        }
        // Formatted before the cell is entered, so that concurrent readers do not wait for user code.
        let text = self.error.as_ref().map(|error| one_line(&**error)).unwrap_or_default();
        self.text.get_or_init(|| kept(&text))
    }
}

/// Returns at most 1 KiB of a text.
fn kept(text: &str) -> Box<str> {
    cut(text, 1024).into()
}

/// Returns at most this many bytes of a text, cut between characters. A text that is cut ends in `…`.
pub(crate) fn cut(text: &str, most: usize) -> Cow<'_, str> {
    const MORE: &str = "…";
    if text.len() <= most {
        return text.into();
    }
    let end = (0..=most.saturating_sub(MORE.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    [&text[..end], MORE].concat().into()
}

impl Drop for Reason {
    /// The drop of the error is user code, and can panic. It is caught here: a second panic during unwinding aborts the
    /// process.
    fn drop(&mut self) {
        let _ = drop_caught(self.error.take());
    }
}

impl From<Arc<TaskError>> for Reason {
    fn from(error: Arc<TaskError>) -> Self {
        Self { error: Some(error), text: OnceLock::new() }
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        Self { error: None, text: OnceLock::from(kept(text)) }
    }
}

impl Deref for Reason {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
