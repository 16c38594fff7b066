//! The errors of a task.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::panic::Panic;
use crate::inspect::one_line;
#[cfg(feature = "controller")]
use crate::slots::ControllerError;
use crate::supervisor::RuntimeError;

/// A boxed error that is `Send` and `Sync`.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// The error of an attempt.
///
/// Every variant except [`Fatal`](Self::Fatal), [`Permanent`](Self::Permanent) and [`Canceled`](Self::Canceled) is
/// *retryable*: the restart policy decides whether the task runs again. The guide explains [tasks](crate::guide::tasks)
/// and [restarts and backoff](crate::guide::restarts).
///
/// # Display and source
/// `{}` gives the message of this error only, and [`source`](Error::source) gives its cause, so that a reporter that
/// prints the chain prints each message once. The message of [`Error`](Self::Error) and [`Permanent`](Self::Permanent)
/// is general; their source is the original error, which `downcast_ref` finds. `{:#}` gives the error with its causes
/// in one line, as in events, logs, snapshots and health.
///
/// ```
/// use std::error::Error;
/// use std::io;
/// use taskvisor::TaskError;
///
/// let error = TaskError::error(io::Error::other("disk full"));
/// assert_eq!(error.to_string(), "the attempt failed");
/// assert_eq!(format!("{error:#}"), "disk full");
/// assert!(error.source().is_some_and(|source| source.is::<io::Error>()));
/// ```
///
/// # Examples
/// ```
/// use taskvisor::TaskError;
///
/// let error = TaskError::Fail { reason: "connection refused".into() };
/// assert!(error.is_retryable());
/// assert_eq!(error.as_label(), "task_failed");
/// assert_eq!(error.to_string(), "connection refused");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum TaskError {
    /// A failure with a description. Retryable.
    Fail {
        /// A description of the failure.
        reason: String,
    },
    /// The attempt exceeded its timeout. Set by the supervisor. Retryable.
    Timeout {
        /// The exceeded limit.
        timeout: Duration,
    },
    /// The attempt sent no heartbeat for as long as its [`watchdog`](crate::TaskSpec::with_watchdog) allows. Set by the
    /// supervisor. Retryable.
    Silent {
        /// The time that the watchdog allows.
        silence: Duration,
    },
    /// The attempt was not ready within its [`start_timeout`](crate::TaskSpec::with_start_timeout), as with
    /// [`Ready::Signal`](crate::Ready::Signal) when it has not called [`ready`](crate::TaskContext::ready). Set by the
    /// supervisor. It has the label of [`Timeout`](Self::Timeout) and is retried like it.
    StartTimeout {
        /// The exceeded start timeout.
        timeout: Duration,
    },
    /// The start timeout elapsed while the attempt waited for a permit, before it began. Set by the supervisor. It has
    /// the label of [`Timeout`](Self::Timeout) and is retried like it.
    PermitTimeout {
        /// The exceeded start timeout.
        timeout: Duration,
        /// The limit in words, such as `limit db`; see [`Problem::AwaitsPermit`](crate::Problem::AwaitsPermit).
        limit: Arc<str>,
    },
    /// A failure that a retry cannot fix: the task ends for good under any restart policy.
    Fatal {
        /// A description of the failure.
        reason: String,
    },
    /// The task stopped by itself or after a stop request. Not a failure, and never retried.
    Canceled,
    /// A failure with its original error. It has the label of [`Fail`](Self::Fail) and is retried like it. The error is
    /// formatted only on demand.
    Error(BoxError),
    /// A failure that a retry cannot fix, with its original error. It has the label of [`Fatal`](Self::Fatal) and is
    /// treated like it. The error is formatted only on demand.
    Permanent(BoxError),
    /// The attempt panicked while its future was built, polled or dropped. Retryable.
    Panicked(Box<Panic>),
    /// A failure with the delay before the retry; see [`retry_after`](Self::retry_after). Retryable. It has the label,
    /// the message and the source of the inner error. The supervisor unwraps the inner error: outcomes, events and
    /// status contain no `RetryAfter`.
    RetryAfter(Box<RetryAfter>),
}

