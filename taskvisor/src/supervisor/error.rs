//! The errors of a supervisor.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::inspect::{escaped, one_line};
use crate::settings::InvalidOverride;
use crate::task::TaskError;
use crate::tree::FailureChain;

labels! {
    /// The error of a call that the supervisor refused, or of a run that failed.
    ///
    /// `{}` gives the message of this error only. [`source`](Error::source) gives its cause, such as the error that a
    /// task returned. `{:#}` and `{:?}` give the message and all causes one after another, for a `main` that returns
    /// this error; `{:?}` escapes what could break the line.
    ///
    /// ```text
    /// Error: `sync` failed (connection refused), which `root` needs
    /// ```
    ///
    /// The guide explains [stopping](crate::guide::stopping), with the results of `run`, and the failure of
    /// [groups](crate::guide::groups).
    #[derive(Clone)]
    #[non_exhaustive]
    pub enum RuntimeError {
        /// Tasks were still running at the end of the grace of the shutdown or of their own `stop_timeout`. They were
        /// aborted.
        #[non_exhaustive]
        GraceExceeded {
            /// The grace period of the shutdown.
            grace: Duration,
            /// The paths of exactly the tasks that had to be aborted, in the order of their registration; and of groups
            /// whose function blocks its thread ([`Group::fresh`](crate::Group::fresh)).
            stuck: Vec<String>,
            /// The limit that each of these tasks exceeded, in the same order.
            limits: Vec<StopLimit>,
            /// The number of helpers that kept each of these tasks from its end although its function had returned, in
            /// the same order. Zero for a task whose function had not returned.
            helpers: Vec<usize>,
        } = "runtime_grace_exceeded",
        /// Tasks were still running when the shutdown was forced, or at the end of their own `stop_timeout`. They were
        /// aborted.
        #[non_exhaustive]
        ShutdownForced {
            /// The time from the request of the shutdown until it was forced.
            after: Duration,
            /// The paths of exactly the tasks that had to be aborted, in the order of their registration; and of groups
            /// whose function blocks its thread ([`Group::fresh`](crate::Group::fresh)).
            stuck: Vec<String>,
        } = "runtime_shutdown_forced",
        /// Another task has the name. The name is free when that task has terminated: its last attempt is dropped and
        /// its helpers are joined.
        TaskAlreadyExists {
            /// The requested name.
            name: String,
        } = "runtime_task_already_exists",
        /// A group has the name. The name is free when that group has ended.
        GroupAlreadyExists {
            /// The requested name.
            name: String,
        } = "runtime_group_already_exists",
        /// The path leads to a group where a task was expected.
        IsGroup {
            /// The requested path.
            name: String,
        } = "runtime_is_group",
        /// No task of this name is registered.
        TaskNotFound {
            /// The requested name.
            name: String,
        } = "runtime_task_not_found",
        /// A task did not end within its time limit and could not be aborted, because it blocks its thread; or a group,
        /// because of a task in it.
        TaskRemoveTimeout {
            /// The path of the task or group.
            name: String,
            /// The time that the call waited before the abort.
            timeout: Duration,
        } = "runtime_task_remove_timeout",
        /// The group of that path has ended, is stopping, has not started, or does not exist.
        GroupNotRunning {
            /// The requested path. Empty for the root.
            name: String,
        } = "runtime_group_not_running",
        /// The tree failed, because a critical task or group ended in failure.
        Failed {
            /// The path of the failure from the leaf up to the root.
            chain: FailureChain,
            /// The error of the leaf.
            source: Option<Arc<TaskError>>,
            /// The tasks that had to be aborted during the shutdown.
            stuck: Vec<String>,
        } = "runtime_failed",
        /// The root failed more often than its limit allows.
        IntensityExceeded {
            /// The path of the failure from the leaf up to the root.
            chain: FailureChain,
            /// The tasks that had to be aborted during the shutdown.
            stuck: Vec<String>,
        } = "runtime_intensity_exceeded",
        /// The group of that path is closed to additions: see [`GroupHandle::close`](crate::GroupHandle::close).
        GroupClosed {
            /// The requested path.
            name: String,
        } = "runtime_group_closed",
        /// `run` was called while another `run` of the same supervisor was in progress.
        AlreadyRunning = "runtime_already_running",
        /// The supervisor is shutting down or has been shut down.
        ShuttingDown = "runtime_shutting_down",
        /// The call needs a Tokio runtime with timers, and there is none.
        NoRuntime = "runtime_no_tokio_runtime",
        /// The slots already hold as many waiting submissions as the controller allows.
        QueueFull {
            /// The controller's `queue_capacity`.
            capacity: usize,
        } = "runtime_queue_full",
        /// The operating system refused to install a signal handler.
        Signals(Arc<io::Error>) = "runtime_signals",
        /// A spec or a config holds an invalid value.
        InvalidOption(Arc<InvalidOption>) = "runtime_invalid_option",
        /// [`Overrides`](crate::Overrides) of the tree are invalid: all of them, each with its origin. Nothing has
        /// started.
        InvalidOverrides(Vec<InvalidOverride>) = "runtime_invalid_overrides",
    }
}

