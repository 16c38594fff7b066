//! An event.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use crate::inspect::{TaskId, now, one_line};
use crate::panics::drop_caught;
use crate::task::TaskError;

/// The kind of an event.
///
/// Every event has its `kind`, its number `seq` and its time `at`. The table lists the other fields of [`Event`] that
/// events of a kind have. [`Event::data`] returns the same as a variant for each kind. The guide lists the
/// [order of events](crate::guide::outcomes_and_events) in common cases.
///
/// | kind | when it is published | fields |
/// |---|---|---|
/// | [`TaskStarting`](Self::TaskStarting) | An attempt begins. | `task`, `id`, `attempt` |
/// | [`TaskStopped`](Self::TaskStopped) | An attempt ended in success, or after a stop request, or with [`TaskError::Canceled`]. | `task`, `id`, `attempt`; `reason` unless it succeeded: the error of the attempt, or `canceled` |
/// | [`TaskFailed`](Self::TaskFailed) | An attempt failed, or was aborted. | `task`, `id`, `attempt`, `reason` |
/// | [`TimeoutHit`](Self::TimeoutHit) | An attempt exceeded its timeout, its start timeout or its watchdog. `TaskFailed` follows when it has ended, or `TaskStopped` after a stop request. A start that times out before its attempt begins has `TaskFailed` only. | `task`, `id`, `attempt`, `timeout_ms` |
/// | [`BackoffScheduled`](Self::BackoffScheduled) | After an attempt, the next one waits. Not for a wait of zero. | `task`, `id`, `attempt`, `delay_ms`; `reason`: the error, or `interval` or `throttled` after a success |
/// | [`ActorExhausted`](Self::ActorExhausted) | The task completed, or failed with no retry left. | `task`, `id`, `attempt`; `reason` unless it completed |
/// | [`ActorDead`](Self::ActorDead) | A fatal error ended the task. | `task`, `id`, `attempt`, `reason` |
/// | [`TaskAdded`](Self::TaskAdded) | A task is registered. For a submission to a slot: its turn came. | `task`, `id` |
/// | [`TaskRemoved`](Self::TaskRemoved) | A registration has ended: the task has terminated, and its name is free. | `task`, `id` |
/// | [`TaskAddRequested`](Self::TaskAddRequested) | Just before `TaskAdded`. | `task`, `id` |
/// | [`TaskRemoveRequested`](Self::TaskRemoveRequested) | A task was requested to stop for the first time, by name, through its handle, or by a replacement in its slot. Not by a shutdown or by its group. | `task`, `id` |
/// | [`ShutdownRequested`](Self::ShutdownRequested) | A shutdown begins, once for each supervisor. | `reason`: the cause, such as `SIGTERM`, `shutdown()` or the failure of the tree, which is its [error](Event::error): a [`FailureChain`](crate::FailureChain) |
/// | [`ShutdownForced`](Self::ShutdownForced) | A shutdown is forced for the first time, by a second signal or `shutdown_now`. | `reason`: the cause |
/// | [`AllStoppedWithinGrace`](Self::AllStoppedWithinGrace) | A shutdown is over, and no task was aborted. | `reason` if the tree failed |
/// | [`GraceExceeded`](Self::GraceExceeded) | A shutdown is over, and tasks were aborted: at the end of the grace, or of a layer's share, or by a forced shutdown. | `reason`: the tasks, and the failure of the tree if it failed |
/// | [`ControllerSubmitted`](Self::ControllerSubmitted) | A slot accepted a submission. | `task`, `id`, `slot`, `count` |
/// | [`ControllerRejected`](Self::ControllerRejected) | A submission will not run. | `task`, `id`, `slot`, `count`; `reason`: a label of [`RejectReason`], or `canceled` |
/// | [`ControllerSlotTransition`](Self::ControllerSlotTransition) | A slot changed its state or its owner. | `slot`, `count`, `reason`; `task` and `id` unless it is idle |
/// | [`Warning`](Self::Warning) | A task waits for a permit for 10 s; a `critical` task or group without `max_retries` has failed 10 times in a row; a task without an interval has succeeded at once 10 times in a row, and pauses from then on; a group other than the root failed. | `task`: the path of the task or group; `reason`; `id` of a task; `attempt` after an attempt of a task |
/// | [`SubscriberPanicked`](Self::SubscriberPanicked) | A subscriber panicked. | `task`: the name of the subscriber; `count`, `reason` |
/// | [`SubscriberOverflow`](Self::SubscriberOverflow) | A subscriber lost events. | `task`: the name of the subscriber; `count`, `reason` |
///
/// A submission that never runs has no `TaskAdded` and no `TaskRemoved`: its last event is `ControllerRejected`. With
/// no subscriber and no stream, no event is created.
///
/// [`RejectReason`]: crate::RejectReason
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// An attempt begins.
    TaskStarting,
    /// An attempt ended in success, without a `reason`; or after a stop request or as canceled, with a `reason`.
    TaskStopped,
    /// An attempt failed, or was aborted.
    TaskFailed,
    /// An attempt exceeded its timeout, its start timeout or its watchdog.
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
    /// A task was requested to stop, by name, through its handle, or by a submission that replaces it in its slot.
    TaskRemoveRequested,
    /// A shutdown was requested; `reason` names the cause. If the tree failed, the reason has the error.
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
/// Which of the fields are set follows from [`kind`](Self::kind): see the table at [`EventKind`].
/// [`data`](Self::data) gives a variant for each kind with the fields that it has.
///
/// Events are for logs, metrics and alarms. A subscriber that is behind loses events, so code must not decide on them:
/// use [`TaskHandle::outcome`](crate::TaskHandle::outcome) instead. The guide explains
/// [outcomes and events](crate::guide::outcomes_and_events).
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
    pub fn delay(&self) -> Option<Duration> {
        self.delay_ms.map(Duration::from_millis)
    }

    /// Returns [`timeout_ms`](Self::timeout_ms) as a duration: the exceeded timeout.
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

/// The reason of an event. An error is formatted when it is first read, and only then.
#[derive(Clone)]
pub struct Reason {
    pub(super) error: Option<Arc<TaskError>>,
    pub(super) text: OnceLock<Box<str>>,
}

impl Reason {
    /// Creates a reason whose error is already formatted.
    pub(crate) fn formatted(error: Arc<TaskError>, text: &str) -> Self {
        Self { error: Some(error), text: OnceLock::from(Box::from(text)) }
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
