//! What a task can fail with.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::inspect::one_line;

/// Any error that can travel between threads.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// How an attempt ended when it did not end in success.
///
/// Every variant except [`Fatal`](Self::Fatal), [`Permanent`](Self::Permanent) and [`Canceled`](Self::Canceled) is
/// *retryable*: the restart policy decides whether the task runs again.
///
/// # Display and source
/// As everywhere in this crate, `{}` says what the error itself knows, and [`source`](Error::source) gives what caused
/// it: a reporter that prints the chain prints each message once. [`Error`](Self::Error) and
/// [`Permanent`](Self::Permanent) know only that the attempt failed; their source is the original error, where
/// `downcast_ref` finds it. `{:#}` gives the error with its causes in one line, as events, logs, snapshots and health
/// do.
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
    /// A failure described in words. Retryable.
    Fail {
        /// What went wrong.
        reason: String,
    },
    /// The attempt outlived its timeout. Set by the supervisor; retryable.
    Timeout {
        /// The limit that was exceeded.
        timeout: Duration,
    },
    /// A failure that no retry can mend: the task ends for good, whatever its restart policy.
    Fatal {
        /// What went wrong.
        reason: String,
    },
    /// The task gave up of its own accord or because it was told to stop. Not an error, never retried.
    Canceled,
    /// A failure with its original error. Labelled and retried like [`Fail`](Self::Fail); formatted only when read.
    Error(BoxError),
    /// A failure that no retry can mend, with its original error. Labelled and treated like [`Fatal`](Self::Fatal);
    /// formatted only when read.
    Permanent(BoxError),
    /// The attempt panicked while its future was built, polled or dropped. Retryable.
    Panicked {
        /// The panic's message, or a stand-in where its payload was no string.
        message: String,
    },
}

impl TaskError {
    /// Wraps an error, to be retried.
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

    /// Wraps an error that no retry can mend.
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

    /// The error that is to be shown: the original error, where this only wraps it.
    pub(crate) fn unwrapped(&self) -> &(dyn Error + 'static) {
        match self {
            Self::Error(error) | Self::Permanent(error) => &**error,
            _ => self,
        }
    }

    /// The same error, not to be retried. A panic stays one, and giving up stays no error.
    pub(crate) fn into_permanent(self) -> Self {
        match self {
            Self::Fail { reason } => Self::Fatal { reason },
            Self::Timeout { .. } => Self::Fatal { reason: self.to_string() },
            Self::Error(error) => Self::Permanent(error),
            Self::Fatal { .. } | Self::Permanent(_) | Self::Canceled | Self::Panicked { .. } => self,
        }
    }

    /// A short, stable name of the kind of error, for metrics and logs.
    #[must_use]
    pub const fn as_label(&self) -> &'static str {
        match self {
            Self::Fail { .. } | Self::Error(_) => "task_failed",
            Self::Timeout { .. } => "task_timeout",
            Self::Fatal { .. } | Self::Permanent(_) => "task_fatal",
            Self::Canceled => "task_canceled",
            Self::Panicked { .. } => "task_panicked",
        }
    }

    /// Whether a restart policy may run the task again after this.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        !matches!(self, Self::Fatal { .. } | Self::Permanent(_) | Self::Canceled)
    }

    /// Whether this ends the task for good under any restart policy.
    #[must_use]
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
            Self::Canceled => f.write_str("canceled"),
            Self::Panicked { message } => write!(f, "panicked: {message}"),
        }
    }
}

impl Error for TaskError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Error(error) | Self::Permanent(error) => Some(&**error),
            _ => None,
        }
    }
}
