//! The readiness of a task.

/// The condition under which a task is ready. Tasks that are after it wait for this, and its health depends on it.
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
    /// Ready when it has completed.
    Completed,
}
