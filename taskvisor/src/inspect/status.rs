//! The status of a registration.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crate::task::TaskError;

/// The id of a registration. It is unique within a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(pub(super) u64);

impl TaskId {
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Later registrations have greater numbers.
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

labels! {
    /// The state of a registration. The guide explains [tasks](crate::guide::tasks).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    #[non_exhaustive]
    pub enum TaskState: Display {
        /// It waits in a slot.
        Queued = "queued",
        /// The first attempt waits for the initial delay.
        Delayed = "delayed",
        /// An attempt is due, or waits for siblings that it is `after`; with `max_concurrent` it can also wait for a
        /// permit. A wait of 10 s for a permit causes a warning, and [`Health`](crate::Health) reports it.
        Pending = "pending",
        /// An attempt runs.
        Running = "running",
        /// The last attempt failed; the next waits for the backoff.
        Backoff = "backoff",
        /// The last attempt succeeded; the next waits for the interval.
        Interval = "interval",
        /// The last attempts succeeded at once, again and again; the next waits for a pause of 1 ms to 100 ms. See
        /// [`RestartPolicy::Always`](crate::RestartPolicy::Always).
        Throttled = "throttled",
        /// The next attempt waits for its time of the [schedule](crate::guide::schedules).
        Scheduled = "scheduled",
        /// An attempt is due, and does not begin because the task, or a group or slot above it, is paused. See the
        /// guide to [pausing](crate::guide::pausing).
        Paused = "paused",
        /// It waits for its lease, or for that of its group: another replica of the [fleet](crate::guide::fleets) has it.
        Standby = "standby",
        /// It was requested to stop and has not ended.
        Stopping = "stopping",
        /// It has ended for good.
        Ended = "ended",
    }
}

/// The status of one registration.
///
/// Of the next attempt, it has only the time of a schedule: [`TaskHandle::node`](crate::TaskHandle::node) has any other
/// time, and what the task waits for. It does not have the total of failures: each is an event
/// [`TaskFailed`](crate::EventKind::TaskFailed), and the feature `metrics` counts them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskStatus {
    /// The state.
    pub state: TaskState,
    /// The number of the current or last attempt, from 1; 0 before the first.
    pub attempt: u32,
    /// The number of attempts after the first. A further run of a periodic task (with an interval, a period or a
    /// schedule) is no restart: for such a task, it counts the retries in the current row of failures, which a success,
    /// [`progress`](crate::TaskContext::progress) and a [long run](crate::TaskSpec::with_reset_after) end.
    pub restarts: u32,
    /// The number of consecutive failures. While an attempt runs, and after the end of the task, it counts those before
    /// `attempt`; in the backoff, it includes that of `attempt`.
    pub failures: u32,
    /// `true` if the task, or a group or slot above it, is paused: no attempt begins. A running attempt goes on.
    pub paused: bool,
    /// The error of the last failed attempt. A success resets it, and so does an attempt that was stopped to start again
    /// and has not failed.
    pub last_error: Option<Arc<TaskError>>,
    /// The first time of its [schedule](crate::guide::schedules) that is to come, if it has one. A run that is due and
    /// has not begun does not count. The time of the current attempt is [`scheduled_for`](crate::TaskContext).
    pub next_run: Option<SystemTime>,
}
