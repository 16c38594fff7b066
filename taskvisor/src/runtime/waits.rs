//! Which tasks wait for the end of which tasks and groups.
//!
//! A task that waits for its own end, directly or through others, would wait until the grace is over. Each wait of a
//! task is noted here while it lasts; one that would close a ring is not begun.

use std::ptr;
use std::sync::{Arc, Mutex};

use super::core::Core;
use super::group::{GroupCell, Member};
use super::reentrancy::Current;
use super::task::Cell;
use crate::sync::lock;

/// What a task waits for the end of.
#[derive(Clone)]
pub(super) enum Target {
    Task(Arc<Cell>),
    Group(Arc<GroupCell>),
}

/// The waits that last. Tasks are known by the addresses of their cells: a wait is a part of its task, and ends first.
///
/// The lock is a leaf: the list is copied before anything else is looked at.
#[derive(Default)]
pub(super) struct Waits(Mutex<List>);

#[derive(Default)]
struct List {
    last: u64,
    waits: Vec<Wait>,
}

#[derive(Clone)]
struct Wait {
    id: u64,
    waiter: usize,
    target: Target,
}

/// A wait, which ends when this is dropped. `None` for a caller that is no task of the supervisor.
pub(super) struct Entered<'a>(Option<(&'a Waits, u64)>);

impl Core {
    /// Begins a wait for the end of a target. `None` if the target, directly or through others, waits for the caller:
    /// the caller must not wait then.
    pub(super) fn enter_wait(&self, target: impl FnOnce() -> Target) -> Option<Entered<'_>> {
        let Some(waiter) = Current::of(self) else { return Some(Entered(None)) };
        let target = target();
        if target.contains(waiter) {
            return None;
        }
        // Noted before it looks: of two that close a ring at once, at least one sees the other.
        let entered = self.waits.enter(waiter, target.clone());
        let closes_ring = self.waits.lead_back(waiter, target);
        (!closes_ring).then_some(entered)
    }
}

impl Waits {
    fn enter(&self, waiter: usize, target: Target) -> Entered<'_> {
        let mut list = lock(&self.0);
        list.last += 1;
        let id = list.last;
        list.waits.push(Wait { id, waiter, target });
        Entered(Some((self, id)))
    }

    /// Whether a chain of waits leads from something in the target to the waiter.
    fn lead_back(&self, waiter: usize, target: Target) -> bool {
        let mut left = lock(&self.0).waits.clone();
        left.retain(|wait| wait.waiter != waiter);
        let mut targets = vec![target];
        while let Some(target) = targets.pop() {
            let (next, rest): (Vec<_>, Vec<_>) = left.into_iter().partition(|wait| target.contains(wait.waiter));
            if next.iter().any(|wait| wait.target.contains(waiter)) {
                return true;
            }
            targets.extend(next.into_iter().map(|wait| wait.target));
            left = rest;
        }
        false
    }
}

impl Target {
    /// Whether the task is the target, or a part of it.
    fn contains(&self, task: usize) -> bool {
        match self {
            Self::Task(cell) => address(cell) == task,
            Self::Group(group) => {
                let mut groups = vec![Arc::clone(group)];
                while let Some(group) = groups.pop() {
                    for (_, member) in group.members() {
                        match member {
                            Member::Task(cell) if address(&cell) == task => return true,
                            Member::Task(_) => {}
                            Member::Group(group) => groups.push(group),
                        }
                    }
                }
                false
            }
        }
    }
}

fn address(cell: &Arc<Cell>) -> usize {
    ptr::from_ref::<Cell>(cell).addr()
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if let Some((waits, id)) = self.0 {
            let gone = {
                let mut list = lock(&waits.0);
                let position = list.waits.iter().position(|wait| wait.id == id);
                position.map(|position| list.waits.swap_remove(position))
            };
            drop(gone);
        }
    }
}
