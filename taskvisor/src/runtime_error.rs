//! What a supervisor can refuse or report.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::error::TaskError;
use crate::failure::FailureChain;

/// Why a supervisor refused a call, or how its run ended badly.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// Tasks were still running when the shutdown's grace, or their own `stop_timeout`, was over. They were aborted.
    #[error("{} not stopped in time (grace {grace:?}): {}", count(stuck.len()), stuck.join(", "))]
    GraceExceeded {
        /// The grace period of the shutdown.
        grace: Duration,
        /// The paths of exactly the tasks that had to be aborted, in the order of their registration.
        stuck: Vec<String>,
    },
    /// Tasks were still running when the shutdown was forced, or when their own `stop_timeout` was over. They were
    /// aborted.
    #[error("{} aborted, as the shutdown was forced after {after:?}: {}", count(stuck.len()), stuck.join(", "))]
    ShutdownForced {
        /// How long after the request the shutdown was forced.
        after: Duration,
        /// The paths of exactly the tasks that had to be aborted, in the order of their registration.
        stuck: Vec<String>,
    },
    /// The name belongs to another task until that one's last attempt has physically ended.
    #[error("a task named `{name}` is already registered")]
    TaskAlreadyExists {
        /// The name that was asked for.
        name: String,
    },
    /// No task of this name is registered.
    #[error("no task named `{name}` is registered")]
    TaskNotFound {
        /// The name that was asked for.
        name: String,
    },
    /// A task did not end within its bound, and could not be aborted either: it blocks its thread.
    #[error("task `{name}` was told to stop, but still runs after {timeout:?}")]
    TaskRemoveTimeout {
        /// The task's name.
        name: String,
        /// How long the call waited before the abort.
        timeout: Duration,
    },
    /// The group of that path has ended, is stopping, or has not started.
    #[error("group `{name}` is not running")]
    GroupNotRunning {
        /// The path that was asked for.
        name: String,
    },
    /// The tree failed: a task or group that it needs ended in failure.
    #[error("{chain}{}", left(stuck))]
    Failed {
        /// How the failure made its way up, the leaf first.
        chain: FailureChain,
        /// What the leaf failed with.
        source: Option<Arc<TaskError>>,
        /// What had to be aborted during the shutdown.
        stuck: Vec<String>,
    },
    /// The root failed more often than its limit allows.
    #[error("{chain}{}", left(stuck))]
    IntensityExceeded {
        /// How the failure made its way up, the leaf first.
        chain: FailureChain,
        /// What had to be aborted during the shutdown.
        stuck: Vec<String>,
    },
    /// `run` was called while an earlier `run` of the same supervisor was going on.
    #[error("this supervisor is already running")]
    AlreadyRunning,
    /// The supervisor is shutting down or has been shut down.
    #[error("the supervisor is shutting down")]
    ShuttingDown,
    /// The supervisor was used for the first time outside a Tokio runtime.
    #[error("no Tokio runtime: call this from a task or a thread of a Tokio runtime with time enabled")]
    NoRuntime,
    /// As many submissions wait in slots as the controller allows.
    #[error("the controller's queue is full: {capacity} submissions wait already")]
    QueueFull {
        /// The controller's `queue_capacity`.
        capacity: usize,
    },
    /// The operating system refused to tell of signals.
    #[error("cannot listen for signals: {0}")]
    Signals(#[source] Arc<io::Error>),
    /// A spec or a config holds a value that makes no sense.
    #[error(transparent)]
    InvalidOption(Arc<InvalidOption>),
}

fn count(tasks: usize) -> String {
    match tasks {
        1 => "1 task".into(),
        n => format!("{n} tasks"),
    }
}

pub(crate) fn left(stuck: &[String]) -> String {
    if stuck.is_empty() { String::new() } else { format!("; not stopped in time: {}", stuck.join(", ")) }
}

impl RuntimeError {
    /// What had to be aborted.
    pub(crate) fn stuck(&self) -> &[String] {
        match self {
            Self::GraceExceeded { stuck, .. }
            | Self::ShutdownForced { stuck, .. }
            | Self::Failed { stuck, .. }
            | Self::IntensityExceeded { stuck, .. } => stuck,
            _ => &[],
        }
    }

    /// A short, stable name of the kind of error, for metrics and logs.
    #[must_use]
    pub const fn as_label(&self) -> &'static str {
        match self {
            Self::GraceExceeded { .. } => "runtime_grace_exceeded",
            Self::ShutdownForced { .. } => "runtime_shutdown_forced",
            Self::TaskAlreadyExists { .. } => "runtime_task_already_exists",
            Self::TaskNotFound { .. } => "runtime_task_not_found",
            Self::TaskRemoveTimeout { .. } => "runtime_task_remove_timeout",
            Self::GroupNotRunning { .. } => "runtime_group_not_running",
            Self::Failed { .. } => "runtime_failed",
            Self::IntensityExceeded { .. } => "runtime_intensity_exceeded",
            Self::AlreadyRunning => "runtime_already_running",
            Self::ShuttingDown => "runtime_shutting_down",
            Self::NoRuntime => "runtime_no_tokio_runtime",
            Self::QueueFull { .. } => "runtime_queue_full",
            Self::Signals(_) => "runtime_signals",
            Self::InvalidOption(_) => "runtime_invalid_option",
        }
    }
}

/// A value of a spec or a config that makes no sense: whose, which, and what would be right.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use taskvisor::{BackoffPolicy, RuntimeError, Supervisor, SupervisorConfig, TaskError, TaskFn, TaskSpec};
///
/// let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
/// let task = TaskFn::arc("sync", |_: taskvisor::TaskContext| async { Ok(()) });
/// let spec = TaskSpec::inherit(task).with_backoff(BackoffPolicy { factor: f64::NAN, ..BackoffPolicy::default() });
///
/// let Err(RuntimeError::InvalidOption(invalid)) = supervisor.add_task(spec).await else { panic!() };
/// assert_eq!(invalid.to_string(), "task `sync`: `backoff.factor` is NaN, expected a finite number of at least 0");
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidOption {
    /// Whose option it is: a task with its name, or the config.
    pub subject: String,
    /// The option.
    pub option: &'static str,
    /// The value that was given.
    pub value: String,
    /// What would be right.
    pub expected: &'static str,
}

impl fmt::Display for InvalidOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, option, value, expected } = self;
        write!(f, "{subject}: `{option}` is {value}, expected {expected}")
    }
}

impl std::error::Error for InvalidOption {}

impl From<InvalidOption> for RuntimeError {
    fn from(invalid: InvalidOption) -> Self {
        Self::InvalidOption(Arc::new(invalid))
    }
}