/// An error, and the delay before the task is retried. [`TaskError::retry_after`] makes it.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use taskvisor::TaskError;
///
/// let error = TaskError::error("503 service unavailable").retry_after(Duration::from_secs(30));
/// let TaskError::RetryAfter(told) = &error else { panic!("{error:?}") };
/// assert_eq!(told.delay(), Duration::from_secs(30));
/// assert!(matches!(told.error(), TaskError::Error(_)));
/// assert_eq!(format!("{error:#}"), "503 service unavailable");
/// ```
#[derive(Debug)]
pub struct RetryAfter {
    /// Retryable, and never a `RetryAfter`.
    error: TaskError,
    delay: Duration,
}

impl RetryAfter {
    /// Returns the inner error. It is retryable.
    pub const fn error(&self) -> &TaskError {
        &self.error
    }

    /// Returns the time from the end of the attempt to the retry.
    pub const fn delay(&self) -> Duration {
        self.delay
    }
}

impl TaskError {
    /// Wraps a retryable error.
    ///
    /// ```
    /// use taskvisor::TaskError;
    ///
    /// let error = TaskError::error(std::io::Error::other("disk full"));
    /// assert!(error.is_retryable());
    /// assert_eq!(format!("{error:#}"), "disk full");
    /// ```
    pub fn error(error: impl Into<BoxError>) -> Self {
        Self::Error(error.into())
    }

    /// Wraps an error that a retry cannot fix.
    ///
    /// ```
    /// use taskvisor::TaskError;
    ///
    /// let error = TaskError::permanent(std::io::Error::other("no such volume"));
    /// assert!(error.is_fatal());
    /// assert_eq!(format!("{error:#}"), "no such volume");
    /// ```
    pub fn permanent(error: impl Into<BoxError>) -> Self {
        Self::Permanent(error.into())
    }

    /// Returns `true` if the error is the refusal of a supervisor or a slot that shuts down.
    pub(crate) fn is_refusal(&self) -> bool {
        let (Self::Error(error) | Self::Permanent(error)) = self else { return false };
        #[cfg(feature = "controller")]
        if let Some(ControllerError::ShuttingDown) = error.downcast_ref() {
            return true;
        }
        matches!(error.downcast_ref(), Some(RuntimeError::ShuttingDown))
    }

    /// Sets when the task is retried: after exactly `delay`, instead of its [backoff](crate::BackoffPolicy). For a
    /// service that states when to retry, such as an HTTP service with the header `Retry-After`.
    ///
    /// The delay counts from the end of the attempt and its helpers. It may be longer than the `max` of the backoff,
    /// and gets no jitter. Zero means at once, as for a backoff of zero. A delay of a year or more does not end by
    /// itself.
    ///
    /// The failure counts like any other for `max_retries` and for limits. The backoff does not grow: the next failure
    /// without a delay of its own waits as if this failure had not happened.
    ///
    /// The wait ends early as a wait for a backoff does: by [`TaskHandle::trigger`] or [`TaskHandle::restart`], by the
    /// next time of a schedule, or by a stop. The delay has no effect if no retry follows: for a task with `restart =
    /// "never"`, past `max_retries`, and if the attempt was requested to stop or exceeded its timeout before it failed.
    /// A group that restarts together waits as a whole, for the longest delay of the tasks that failed.
    ///
    /// An error that is not retried ([`Fatal`](Self::Fatal), [`Permanent`](Self::Permanent),
    /// [`Canceled`](Self::Canceled)) stays as it is. Of several calls the last one counts. The guide explains how
    /// [errors of your own set the delay](crate::guide::restarts#a-delay-that-the-failure-tells).
    ///
    /// [`TaskHandle::trigger`]: crate::TaskHandle::trigger
    /// [`TaskHandle::restart`]: crate::TaskHandle::restart
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use taskvisor::TaskError;
    /// use taskvisor::prelude::*;
    ///
    /// #[task(max_retries = 3)]
    /// async fn sync() -> Result<(), TaskError> {
    ///     Err(TaskError::error("429 too many requests").retry_after(Duration::from_secs(120)))
    /// }
    ///
    /// #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// async fn main() -> Result<(), RuntimeError> {
    ///     let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    ///     let start = tokio::time::Instant::now();
    ///     let outcome = supervisor.add_task(sync {}).await?.outcome().await;
    ///     assert_eq!(outcome.to_string(), "exhausted after 4 failures: 429 too many requests");
    ///     assert_eq!(start.elapsed(), Duration::from_secs(3 * 120));
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn retry_after(self, delay: Duration) -> Self {
        match self {
            Self::Fatal { .. } | Self::Permanent(_) | Self::Canceled => self,
            Self::RetryAfter(told) => Self::RetryAfter(Box::new(RetryAfter { delay, ..*told })),
            error => Self::RetryAfter(Box::new(RetryAfter { error, delay })),
        }
    }

