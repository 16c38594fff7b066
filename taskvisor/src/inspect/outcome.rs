//! How a registration ended for good.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::supervisor::RuntimeError;
use crate::task::TaskError;

/// How a task ended for good, with what caused it.
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
    /// The last attempt succeeded, and the restart policy asked for no other.
    Completed,
    /// It was told to stop, or gave up of its own accord with [`TaskError::Canceled`].
    Canceled {
        /// What the attempt failed or panicked with while it was stopping.
        error: Option<Arc<TaskError>>,
    },
    /// It failed, and its restart policy is [`Never`](crate::RestartPolicy::Never).
    Failed {
        /// What it failed with.
        error: Arc<TaskError>,
    },
    /// It failed more often in a row than `max_retries` allows.
    Exhausted {
        /// What it failed with last.
        error: Arc<TaskError>,
        /// How many failures in a row there were.
        failures: u32,
    },
    /// It failed with an error that [is fatal](TaskError::is_fatal).
    Fatal {
        /// What it failed with.
        error: Arc<TaskError>,
    },
    /// It panicked, and its restart policy is [`Never`](crate::RestartPolicy::Never).
    Panicked {
        /// The panic.
        error: Arc<TaskError>,
    },
    /// It did not stop in the time that it was given.
    Aborted {
        /// What its last finished attempt failed with, if it did.
        error: Option<Arc<TaskError>>,
    },
    /// It was submitted to a slot, and never ran.
    Rejected {
        /// Why.
        reason: RejectReason,
    },
}

/// Why a submission never ran.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RejectReason {
    /// Its slot was busy, and it was not to wait.
    Busy,
    /// It was to replace the task that ran, and a later one took its place.
    Superseded,
    /// As many waited in its slot as may.
    Full,
    /// The supervisor was shut down while it waited.
    ShuttingDown,
    /// Its turn had come, and it could not be registered.
    Refused {
        /// Why not.
        error: Arc<RuntimeError>,
    },
}

impl RejectReason {
    /// A short, stable name of the reason, for metrics and logs.
    #[must_use]
    pub const fn as_label(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Superseded => "superseded",
            Self::Full => "full",
            Self::ShuttingDown => "shutting_down",
            Self::Refused { .. } => "refused",
        }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("its slot is busy"),
            Self::Superseded => f.write_str("superseded by a later one"),
            Self::Full => f.write_str("the queue of its slot is full"),
            Self::ShuttingDown => f.write_str("the supervisor is shutting down"),
            Self::Refused { error } => write!(f, "{error:#}"),
        }
    }
}

impl TaskOutcome {
    /// A short, stable name of the kind of outcome, for metrics and logs.
    #[must_use]
    pub const fn as_label(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Canceled { .. } => "canceled",
            Self::Failed { .. } => "failed",
            Self::Exhausted { .. } => "exhausted",
            Self::Fatal { .. } => "fatal",
            Self::Panicked { .. } => "panicked",
            Self::Aborted { .. } => "aborted",
            Self::Rejected { .. } => "rejected",
        }
    }

    /// Whether the task completed.
    #[must_use]
    pub const fn is_completed(&self) -> bool {
        matches!(self, Self::Completed)
    }

    /// The task's error behind the outcome, if there is one.
    #[must_use]
    pub const fn error(&self) -> Option<&Arc<TaskError>> {
        match self {
            Self::Completed | Self::Rejected { .. } => None,
            Self::Canceled { error } | Self::Aborted { error } => error.as_ref(),
            Self::Failed { error }
            | Self::Exhausted { error, .. }
            | Self::Fatal { error }
            | Self::Panicked { error } => Some(error),
        }
    }

    /// What caused the outcome, in the form that error reporters take: what the task failed with, or why a submission
    /// was refused. Of a [`TaskError`] that wraps an error it is that error: [`error`](Self::error) gives the wrapper.
    #[must_use]
    pub fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Rejected { reason: RejectReason::Refused { error } } => Some(&**error),
            _ => self.error().map(|error| error.unwrapped()),
        }
    }
}

/// One line: what became of the task, and what it failed with, its causes included.
impl fmt::Display for TaskOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_label())?;
        if let Self::Exhausted { failures, .. } = self {
            write!(f, " after {failures} failure{}", if *failures == 1 { "" } else { "s" })?;
        }
        match (self, self.error()) {
            (Self::Rejected { reason }, _) => write!(f, ": {reason}"),
            (Self::Panicked { .. }, Some(error)) => match &**error {
                TaskError::Panicked { message } => write!(f, ": {message}"),
                error => write!(f, ": {error:#}"),
            },
            (_, Some(error)) => write!(f, ": {error:#}"),
            _ => Ok(()),
        }
    }
}
