//! What to do with a submission whose slot is busy.

use std::fmt;

/// What becomes of a submission whose slot is busy. An idle slot takes every one at once.
///
/// A slot is busy from the moment that it starts a task until that task has physically ended: while it runs, waits for
/// its backoff or interval, or stops.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AdmissionPolicy {
    /// It waits its turn, first come, first served.
    #[default]
    Queue,
    /// The running task is told to stop, and this one is the next. One that came to replace it before, and still waits,
    /// is rejected as superseded; those in the queue stay there.
    Replace,
    /// It is rejected as busy.
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