fn count(tasks: usize) -> String {
    format!("{tasks} task{}", if tasks == 1 { "" } else { "s" })
}

/// Formats the paths of aborted tasks, each with the limit that it exceeded, unless that is the usual one, and with the
/// number of helpers that still ran after its function had returned.
fn with_limits(stuck: &[String], limits: &[StopLimit], helpers: &[usize]) -> String {
    let shown = stuck.iter().zip(limits).zip(helpers).map(|((path, limit), left)| {
        let limit = match limit {
            StopLimit::StopTimeout => Some("past its `stop_timeout`"),
            StopLimit::Share => Some("past the share of its layer"),
            StopLimit::Grace => None,
            StopLimit::Forced => Some("forced"),
        };
        let left = (*left > 0).then(|| has_returned(*left));
        match (limit, left) {
            (None, None) => path.clone(),
            (Some(limit), None) => format!("{path} ({limit})"),
            (None, Some(left)) => format!("{path} ({left})"),
            (Some(limit), Some(left)) => format!("{path} ({limit}: {left})"),
        }
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// Formats the number of helpers that still run after the function of a task has returned.
pub(crate) fn has_returned(helpers: usize) -> String {
    match helpers {
        1 => "its function has returned, 1 helper runs".to_owned(),
        more => format!("its function has returned, {more} helpers run"),
    }
}

pub(crate) fn left(stuck: &[String]) -> String {
    if stuck.is_empty() { String::new() } else { format!("; not stopped in time: {}", stuck.join(", ")) }
}

impl fmt::Display for RuntimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GraceExceeded { grace, stuck, limits, helpers } => {
                let shown = with_limits(stuck, limits, helpers);
                write!(f, "{} not stopped in time", count(stuck.len()))?;
                // The grace is irrelevant if all tasks exceeded their own `stop_timeout`.
                if limits.iter().any(|limit| *limit != StopLimit::StopTimeout) {
                    write!(f, " (grace {grace:?})")?;
                }
                write!(f, ": {shown}")
            }
            Self::ShutdownForced { after, stuck } => {
                let aborted = count(stuck.len());
                let after = match after.as_millis() {
                    0 => *after,
                    millis => Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)),
                };
                write!(f, "{aborted} aborted, as the shutdown was forced after {after:?}: {}", stuck.join(", "))
            }
            Self::GroupAlreadyExists { name } => write!(f, "a group named `{name}` is already registered"),
            Self::IsGroup { name } => {
                write!(f, "`{name}` is a group and no task: call `group({name:?}).cancel()` on the tree")
            }
            Self::TaskAlreadyExists { name } => write!(f, "a task named `{name}` is already registered"),
            Self::TaskNotFound { name } => write!(f, "no task named `{name}` is registered"),
            Self::TaskRemoveTimeout { name, timeout } => {
                write!(f, "`{name}` was requested to stop, but still runs after {timeout:?}")
            }
            Self::GroupClosed { name } => write!(f, "group `{name}` is closed to additions"),
            Self::GroupNotRunning { name } if name.is_empty() => {
                f.write_str("the tree is not running: it has not started, or has ended")
            }
            Self::GroupNotRunning { name } => write!(f, "group `{name}` is not running, or there is none"),
            Self::Failed { chain, stuck, .. } | Self::IntensityExceeded { chain, stuck } => {
                chain.fmt(f)?;
                f.write_str(&left(stuck))
            }
            Self::AlreadyRunning => f.write_str("this supervisor is already running"),
            Self::ShuttingDown => f.write_str("the supervisor is shutting down"),
            Self::NoRuntime => {
                f.write_str("no Tokio runtime: call this from a task or a thread of a Tokio runtime with time enabled")
            }
            Self::QueueFull { capacity } => {
                write!(f, "the controller's queue is full: {capacity} submissions wait already")
            }
            Self::Signals(error) if f.alternate() => write!(f, "cannot listen for signals: {}", one_line(&**error)),
            Self::Signals(_) => f.write_str("cannot listen for signals"),
            Self::InvalidOption(invalid) => invalid.fmt(f),
            Self::InvalidOverrides(invalid) => {
                let all: Vec<_> = invalid.iter().map(ToString::to_string).collect();
                let plural = if all.len() == 1 { "" } else { "s" };
                write!(f, "{} invalid override{plural}: {}", all.len(), all.join("; "))
            }
        }
    }
}

