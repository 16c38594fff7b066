//! The readiness of a task.

/// The condition under which a task is ready. Tasks that are after it wait for this, and its health depends on it.
///
/// A task that others are after, and that ends for good in failure before it is ready, fails its group: the others
/// could never start. This holds for tasks that are not critical as well.
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
    /// Ready when it has completed. If it ends for good in failure, and other children are after it, its group fails,
    /// also when the task is not critical. Such a start may take long: it has no default
    /// [`start_timeout`](crate::TaskSpec::with_start_timeout).
    Completed,
    /// Ready from the first success of an attempt on, for a task that runs again: it needs the restart policy `Always`.
    /// It stays ready between its attempts and after failures, unless
    /// [`unready_after`](crate::TaskSpec::with_unready_after) failures in a row follow; the next success makes it ready
    /// again. A restart with its siblings or of its group begins anew. It has no default
    /// [`start_timeout`](crate::TaskSpec::with_start_timeout).
    FirstSuccess,
}

impl Ready {
    /// Returns `true` if the task is ready when an attempt has ended, and not while one runs.
    pub(crate) fn comes_with_an_end(self) -> bool {
        matches!(self, Self::Completed | Self::FirstSuccess)
    }
}
