//! What a registration is doing.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::task::TaskError;

/// Identifies one registration. No two registrations of a process share an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(u64);

impl TaskId {
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    #[cfg(feature = "serde")]
    pub(crate) const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a registration is doing at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskState {
    /// It was submitted to a slot, and waits there.
    Queued,
    /// The first attempt waits for the initial delay.
    Delayed,
    /// An attempt is due, or waits for siblings that it is `after`; with `max_concurrent` it may wait for its permit.
    /// One that does for 10 s is warned of, and [`Health`](crate::Health) names it.
    Pending,
    /// An attempt runs.
    Running,
    /// The last attempt failed; the next waits for the backoff.
    Backoff,
    /// The last attempt succeeded; the next waits for the interval.
    Interval,
    /// It was told to stop and has not ended yet.
    Stopping,
    /// It has ended for good.
    Ended,
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Queued => "queued",
            Self::Delayed => "delayed",
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Backoff => "backoff",
            Self::Interval => "interval",
            Self::Stopping => "stopping",
            Self::Ended => "ended",
        })
    }
}

/// A look at one registration.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskStatus {
    /// What it is doing.
    pub state: TaskState,
    /// The number of the present or last attempt, from 1; 0 before the first.
    pub attempt: u32,
    /// How many attempts began after the first.
    pub restarts: u32,
    /// How many attempts failed in a row before this one.
    pub failures: u32,
    /// What the last failed attempt failed with; forgotten after a success.
    pub last_error: Option<Arc<TaskError>>,
}
