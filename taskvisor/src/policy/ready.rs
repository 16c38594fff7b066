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
    /// also when the task is not critical.
    Completed,
}
