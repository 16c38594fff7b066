//! The readiness of a task.

/// The condition under which a task is ready. The tasks that are after it wait until it is ready, and its health
/// depends on it.
///
/// If a task ends for good in failure before it is ready, and others are after it, its group fails, because the others
/// could never start. This also holds if the task is not critical.
///
/// Dependents stay released while a task restarts alone; a restart with its siblings, or of its group, makes them wait
/// again. The guide explains [readiness and health](crate::guide::readiness).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Ready {
    /// Ready when an attempt has begun.
    #[default]
    Start,
    /// Ready when an attempt has called [`TaskContext::ready`](crate::TaskContext::ready).
    Signal,
    /// Ready when the task has completed. If it ends for good in failure, and other children are after it, its group
    /// fails, even if the task is not critical. There is no default
    /// [`start_timeout`](crate::TaskSpec::with_start_timeout), because such a start may take long.
    Completed,
    /// Ready from the first success of an attempt on. Needs the restart policy `Always`. It stays ready between its
    /// attempts and after failures, unless [`unready_after`](crate::TaskSpec::with_unready_after) failures in a row
    /// follow; the next success makes it ready again. After a restart with its siblings or of its group, the task is
    /// not ready until its next success. There is no default [`start_timeout`](crate::TaskSpec::with_start_timeout).
    FirstSuccess,
}

impl Ready {
    /// Returns `true` if the task becomes ready at the end of an attempt.
    pub(crate) fn comes_with_an_end(self) -> bool {
        matches!(self, Self::Completed | Self::FirstSuccess)
    }
}
