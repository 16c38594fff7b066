//! When a task counts as ready.

/// When a task counts as ready: what waits for it, and what asks for its health, goes by this.
///
/// What a task was ready for once stays open to those that are after it while it restarts by itself; a restart with its
/// siblings, or of its group, closes it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Ready {
    /// When an attempt has begun.
    #[default]
    Start,
    /// When an attempt has called [`TaskContext::ready`](crate::TaskContext::ready).
    Signal,
    /// When it has completed.
    Completed,
}
