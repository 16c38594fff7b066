//! What a task or group waits for.

use std::fmt;

/// What a task or group waits for, while nothing of it runs.
///
/// `Display` formats the words that follow "waits for", such as `store/pool, store/cache` or `a permit of the limit
/// db`. [`NodeDetail::awaits`](crate::NodeDetail::awaits) lists the tasks that hold the permits.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use taskvisor::{Supervisor, SupervisorConfig, TaskContext, TaskFn, TaskSpec, WaitingFor};
///
/// let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
/// let task = TaskFn::arc("report", |_: TaskContext| async { Ok(()) });
/// supervisor.add_task(TaskSpec::inherit(task).with_initial_delay(Duration::from_secs(60))).await?;
/// tokio::task::yield_now().await;
///
/// let report = supervisor.node("report").unwrap();
/// assert_eq!(report.waiting_for, Some(WaitingFor::Delay));
/// assert!(report.next_at.is_some());
/// let waiting_for = report.waiting_for.unwrap();
/// assert_eq!(format!("{} waits for {waiting_for}", report.path), "report waits for its time");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WaitingFor {
    /// For these siblings to be ready, or for siblings of a group around it. They are paths, in order.
    After(Vec<String>),
    /// For a permit of `max_concurrent`, that of the supervisor or of a group around it.
    Permit,
    /// For a permit of the [limit](crate::TreeBuilder::with_named_limit) of this name.
    Limit(String),
    /// For its group, which restarts or has not started it. A task also waits for its group while other starts take the
    /// places of [`max_starting`](crate::Group::with_max_starting).
    Group,
    /// For its turn in its slot. This is its position there: 1 for the submission that starts next.
    Slot(usize),
    /// For a time: its initial delay, its backoff, its interval, its throttle or its schedule, or the backoff of its group.
    Delay,
    /// For its lease, or that of its group. This is the label of the process that has it, as far as it is known.
    Lease(Option<String>),
    /// For the end of a pause of the task, or of a group or slot above it.
    Paused,
}

impl fmt::Display for WaitingFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(paths) => f.write_str(&paths.join(", ")),
            Self::Permit => f.write_str("a permit of `max_concurrent`"),
            Self::Limit(name) => write!(f, "a permit of the limit {name}"),
            Self::Group => f.write_str("its group"),
            Self::Slot(position) => write!(f, "its slot, at position {position}"),
            Self::Delay => f.write_str("its time"),
            Self::Lease(Some(owner)) => write!(f, "its lease, which {owner} has"),
            Self::Lease(None) => f.write_str("its lease"),
            Self::Paused => f.write_str("the end of a pause"),
        }
    }
}
