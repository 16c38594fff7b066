//! Snapshots of slots.

use std::fmt;
use std::time::SystemTime;

use super::SlotPhase;
use crate::inspect::{TaskId, TaskState, shortened};

/// A snapshot of a slot. [`SlotHandle::snapshot`](crate::SlotHandle::snapshot) returns that of one slot, and
/// [`SupervisorHandle::slots`](crate::SupervisorHandle::slots) those of all. `Display` formats it as one line.
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
/// assert_eq!(slot.to_string(), "uploads: running a.txt, waiting 1 of 100");
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

/// Formats one line for any names: `uploads: running a.txt, next c.txt, waiting 1 of 100, paused`.
impl fmt::Display for SlotSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", shortened(&self.name, NAME), self.phase)?;
        for (index, owner) in self.owners.iter().take(NAMED).enumerate() {
            write!(f, "{}{}", if index == 0 { " " } else { ", " }, shortened(&owner.path, NAME))?;
        }
        if let Some(more) = self.owners.len().checked_sub(NAMED).filter(|more| *more > 0) {
            write!(f, " and {more} more")?;
        }
        if let Some(next) = &self.next {
            write!(f, ", next {}", shortened(&next.path, NAME))?;
        }
        // The waiting submissions are in the slots of the keys.
        if !self.keyed {
            write!(f, ", waiting {} of {}", self.queued, self.capacity)?;
        }
        f.write_str(if self.paused { ", paused" } else { "" })
    }
}

/// The largest length of a name in a line, and the largest number of owners.
const NAME: usize = 100;
const NAMED: usize = 8;

impl SlotTask {
    pub(crate) fn new(path: String, id: TaskId, state: TaskState) -> Self {
        Self { path, id, state }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_one_line_whatever_its_names_are() {
        let task = |path: &str| SlotTask::new(path.into(), TaskId::next(), TaskState::Running);
        let mut slot = SlotSnapshot {
            name: "a\nb".into(),
            phase: SlotPhase::Idle,
            owners: Vec::new(),
            next: None,
            queue: Vec::new(),
            queued: 0,
            capacity: 9,
            keyed: false,
            paused: false,
            paused_since: None,
        };
        assert_eq!(slot.to_string(), "a\\nb: idle, waiting 0 of 9");
        (slot.phase, slot.next, slot.queued, slot.paused) = (SlotPhase::Running, Some(task("c")), 7, true);
        slot.owners = (0..10).map(|n| task(&format!("job{n}"))).collect();
        let owners = "job0, job1, job2, job3, job4, job5, job6, job7 and 2 more";
        assert_eq!(slot.to_string(), format!("a\\nb: running {owners}, next c, waiting 7 of 9, paused"));
        (slot.keyed, slot.phase, slot.owners, slot.next) = (true, SlotPhase::Idle, Vec::new(), None);
        assert_eq!(slot.to_string(), "a\\nb: idle, paused");
    }
}
