//! The log level of an event.

use super::{Event, EventKind};

labels! {
    /// The log level of an event. More important levels are greater.
    ///
    /// Each fact has one line from `Info` on: what tells it once more is at `Debug`.
    ///
    /// | level | events |
    /// |---|---|
    /// | [`Error`](Self::Error) | `ActorDead`, `ActorExhausted` with a reason, `GroupFailed` without a delay: it does not start again; `ShutdownRequested` with an [error](Event::error): the tree failed; `GraceExceeded`, `LeaseOverrun` |
    /// | [`Warn`](Self::Warn) | `TaskFailed` if the task does not end with it, or was aborted; `GroupFailed` with a delay, `TaskStopped` with an [error](Event::error): the attempt failed after its stop request; `ShutdownForced`, `ControllerRejected` with another reason, `RunsMissed`, `LeaseLost`, `FleetUnreachable`, `Warning`, `SubscriberPanicked`, `SubscriberOverflow` |
    /// | [`Info`](Self::Info) | `TaskStarting`, `TaskReady`, `GroupRestarted`, `GroupEnded`, `TaskStopped` without an error if another attempt follows or it was requested to stop; `TimeoutHit`: the failure follows when the attempt has ended; `ActorExhausted` without a reason, `TaskRemoved` with a reason: it ended between attempts; `TaskPaused`, `TaskResumed`, `ShutdownRequested` without an error, `ShutdownWaiting`, `AllStoppedWithinGrace`, `LeaseAcquired`, `LeaseReleased`, `FleetReachable`, `ControllerRejected` with the reason `canceled` or `superseded` |
    /// | [`Debug`](Self::Debug) | `TaskStarting` and `TaskStopped` of a [routine](Event::routine) run: the next one of a periodic task, which follows a success, or of a task that has succeeded ten times in a row; not the start by a restart of siblings; `TaskStopped` and `TaskFailed` if `ActorExhausted` or `ActorDead` follows; `TaskAddRequested`, `TaskAdded`, `TaskRemoveRequested`, `TaskRemoved` without a reason, `BackoffScheduled`, `ControllerSubmitted`, `ControllerSlotTransition` |
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum LogLevel: Display {
        /// Details.
        Debug = "DEBUG",
        /// Normal operation.
        Info = "INFO",
        /// A failure that is handled.
        Warn = "WARN",
        /// A failure that persists.
        Error = "ERROR",
    }
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
    pub fn of(event: &Event) -> Self {
        match event.kind {
            // The run before it has succeeded, and so does this one.
            EventKind::TaskStarting | EventKind::TaskStopped if event.routine => Self::Debug,
            // The next event says that the task has ended, and why.
            EventKind::TaskStopped | EventKind::TaskFailed if event.last => Self::Debug,
            // No event of an attempt has told of the end.
            EventKind::TaskRemoved if event.reason.is_some() => Self::Info,
            // With a reason, no retry is left. Without one, the task completed.
            EventKind::ActorExhausted if event.reason.is_some() => Self::Error,
            // The group does not start again.
            EventKind::GroupFailed if event.delay_ms.is_none() => Self::Error,
            // The tree failed.
            EventKind::ShutdownRequested if event.error().is_some() => Self::Error,
            // The attempt failed after its stop request.
            EventKind::TaskStopped if event.error().is_some() => Self::Warn,
            // The submission was canceled, or a later one superseded it. Any other reason is a rejection.
            EventKind::ControllerRejected if matches!(event.reason.as_deref(), Some("canceled" | "superseded")) => {
                Self::Info
            }
            usual => usual.usual_level(),
        }
    }

    /// Returns the name of the level in capitals.
    pub const fn as_str(self) -> &'static str {
        self.label()
    }
}
