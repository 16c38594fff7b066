//! What children report to the plan.

use std::time::Duration;

use crate::inspect::TaskOutcome;

/// The final end of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Completed,
    Canceled,
    Failed,
    /// The child did not stop in time after a request. For its group this is a failure, unless the group requested the
    /// stop.
    Aborted,
    /// The child must not end, but ended without a failure and without a request. For its group this is a failure.
    Undue,
}

impl End {
    pub(crate) fn of(outcome: Option<&TaskOutcome>) -> Self {
        match outcome {
            Some(TaskOutcome::Completed) => Self::Completed,
            Some(TaskOutcome::Canceled { .. }) => Self::Canceled,
            Some(TaskOutcome::Aborted { .. }) => Self::Aborted,
            _ => Self::Failed,
        }
    }
}

/// The wait before a child that failed is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryIn {
    /// The backoff, from the time at which all children that restart with it have stopped.
    Backoff(Duration),
    /// The delay of its error, from the time of the failure.
    Told(Duration),
}

impl RetryIn {
    pub(crate) fn new(delay: Duration, is_told: bool) -> Self {
        if is_told { Self::Told(delay) } else { Self::Backoff(delay) }
    }

    pub(crate) fn delay(self) -> Duration {
        let (Self::Backoff(delay) | Self::Told(delay)) = self;
        delay
    }
}

/// A report of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Note {
    /// The child was started, and is ready.
    Ready,
    /// The child was started, and its attempt is delayed. It counts as ready, but children after it wait for its
    /// attempt.
    Delayed,
    /// The child failed and has stopped, and is to be started again after this wait.
    Failed(RetryIn),
    /// Like `Failed`, by the refusal of a supervisor that shuts down. It does not count for the limit.
    Refused(RetryIn),
    /// The child has stopped after a hold, and can be started again.
    Held,
    /// The child ended for good.
    Ended(End),
    /// The child was requested to begin at once while it waits for its group.
    Skip,
    /// The remaining tasks of this nested group ignore their abort.
    GivenUp,
}

impl Note {
    /// Makes a failure one that does not count for the limit.
    pub(in crate::runtime::group) fn does_not_count(&mut self) {
        if let Self::Failed(retry) = *self {
            *self = Self::Refused(retry);
        }
    }
}
