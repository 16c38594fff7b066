//! An event.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use crate::inspect::{TaskId, now, one_line};
use crate::panics::drop_caught;
use crate::task::TaskError;

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// An attempt begins.
    TaskStarting,
    /// An attempt ended in success, without a `reason`; or after a stop request or as canceled, with a `reason`.
    TaskStopped,
    /// An attempt failed, or was aborted.
    TaskFailed,
    /// An attempt exceeded its timeout.
    TimeoutHit,
    /// The next attempt waits, after a failure or a success; `delay_ms` is the time.
    BackoffScheduled,
    /// No other attempt follows: the task completed, or it failed with `reason` and no retry is left.
    ActorExhausted,
    /// A fatal error ended the task; `reason` is the error.
    ActorDead,
    /// A task is registered.
    TaskAdded,
    /// A registration has ended and its name is free.
    TaskRemoved,
    /// A task is about to be registered.
    TaskAddRequested,
    /// A task was requested to stop, by name or through its handle.
    TaskRemoveRequested,
    /// A shutdown was requested; `reason` names the cause.
    ShutdownRequested,
    /// A shutdown was forced by a second signal or by `shutdown_now`; `reason` names it. Tasks that have not stopped
    /// are aborted.
    ShutdownForced,
    /// Every task stopped in time; `reason` is the failure of the tree, if there is one.
    AllStoppedWithinGrace,
    /// Some tasks had to be aborted; `reason` names them, and the failure of the tree if there is one.
    GraceExceeded,
    /// A submission was accepted: its task starts at once, or waits. `slot` is the slot, `count` the number of waiting
    /// submissions.
    ControllerSubmitted,
    /// A submission will not run. `reason` is `busy`, `full`, `superseded`, `shutting_down`, `refused`, or `canceled`
    /// after a stop request while it waited; `slot` is the slot, `count` the number of waiting submissions.
    ControllerRejected,
    /// The state of a slot changed; `reason` is the change, as in `idle -> running`. `slot` is the slot, `task` its
    /// owner unless it is idle, `count` the number of waiting submissions. A slot is `stopping` when its owner is
    /// requested to make way, and not when the owner is canceled. A change from `running` or `stopping` to `running` is
    /// a change of the owner.
    ControllerSlotTransition,
    /// A condition that can lead to a failure, or the failure of a group; `reason` describes it, and what is missing.
    Warning,
    /// A subscriber panicked; `task` is its name, `count` the number of panics in this burst.
    SubscriberPanicked,
    /// The queue of a subscriber was full; `task` is its name, `count` the number of events that it lost in this burst.
    SubscriberOverflow,
}

impl EventKind {
    /// Returns the name of the variant.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TaskStarting => "TaskStarting",
            Self::TaskStopped => "TaskStopped",
            Self::TaskFailed => "TaskFailed",
            Self::TimeoutHit => "TimeoutHit",
            Self::BackoffScheduled => "BackoffScheduled",
            Self::ActorExhausted => "ActorExhausted",
            Self::ActorDead => "ActorDead",
            Self::TaskAdded => "TaskAdded",
            Self::TaskRemoved => "TaskRemoved",
            Self::TaskAddRequested => "TaskAddRequested",
            Self::TaskRemoveRequested => "TaskRemoveRequested",
            Self::ShutdownRequested => "ShutdownRequested",
            Self::ShutdownForced => "ShutdownForced",
            Self::AllStoppedWithinGrace => "AllStoppedWithinGrace",
            Self::GraceExceeded => "GraceExceeded",
            Self::ControllerSubmitted => "ControllerSubmitted",
            Self::ControllerRejected => "ControllerRejected",
            Self::ControllerSlotTransition => "ControllerSlotTransition",
            Self::Warning => "Warning",
            Self::SubscriberPanicked => "SubscriberPanicked",
            Self::SubscriberOverflow => "SubscriberOverflow",
        }
    }

    /// Returns a distinct bit, for sets of kinds.
    pub(crate) const fn bit(self) -> u64 {
        1 << self as u64
    }

    /// Returns `true` for a report about a subscriber, which never causes another report.
    pub(crate) const fn is_diagnostic(self) -> bool {
        matches!(self, Self::SubscriberPanicked | Self::SubscriberOverflow)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An event of a supervisor.
///
/// Which of the fields are set follows from [`kind`](Self::kind); [`data`](Self::data) gives a variant for each kind
/// with the fields that it has.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Event {
    /// The kind of an event.
    pub kind: EventKind,
    /// The path of the task, or the name of the subscriber.
    pub task: Option<Arc<str>>,
    /// The id of the registration.
    pub id: Option<TaskId>,
    /// The name of the slot.
    pub slot: Option<Arc<str>>,
    /// The attempt, counted from 1; 0 if a start failed before any attempt began.
    pub attempt: Option<u32>,
    /// The reason as text.
    pub reason: Option<Reason>,
    /// The time until the next attempt, in milliseconds, rounded down.
    pub delay_ms: Option<u64>,
    /// The exceeded timeout, in milliseconds, rounded down.
    pub timeout_ms: Option<u64>,
    /// The number of lost events, of panics, or of waiting submissions.
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
            reason: None,
            delay_ms: None,
            timeout_ms: None,
            count: None,
            seq: 0,
            at,
        }
    }

    /// Returns [`delay_ms`](Self::delay_ms) as a duration: the time until the next attempt.
    #[must_use]
    pub fn delay(&self) -> Option<Duration> {
        self.delay_ms.map(Duration::from_millis)
    }

    /// Returns [`timeout_ms`](Self::timeout_ms) as a duration: the exceeded timeout.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout_ms.map(Duration::from_millis)
    }

    /// Returns the error that caused the event, if there is one.
    #[must_use]
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

/// The reason of an event. An error is formatted when it is first read, and only then.
#[derive(Clone)]
pub struct Reason {
    pub(super) error: Option<Arc<TaskError>>,
    pub(super) text: OnceLock<Box<str>>,
}

impl Reason {
    /// Returns the error, if there is one.
    #[must_use]
    pub const fn error(&self) -> Option<&Arc<TaskError>> {
        self.error.as_ref()
    }

    /// Returns the reason as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        if let Some(text) = self.text.get() {
            return text;
        }
        // Formatted before the cell is entered, so that concurrent readers do not wait for user code.
        let text = self.error.as_ref().map(|error| one_line(&**error)).unwrap_or_default();
        self.text.get_or_init(|| text.into())
    }
}

impl Drop for Reason {
    /// The error is the user's, and so is its drop. Each on its own: two panics in one unwinding end the process.
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
        Self { error: None, text: OnceLock::from(Box::from(text)) }
    }
}

impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        Self { error: None, text: OnceLock::from(Box::from(text)) }
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
