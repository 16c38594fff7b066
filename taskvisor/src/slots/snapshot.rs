//! Snapshots of slots.

use std::time::SystemTime;

use super::SlotPhase;
use crate::inspect::{TaskId, TaskState};

/// A snapshot of a slot. [`SlotHandle::snapshot`](crate::SlotHandle::snapshot) returns that of one slot, and
/// [`SupervisorHandle::slots`](crate::SupervisorHandle::slots) those of all.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use taskvisor::{SlotPhase, SlotSpec, SupervisorConfig, TaskContext, TaskFn, Tree};
///
/// let tree = Tree::builder(SupervisorConfig::default()).with_slot(SlotSpec::new("uploads")).build();
/// let upload = |name: &str| TaskFn::arc(name, |_: TaskContext| async { Ok(()) });
/// tree.slot("uploads").submit(upload("a.txt")).await?;
/// tree.slot("uploads").submit(upload("b.txt")).await?;
///
/// let slot = tree.slot("uploads").snapshot();
/// assert_eq!((slot.phase, slot.capacity), (SlotPhase::Running, 100));
/// assert_eq!((&*slot.owners[0].path, &*slot.queue[0].path, slot.queued), ("a.txt", "b.txt", 1));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "it does nothing unless it is read"]
pub struct SlotSnapshot {
    /// The name.
    pub name: String,
    /// The phase.
    pub phase: SlotPhase,
    /// The tasks that own the slot, the oldest first. More than one only with
    /// [`with_concurrency`](crate::SlotSpec::with_concurrency).
    pub owners: Vec<SlotTask>,
    /// The submission that starts ahead of the queue: the replacement, or the latest.
    pub next: Option<SlotTask>,
    /// The first 50 submissions in the queue, in order.
    pub queue: Vec<SlotTask>,
    /// The number of submissions in the queue, also beyond the first 50.
    pub queued: usize,
    /// The number of submissions that may wait in the queue; of a slot with keys, in that of each key.
    pub capacity: usize,
    /// `true` if the slot is declared with [keys](crate::SlotSpec::with_keys). Each key has a slot of its own, so this one
    /// is always idle.
    pub keyed: bool,
    /// `true` if the slot is paused, by itself, with the slot whose keys it belongs to, or with the root.
    pub paused: bool,
    /// The time at which the slot was paused, if it is paused by itself.
    pub paused_since: Option<SystemTime>,
}

/// A task in a [`SlotSnapshot`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlotTask {
    /// The path.
    pub path: String,
    /// The id of the registration.
    pub id: TaskId,
    /// The state.
    pub state: TaskState,
}

impl SlotSnapshot {
    /// The number of submissions of a queue that a snapshot lists.
    pub(crate) const LISTED: usize = 50;
}

impl SlotTask {
    pub(crate) fn new(path: String, id: TaskId, state: TaskState) -> Self {
        Self { path, id, state }
    }
}