    /// Splits the error into the inner error and its delay, if it has one.
    pub(crate) fn split(self) -> (Self, Option<Duration>) {
        match self {
            Self::RetryAfter(told) => (told.error, Some(told.delay)),
            error => (error, None),
        }
    }

    /// Returns the error to display: the original error if this one only wraps it.
    pub(crate) fn unwrapped(&self) -> &(dyn Error + 'static) {
        match self {
            Self::Error(error) | Self::Permanent(error) => &**error,
            Self::RetryAfter(told) => told.error.unwrapped(),
            _ => self,
        }
    }

    /// Converts the error to one that is not retried. A panic and `Canceled` stay as they are.
    pub(crate) fn into_permanent(self) -> Self {
        match self {
            Self::Fail { reason } => Self::Fatal { reason },
            Self::Timeout { .. } | Self::StartTimeout { .. } | Self::PermitTimeout { .. } | Self::Silent { .. } => {
                Self::Fatal { reason: self.to_string() }
            }
            Self::Error(error) => Self::Permanent(error),
            Self::RetryAfter(told) => told.error.into_permanent(),
            Self::Fatal { .. } | Self::Permanent(_) | Self::Canceled | Self::Panicked(_) => self,
        }
    }

    /// Returns a short, stable name of the kind of error, for metrics and logs.
    pub const fn as_label(&self) -> &'static str {
        match self {
            Self::Fail { .. } | Self::Error(_) => "task_failed",
            Self::Timeout { .. } | Self::StartTimeout { .. } | Self::PermitTimeout { .. } => "task_timeout",
            Self::Silent { .. } => "task_silent",
            Self::Fatal { .. } | Self::Permanent(_) => "task_fatal",
            Self::Canceled => "task_canceled",
            Self::Panicked(_) => "task_panicked",
            Self::RetryAfter(told) => told.error.as_label(),
        }
    }

    /// Returns `true` if a restart policy may run the task again after this error.
    pub const fn is_retryable(&self) -> bool {
        !matches!(self, Self::Fatal { .. } | Self::Permanent(_) | Self::Canceled)
    }

    /// Returns `true` if this error ends the task for good under any restart policy.
    pub const fn is_fatal(&self) -> bool {
        matches!(self, Self::Fatal { .. } | Self::Permanent(_))
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) | Self::Permanent(error) if f.alternate() => f.write_str(&one_line(&**error)),
            Self::Error(_) => f.write_str("the attempt failed"),
            Self::Permanent(_) => f.write_str("the attempt failed for good"),
            Self::Fail { reason } | Self::Fatal { reason } => f.write_str(reason),
            Self::Timeout { timeout } => write!(f, "timed out after {timeout:?}"),
            Self::StartTimeout { timeout } => write!(f, "timed out after {timeout:?}, before it was ready"),
            Self::Silent { silence } => write!(f, "silent for {silence:?}"),
            Self::PermitTimeout { timeout, limit } => {
                write!(f, "timed out after {timeout:?}, waiting for a permit ({limit})")
            }
            Self::Canceled => f.write_str("canceled"),
            Self::Panicked(panic) => panic.fmt(f),
            Self::RetryAfter(told) => told.error.fmt(f),
        }
    }
}

impl Error for TaskError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Error(error) | Self::Permanent(error) => Some(&**error),
            Self::RetryAfter(told) => told.error.source(),
            _ => None,
        }
    }
}
