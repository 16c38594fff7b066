//! What is told to subscribers.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use crate::inspect::{TaskId, now, one_line};
use crate::panics::drop_caught;
use crate::task::TaskError;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// An attempt begins.
    TaskStarting,
    /// An attempt ended in success, with no `reason`; or it was told to stop or gave up, and `reason` says what with.
    TaskStopped,
    /// An attempt failed, or was aborted.
    TaskFailed,
    /// An attempt exceeded its timeout.
    TimeoutHit,
    /// The next attempt waits, after a failure or a success; `delay_ms` says how long.
    BackoffScheduled,
    /// The restart policy asks for no other attempt: the task completed, or it failed with `reason` and no retry is
    /// left.
    ActorExhausted,
    /// A fatal error ended the task; `reason` is the error.
    ActorDead,
    /// A task is registered.
    TaskAdded,
    /// A registration has ended and its name is free.
    TaskRemoved,
    /// A task is about to be registered.
    TaskAddRequested,
    /// A task was told to stop by name or through its handle.
    TaskRemoveRequested,
    /// A shutdown was requested; `reason` says by whom.
    ShutdownRequested,
    /// A shutdown was forced, by a second signal or by `shutdown_now`; `reason` says by which. Tasks that have not
    /// stopped are aborted.
    ShutdownForced,
    /// Every task stopped in the time that it was given; `reason` is why the tree failed, if it did.
    AllStoppedWithinGrace,
    /// Some tasks had to be aborted; `reason` names them, and says why the tree failed, if it did.
    GraceExceeded,
    /// A submission was taken: its task starts at once, or waits. `slot` is where, `count` how many wait there now.
    ControllerSubmitted,
    /// A submission will not run. `reason` is `busy`, `full`, `superseded`, `shutting_down`, `refused`, or `canceled`
    /// where it was told to stop while it waited; `slot` is where, `count` how many wait there now.
    ControllerRejected,
    /// A slot goes from one state to another, which `reason` says, as in `idle -> running`; `slot` is which, `task` its
    /// owner unless it is idle now, `count` how many wait in it now. It is `stopping` when its owner is told to make
    /// way, and not when that is cancelled; to `running` from `running` or `stopping` the owner changes.
    ControllerSlotTransition,
    /// Something goes on that somebody should look at, before it becomes a failure; `reason` says what, and what is
    /// missing.
    Warning,
    /// A subscriber panicked; `task` is its name, `count` says how often in this burst.
    SubscriberPanicked,
    /// A subscriber's queue was full; `task` is its name, `count` says how many events it lost in this burst.
    SubscriberOverflow,
}

impl EventKind {
    /// The variant's name.
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

    /// A bit of its own, for sets of kinds.
    pub(crate) const fn bit(self) -> u64 {
        1 << self as u64
    }

    /// Whether this reports on a subscriber, and so never causes another report.
    pub(crate) const fn is_diagnostic(self) -> bool {
        matches!(self, Self::SubscriberPanicked | Self::SubscriberOverflow)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that happened.
///
/// Which of the fields are set follows from [`kind`](Self::kind); [`data`](Self::data) gives a variant for each kind
/// with the fields that it has.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The path of the task, or the name of the subscriber, that it happened to.
    pub task: Option<Arc<str>>,
    /// The registration that it happened to.
    pub id: Option<TaskId>,
    /// The slot that it happened in.
    pub slot: Option<Arc<str>>,
    /// The attempt, counted from 1; 0 if a start failed before any attempt began.
    pub attempt: Option<u32>,
    /// Why, in words.
    pub reason: Option<Reason>,
    /// How long the next attempt waits, in milliseconds, rounded down.
    pub delay_ms: Option<u64>,
    /// The timeout that was exceeded, in milliseconds, rounded down.
    pub timeout_ms: Option<u64>,
    /// How many events were lost, how many panics there were, or how many submissions wait.
    pub count: Option<u64>,
    /// Grows from event to event, for each subscriber.
    pub seq: u64,
    /// When it happened. With the feature `test-util` this follows Tokio's clock, so that it advances with paused time.
    pub at: SystemTime,
}

impl Event {
    /// An event of this kind, of now, about nothing in particular. Useful to test a subscriber.
    #[must_use]
    pub fn new(kind: EventKind) -> Self {
        Self::of(kind, now())
    }

    /// As `new`, of that time.
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

    /// How long the next attempt waits, rounded down to milliseconds: [`delay_ms`](Self::delay_ms) as a duration.
    #[must_use]
    pub fn delay(&self) -> Option<Duration> {
        self.delay_ms.map(Duration::from_millis)
    }

    /// The timeout that was exceeded, rounded down to milliseconds: [`timeout_ms`](Self::timeout_ms) as a duration.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout_ms.map(Duration::from_millis)
    }

    /// The error behind the event, where there is one.
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

/// A whole number of milliseconds, as events carry it.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Why something happened. An error is formatted when it is first read, and only then.
#[derive(Clone)]
pub struct Reason {
    pub(super) error: Option<Arc<TaskError>>,
    pub(super) text: OnceLock<Box<str>>,
}

impl Reason {
    /// The error behind the reason, where there is one.
    #[must_use]
    pub const fn error(&self) -> Option<&Arc<TaskError>> {
        self.error.as_ref()
    }

    /// The reason in words.
    #[must_use]
    pub fn as_str(&self) -> &str {
        if let Some(text) = self.text.get() {
            return text;
        }
        // Formatted before the cell is entered: others who read it are not to wait for code of the user's.
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
