//! The outcome of a registration.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::supervisor::RuntimeError;
use crate::task::{StopReason, TaskError};

labels! {
    /// The outcome of a task: how its registration ended, and the cause.
    ///
    /// Every registration and every accepted submission has exactly one outcome, also at a shutdown. Use it for
    /// decisions; events are for observation. [`TaskHandle::outcome`](crate::TaskHandle::outcome) and
    /// [`ChildHandle::outcome`](crate::ChildHandle::outcome) wait for it. The guide explains
    /// [outcomes and events](crate::guide::outcomes_and_events).
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use taskvisor::{Supervisor, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskOutcome, TaskSpec};
    ///
    /// let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    /// let task = TaskFn::arc("import", |_: TaskContext| async {
    ///     Err(TaskError::Fatal { reason: "no such file".into() })
    /// });
    /// let outcome = supervisor.add_task(TaskSpec::inherit(task)).await?.outcome().await;
    ///
    /// assert!(matches!(outcome, TaskOutcome::Fatal { .. }));
    /// assert_eq!(outcome.to_string(), "fatal: no such file");
    /// # Ok(())
    /// # }
    /// ```
    #[derive(Debug, Clone)]
    #[non_exhaustive]
    pub enum TaskOutcome {
        /// The last attempt succeeded, and no other attempt follows.
        Completed = "completed",
        /// It was requested to stop, or returned [`TaskError::Canceled`].
        Canceled {
            /// The failure or panic of the attempt while it stopped.
            error: Option<Arc<TaskError>>,
            /// The reason of the stop request; [`Canceled`](StopReason::Canceled) if the task returned
            /// [`TaskError::Canceled`] without a request.
            reason: StopReason,
            /// `true` if the last attempt returned `Ok`, so that its work is complete. `false` if it returned
            /// [`TaskError::Canceled`], failed, or was dropped, and if no attempt ran.
            finished: bool,
        } = "canceled",
        /// It failed, and its restart policy is [`Never`](crate::RestartPolicy::Never).
        Failed {
            /// The failure.
            error: Arc<TaskError>,
        } = "failed",
        /// It had more consecutive failures than `max_retries` allows, or more failures than its
        /// [limit](crate::TaskSpec::with_limit) allows.
        Exhausted {
            /// The last failure.
            error: Arc<TaskError>,
            /// The number of these failures: the consecutive ones, or those within the time of the limit.
            failures: u32,
        } = "exhausted",
        /// It failed with an error that [is fatal](TaskError::is_fatal).
        Fatal {
            /// The failure.
            error: Arc<TaskError>,
        } = "fatal",
        /// It panicked, and its restart policy is [`Never`](crate::RestartPolicy::Never).
        Panicked {
            /// The panic.
            error: Arc<TaskError>,
        } = "panicked",
        /// It did not stop in time.
        Aborted {
            /// The failure of its last finished attempt, if there is one.
            error: Option<Arc<TaskError>>,
        } = "aborted",
        /// It was submitted to a slot and never ran.
        Rejected {
            /// The reason.
            reason: RejectReason,
        } = "rejected",
    }
}

labels! {
    /// The kind of a [`TaskOutcome`], without its values. `Display` formats its label, which is that of the outcome.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum OutcomeKind: Display {
        /// [`TaskOutcome::Completed`].
        Completed = "completed",
        /// [`TaskOutcome::Canceled`].
        Canceled = "canceled",
        /// [`TaskOutcome::Failed`].
        Failed = "failed",
        /// [`TaskOutcome::Exhausted`].
        Exhausted = "exhausted",
        /// [`TaskOutcome::Fatal`].
        Fatal = "fatal",
        /// [`TaskOutcome::Panicked`].
        Panicked = "panicked",
        /// [`TaskOutcome::Aborted`].
        Aborted = "aborted",
        /// [`TaskOutcome::Rejected`].
        Rejected = "rejected",
    }
}

impl OutcomeKind {
    /// Returns a short, stable name of the kind, for metrics and logs.
    pub const fn as_label(self) -> &'static str {
        self.label()
    }
}