/// Writes the text of `{:#}`, the error with its causes, on one line: what could break it is escaped.
impl fmt::Debug for RuntimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escaped(&format!("{self:#}")))
    }
}

impl Error for RuntimeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed { source: Some(source), .. } => Some(source.unwrapped()),
            Self::Failed { chain, .. } | Self::IntensityExceeded { chain, .. } => chain.source(),
            Self::Signals(error) => Some(&**error),
            _ => None,
        }
    }
}

impl RuntimeError {
    /// The tasks that had to be aborted.
    pub(crate) fn stuck(&self) -> &[String] {
        match self {
            Self::GraceExceeded { stuck, .. }
            | Self::ShutdownForced { stuck, .. }
            | Self::Failed { stuck, .. }
            | Self::IntensityExceeded { stuck, .. } => stuck,
            _ => &[],
        }
    }

    /// Returns a short, stable name of the kind of error, for metrics and logs.
    pub const fn as_label(&self) -> &'static str {
        self.label()
    }
}

/// The time limit that an aborted task exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum StopLimit {
    /// Its own `stop_timeout`, or that of the config.
    StopTimeout,
    /// The share of its layer of the grace; the rest is reserved for the layers that stop later.
    Share,
    /// The grace of the shutdown.
    Grace,
    /// No limit: the shutdown was forced.
    Forced,
}

/// An invalid value of a spec or a config: its owner, the option, the value, and what is expected instead.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use taskvisor::{BackoffPolicy, RuntimeError, Supervisor, SupervisorConfig, TaskFn, TaskSpec};
///
/// let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
/// let task = TaskFn::arc("sync", |_: taskvisor::TaskContext| async { Ok(()) });
/// let spec = TaskSpec::inherit(task).with_backoff(BackoffPolicy { factor: f64::NAN, ..BackoffPolicy::default() });
///
/// let Err(RuntimeError::InvalidOption(invalid)) = supervisor.add_task(spec).await else { panic!() };
/// assert_eq!(invalid.to_string(), "task `sync`: `backoff.factor` is NaN, expected a finite number of at least 0");
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{subject}: `{option}` is {value}, expected {expected}")]
#[non_exhaustive]
pub struct InvalidOption {
    /// The owner of the option: a task with its name, or the config.
    pub subject: String,
    /// The name of the option.
    pub option: &'static str,
    /// The given value.
    pub value: String,
    /// A description of valid values.
    pub expected: Cow<'static, str>,
}

/// The expected value in the error for an unknown name of a limit.
pub(crate) const UNDECLARED_LIMIT: &str =
    "the name of a limit that is declared, with `with_named_limit` or in `limits`";

impl InvalidOption {
    pub(crate) fn new(
        subject: impl Into<String>,
        option: &'static str,
        value: impl Into<String>,
        expected: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { subject: subject.into(), option, value: value.into(), expected: expected.into() }
    }
}

impl From<InvalidOption> for RuntimeError {
    fn from(invalid: InvalidOption) -> Self {
        Self::InvalidOption(Arc::new(invalid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_past_its_own_time_says_nothing_of_the_grace() {
        let text = |limits: &[StopLimit]| {
            let stuck = (0..limits.len()).map(|n| format!("t{n}")).collect();
            let (grace, limits, helpers) = (Duration::from_secs(9), limits.to_vec(), vec![0; limits.len()]);
            RuntimeError::GraceExceeded { grace, stuck, limits, helpers }.to_string()
        };
        let own = StopLimit::StopTimeout;
        assert_eq!(text(&[own]), "1 task not stopped in time: t0 (past its `stop_timeout`)");
        let two = "2 tasks not stopped in time: t0 (past its `stop_timeout`), t1 (past its `stop_timeout`)";
        assert_eq!(text(&[own, own]), two);
        let mixed = "2 tasks not stopped in time (grace 9s): t0 (past its `stop_timeout`), t1";
        assert_eq!(text(&[own, StopLimit::Grace]), mixed);
    }

    #[test]
    fn the_time_until_a_shutdown_was_forced_is_in_whole_milliseconds_if_it_has_any() {
        for (after, shown) in [(1_234_567_890, "1.234s"), (5_400_321, "5ms"), (999_999, "999.999µs"), (0, "0ns")] {
            let after = Duration::from_nanos(after);
            let error = RuntimeError::ShutdownForced { after, stuck: vec!["a".into()] };
            assert_eq!(error.to_string(), format!("1 task aborted, as the shutdown was forced after {shown}: a"));
        }
    }
}
