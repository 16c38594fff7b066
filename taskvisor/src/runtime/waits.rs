//! Records which tasks wait for the end of which tasks and groups.
//!
//! A task that waits for its own end, directly or through other tasks, would wait until the grace is over. Each wait of
//! a task is recorded here; a wait that would close a cycle is not begun.

use std::sync::{Arc, Mutex};

use super::core::Core;
use super::group::Member;
use super::reentrancy::ReentrancyGuard;
use crate::sync::lock;

/// The current waits, in the order of their ids. Tasks are identified by the addresses of their cells. An address stays
/// valid, because a wait ends before its task.
///
/// The lock guards the waits. It is a leaf: the waits are copied before any other lock is taken, so it cannot deadlock.
#[derive(Default)]
pub(super) struct Waits(Mutex<Vec<Wait>>);

#[derive(Clone)]
struct Wait {
    id: u64,
    waiter: usize,
    target: Member,
}

/// A recorded wait. Dropping it ends the wait. `None` for a caller that is not a task of the supervisor.
pub(super) struct Entered<'a>(Option<(&'a Waits, u64)>);

impl Core {
    /// Begins a wait for the end of a target. Returns `None` if the target waits for the caller, directly or through
    /// other tasks; the caller must not wait then.
    pub(super) fn enter_wait(&self, target: impl FnOnce() -> Member) -> Option<Entered<'_>> {
        let Some(waiter) = ReentrancyGuard::of(self) else { return Some(Entered(None)) };
        let target = target();
        if target.contains(waiter) {
            return None;
        }
        // The wait is recorded before the check, so that of two concurrent waits that close a cycle, at least one
        // observes the other.
        let entered = self.waits.enter(waiter, target.clone());
        let closes_ring = self.waits.lead_back(waiter, target);
        (!closes_ring).then_some(entered)
    }
}

impl Waits {
    fn enter(&self, waiter: usize, target: Member) -> Entered<'_> {
        let mut waits = lock(&self.0);
        let id = waits.last().map_or(0, |last| last.id + 1);
        waits.push(Wait { id, waiter, target });
        Entered(Some((self, id)))
    }

    /// Returns `true` if a chain of waits leads from the target to the waiter.
    fn lead_back(&self, waiter: usize, target: Member) -> bool {
        let mut left: Vec<_> = lock(&self.0).iter().filter(|wait| wait.waiter != waiter).cloned().collect();
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

impl Member {
    /// Returns `true` if the task is this member or a part of it.
    fn contains(&self, task: usize) -> bool {
        let mut members = vec![self.clone()];
        while let Some(member) = members.pop() {
            match member {
                Self::Task(cell) if Arc::as_ptr(&cell).addr() == task => return true,
                Self::Task(_) => {}
                Self::Group(group) => members.extend(group.members().into_iter().map(|(_, member)| member)),
            }
        }
        false
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if let Some((waits, id)) = self.0 {
            let mut waits = lock(&waits.0);
            let gone = waits.binary_search_by_key(&id, |wait| wait.id).ok().map(|at| waits.remove(at));
            drop(waits);
            drop(gone);
        }
    }
}