labels! {
    /// The reason why a submission never ran.
    ///
    /// | reason | [label](Self::as_label) | when | policy |
    /// |---|---|---|---|
    /// | [`Busy`](Self::Busy) | `busy` | The slot was busy. | `DropIfRunning` |
    /// | [`Paused`](Self::Paused) | `paused` | The slot was paused. | `DropIfRunning` |
    /// | [`Superseded`](Self::Superseded) | `superseded` | A later replacement, or a later one under `Latest`, took its place while it waited to be the next. | `Replace`, `Latest` |
    /// | [`Full`](Self::Full) | `full` | The queue of the slot held as many submissions as its capacity allows. | `Queue` |
    /// | [`ShuttingDown`](Self::ShuttingDown) | `shutting_down` | It still waited when the drain of a shutdown was over. In a slot that a task of the tree is `after`, when the tree has terminated. | `Queue`, `Replace`, `Latest` |
    /// | [`Refused`](Self::Refused) | `refused` | It was to start and could not be registered, for example because its name was taken. | any |
    ///
    /// A submission that is canceled while it waits is [`Canceled`](TaskOutcome::Canceled), not rejected. A submission
    /// that was not accepted at all has no outcome: `submit` returns an error. The guide explains
    /// [slots](crate::guide::slots).
    #[derive(Debug, Clone)]
    #[non_exhaustive]
    pub enum RejectReason {
        /// Its slot was busy, under the admission policy `DropIfRunning`.
        Busy = "busy",
        /// Its slot was paused, under the admission policy `DropIfRunning`.
        Paused = "paused",
        /// It waited to be the next, under `Replace` or `Latest`, and a later submission superseded it.
        Superseded = "superseded",
        /// The queue of its slot was full.
        Full = "full",
        /// The supervisor was shut down while it waited.
        ShuttingDown = "shutting_down",
        /// It could not be registered when its turn came.
        Refused {
            /// The error.
            error: Arc<RuntimeError>,
        } = "refused",
    }
}

impl RejectReason {
    /// Returns a short, stable name of the reason, for metrics and logs.
    pub const fn as_label(&self) -> &'static str {
        self.label()
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("its slot is busy"),
            Self::Paused => f.write_str("its slot is paused"),
            Self::Superseded => f.write_str("superseded by a later one"),
            Self::Full => f.write_str("the queue of its slot is full"),
            Self::ShuttingDown => f.write_str("the supervisor is shutting down"),
            Self::Refused { error } => write!(f, "{error:#}"),
        }
    }
}

impl TaskOutcome {
    /// Returns a short, stable name of the kind of outcome, for metrics and logs.
    pub const fn as_label(&self) -> &'static str {
        self.label()
    }

    /// Returns the kind of outcome.
    pub const fn kind(&self) -> OutcomeKind {
        match self {
            Self::Completed => OutcomeKind::Completed,
            Self::Canceled { .. } => OutcomeKind::Canceled,
            Self::Failed { .. } => OutcomeKind::Failed,
            Self::Exhausted { .. } => OutcomeKind::Exhausted,
            Self::Fatal { .. } => OutcomeKind::Fatal,
            Self::Panicked { .. } => OutcomeKind::Panicked,
            Self::Aborted { .. } => OutcomeKind::Aborted,
            Self::Rejected { .. } => OutcomeKind::Rejected,
        }
    }

    /// Returns `true` if the task completed.
    pub const fn is_completed(&self) -> bool {
        matches!(self, Self::Completed)
    }

    /// Returns the error of the task that caused the outcome, if there is one.
    pub const fn error(&self) -> Option<&Arc<TaskError>> {
        match self {
            Self::Completed | Self::Rejected { .. } => None,
            Self::Canceled { error, .. } | Self::Aborted { error } => error.as_ref(),
            Self::Failed { error }
            | Self::Exhausted { error, .. }
            | Self::Fatal { error }
            | Self::Panicked { error } => Some(error),
        }
    }

    /// Returns the cause of the outcome for error reporters: the error of the task, or the reason why a submission was
    /// refused. For a [`TaskError`] that wraps an error it is the wrapped error; [`error`](Self::error) returns the
    /// wrapper.
    pub fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Rejected { reason: RejectReason::Refused { error } } => Some(&**error),
            _ => self.error().map(|error| error.unwrapped()),
        }
    }
}

/// Formats the outcome, and the failure with its causes. The text has one line, unless an error of the task has several.
impl fmt::Display for TaskOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text of a panic begins with the label.
        if let (Self::Panicked { .. }, Some(error)) = (self, self.error()) {
            return write!(f, "{error:#}");
        }
        f.write_str(self.as_label())?;
        if let Self::Exhausted { failures, .. } = self {
            write!(f, " after {failures} failure{}", if *failures == 1 { "" } else { "s" })?;
        }
        if let Self::Canceled { reason, .. } = self {
            if *reason != StopReason::Canceled {
                write!(f, " ({reason})")?;
            }
        }
        match (self, self.error()) {
            (Self::Rejected { reason }, _) => write!(f, ": {reason}"),
            (_, Some(error)) => write!(f, ": {error:#}"),
            _ => Ok(()),
        }
    }
}
