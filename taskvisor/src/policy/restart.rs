//! The restart policy of a task.

use std::time::Duration;

/// The restart policy of a task: whether it runs again after an attempt has ended.
///
/// | policy | after success | after a retryable failure |
/// |---|---|---|
/// | `Never` | ends | ends |
/// | `OnFailure` (default) | ends | runs again after the backoff |
/// | `Always` | runs again after `interval` | runs again after the backoff |
///
/// [`TaskError::Fatal`](crate::TaskError::Fatal), [`TaskError::Permanent`](crate::TaskError::Permanent) and
/// [`TaskError::Canceled`](crate::TaskError::Canceled) end a task under every policy. The guide explains [restarts and
/// backoff](crate::guide::restarts).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RestartPolicy {
    /// Runs once.
    Never,
    /// Runs until an attempt succeeds.
    #[default]
    OnFailure,
    /// Runs until a stop request.
    Always {
        /// The pause from the end of a successful attempt to the start of the next. `None` and zero only yield to the
        /// scheduler.
        ///
        /// With `None`, a task that succeeds in the first poll of its attempt, again and again, is throttled: from the
        /// tenth such success in a row, pauses grow from 1 ms to 100 ms, until an attempt takes longer or fails. A
        /// [`Warning`](crate::EventKind::Warning) reports it once, and the state is
        /// [`Throttled`](crate::TaskState::Throttled) meanwhile. `Some(Duration::ZERO)` opts out.
        interval: Option<Duration>,
    },
}
