//! How a registration ended for good.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::error::TaskError;

/// How a task ended for good, with what caused it.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use taskvisor::{Supervisor, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskOutcome, TaskSpec};
///
/// let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
/// let task = TaskFn::arc("import", |_: TaskContext| async { Err(TaskError::Fatal { reason: "no such file".into() }) });
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
    /// It failed with [`TaskError::Fatal`].
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
        }
    }

    /// Whether the task completed.
    #[must_use]
    pub const fn is_completed(&self) -> bool {
        matches!(self, Self::Completed)
    }

    /// The error behind the outcome, if there is one.
    #[must_use]
    pub const fn error(&self) -> Option<&Arc<TaskError>> {
        match self {
            Self::Completed => None,
            Self::Canceled { error } | Self::Aborted { error } => error.as_ref(),
            Self::Failed { error }
            | Self::Exhausted { error, .. }
            | Self::Fatal { error }
            | Self::Panicked { error } => Some(error),
        }
    }

    /// The same as [`error`](Self::error), in the form that error reporters take.
    #[must_use]
    pub fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error().map(|error| &**error as &(dyn Error + 'static))
    }
}

impl fmt::Display for TaskOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_label())?;
        if let Self::Exhausted { failures, .. } = self {
            write!(f, " after {failures} failure{}", if *failures == 1 { "" } else { "s" })?;
        }
        match self.error() {
            Some(error) => write!(f, ": {error}"),
            None => Ok(()),
        }
    }
}
