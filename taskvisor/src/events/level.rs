//! The log level of an event.

use std::fmt;

use super::{Event, EventKind};

/// The log level of an event. More important levels are greater.
///
/// | level | events |
/// |---|---|
/// | [`Error`](Self::Error) | `ActorDead`, `ActorExhausted` and `AllStoppedWithinGrace` with a reason, `GraceExceeded` |
/// | [`Warn`](Self::Warn) | `TaskFailed`, `TimeoutHit`, `ShutdownForced`, `ControllerRejected`, `Warning`, `SubscriberPanicked`, `SubscriberOverflow` |
/// | [`Info`](Self::Info) | `TaskAdded`, `TaskStarting`, `TaskStopped`, `ActorExhausted` without a reason, `TaskRemoved`, `ShutdownRequested`, `AllStoppedWithinGrace` without a reason |
/// | [`Debug`](Self::Debug) | `TaskAddRequested`, `TaskRemoveRequested`, `BackoffScheduled`, `ControllerSubmitted`, `ControllerSlotTransition` |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Details.
    Debug,
    /// Normal operation.
    Info,
    /// A failure that is handled.
    Warn,
    /// A failure that persists.
    Error,
}

impl LogLevel {
    /// Returns the level of an event.
    ///
    /// ```
    /// use taskvisor::{Event, EventKind, LogLevel};
    ///
    /// assert_eq!(LogLevel::of(&Event::new(EventKind::TaskFailed)), LogLevel::Warn);
    /// assert!(LogLevel::Warn < LogLevel::Error);
    /// ```
    #[must_use]
    pub const fn of(event: &Event) -> Self {
        match event.kind {
            // Without a reason, the task completed or all tasks stopped in time.
            EventKind::ActorExhausted | EventKind::AllStoppedWithinGrace if event.reason.is_none() => Self::Info,
            EventKind::ActorDead
            | EventKind::ActorExhausted
            | EventKind::AllStoppedWithinGrace
            | EventKind::GraceExceeded => Self::Error,
            EventKind::TaskFailed
            | EventKind::TimeoutHit
            | EventKind::ShutdownForced
            | EventKind::ControllerRejected
            | EventKind::Warning
            | EventKind::SubscriberPanicked
            | EventKind::SubscriberOverflow => Self::Warn,
            EventKind::TaskAdded
            | EventKind::TaskStarting
            | EventKind::TaskStopped
            | EventKind::TaskRemoved
            | EventKind::ShutdownRequested => Self::Info,
            EventKind::TaskAddRequested
            | EventKind::TaskRemoveRequested
            | EventKind::BackoffScheduled
            | EventKind::ControllerSubmitted
            | EventKind::ControllerSlotTransition => Self::Debug,
        }
    }

    /// Returns the name of the level in capitals.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
