//! The admission policies of slots.

use std::fmt;

/// The admission policy: what happens to a submission whose slot is busy. An idle slot accepts every submission at
/// once.
///
/// A slot is busy from the start of a task until that task has terminated: while the task runs, waits for its backoff
/// or interval, or stops.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AdmissionPolicy {
    /// The submission waits in the queue, first come, first served.
    #[default]
    Queue,
    /// The running task is requested to stop, and the submission is the next. An earlier submission that waits to
    /// replace the task is rejected as superseded; submissions in the queue stay there.
    Replace,
    /// The submission is rejected as busy.
    DropIfRunning,
}

impl fmt::Display for AdmissionPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Queue => "queue",
            Self::Replace => "replace",
            Self::DropIfRunning => "drop_if_running",
        })
    }
}
