//! What a task can fail with.

use std::error::Error;
use std::time::Duration;

/// Any error that can travel between threads.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// How an attempt ended when it did not end in success.
///
/// Every variant except [`Fatal`](Self::Fatal), [`Permanent`](Self::Permanent) and [`Canceled`](Self::Canceled) is
/// *retryable*: the restart policy decides whether the task runs again.
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
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// A failure described in words. Retryable.
    #[error("{reason}")]
    Fail {
        /// What went wrong.
        reason: String,
    },
    /// The attempt outlived its timeout. Set by the supervisor; retryable.
    #[error("timed out after {timeout:?}")]
    Timeout {
        /// The limit that was exceeded.
        timeout: Duration,
    },
    /// A failure that no retry can mend: the task ends for good, whatever its restart policy.
    #[error("{reason}")]
    Fatal {
        /// What went wrong.
        reason: String,
    },
    /// The task gave up of its own accord or because it was told to stop. Not an error, never retried.
    #[error("canceled")]
    Canceled,
    /// A failure with its original error. Labelled and retried like [`Fail`](Self::Fail); formatted only when read.
    #[error(transparent)]
    Error(BoxError),
    /// A failure that no retry can mend, with its original error. Labelled and treated like [`Fatal`](Self::Fatal);
    /// formatted only when read.
    #[error(transparent)]
    Permanent(BoxError),
    /// The attempt panicked while its future was built, polled or dropped. Retryable.
    #[error("panicked: {message}")]
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
    /// assert_eq!(error.to_string(), "disk full");
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
    /// assert_eq!(error.to_string(), "no such volume");
    /// ```
    pub fn permanent(error: impl Into<BoxError>) -> Self {
        Self::Permanent(error.into())
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
