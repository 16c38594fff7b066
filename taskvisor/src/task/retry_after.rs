//! An error that says when the task is retried.

use std::time::Duration;

use super::error::TaskError;

/// An error, and the time after which the task is retried; made by [`TaskError::retry_after`].
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
    /// Retryable, and no `RetryAfter` itself.
    pub(super) error: TaskError,
    pub(super) delay: Duration,
}

impl RetryAfter {
    /// Returns the error itself. It is retryable.
    pub const fn error(&self) -> &TaskError {
        &self.error
    }

    /// Returns the time from the end of the attempt to the retry.
    pub const fn delay(&self) -> Duration {
        self.delay
    }
}
