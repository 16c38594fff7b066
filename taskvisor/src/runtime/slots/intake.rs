//! Decides which slots accept submissions during a shutdown.
//!
//! During the drain, all declared slots do. When tasks are requested to stop, only slots that a task of the tree is
//! `after` do, and only from such a task. These slots outlive the tree and stop last.

use std::sync::Arc;

use super::super::core::Core;
use super::super::reentrancy::ReentrancyGuard;
use super::super::registry::{Admission, Registry};
use super::super::task::Cell;
use super::manager::Aftermath;
use crate::inspect::RejectReason;
use crate::slots::Slot;

impl Core {
    /// Returns `true` if that slot accepts submissions from this caller now.
    #[cold]
    pub(super) fn takes_submissions(&self, registry: &Registry, slot: &str) -> bool {
        match registry.admission {
            Admission::Open => true,
            Admission::Closing => self.is_declared_slot(slot),
            Admission::Stopping => self.caller_is_after(registry, slot),
            Admission::Closed => false,
        }
    }

    /// Returns `true` if the polled task, or a group around it, is after that slot.
    fn caller_is_after(&self, registry: &Registry, slot: &str) -> bool {
        let Some(children) = registry.slots.relied.get(slot) else { return false };
        let Some(address) = ReentrancyGuard::of(self) else { return false };
        let is_caller = |cell: &&Arc<Cell>| Arc::as_ptr(cell).addr() == address;
        let direct = children.iter().filter_map(|name| registry.get(name)).find(is_caller);
        let caller = direct.or_else(|| registry.names.iter().find(is_caller));
        caller.is_some_and(|caller| {
            let child = caller.name().split('/').next().unwrap_or_default();
            !caller.is_beside_tree() && children.contains(child)
        })
    }
}

impl Registry {
    /// Notes the slots that children of the root are after, as pairs of slot and child.
    pub(in crate::runtime) fn rely(&mut self, edges: impl Iterator<Item = (Arc<str>, Arc<str>)>) {
        if self.is_empty() {
            self.slots.relied.clear();
        }
        for (slot, child) in edges {
            self.slots.relied.entry(slot).or_default().insert(child);
        }
    }

    /// Returns `true` if a task of the tree is after any slot.
    pub(in crate::runtime) fn has_relied(&self) -> bool {
        !self.slots.relied.is_empty()
    }

    /// Returns `true` if the task runs in a slot that a task of the tree is after.
    pub(in crate::runtime) fn is_relied(&self, cell: &Cell) -> bool {
        self.has_relied() && cell.slot().is_some_and(|slot| self.slots.relied.contains_key(slot))
    }

    /// Returns the number of such slots that have a task.
    pub(in crate::runtime) fn relied_owners(&self) -> usize {
        self.slots.relied.keys().filter(|slot| self.owner_of(slot).is_some()).count()
    }

    /// Closes these slots and rejects their waiting submissions.
    pub(in crate::runtime) fn release_relied(&mut self) -> Aftermath {
        self.slots.relied.clear();
        self.narrow_intake()
    }

    /// Narrows the accepted submissions. Waiting submissions of closed slots are rejected in the order of submission;
    /// callers in the wait queue check again.
    pub(in crate::runtime) fn narrow_intake(&mut self) -> Aftermath {
        let mut aftermath = Aftermath::default();
        if matches!(self.admission, Admission::Stopping | Admission::Closed) {
            let (slots, relied) = (&mut self.slots.busy, &self.slots.relied);
            let closed = slots.iter_mut().filter(|(name, _)| !relied.contains_key(*name));
            let mut queued = 0;
            let mut waiting = Vec::new();
            for (_, slot) in closed {
                queued += slot.queued();
                waiting.extend(Slot::withdraw_all(slot));
            }
            waiting.sort_unstable_by_key(|job| job.cell.id());
            aftermath.wait_no_more = waiting.len();
            for job in waiting {
                aftermath.reject(job, 0, RejectReason::ShuttingDown);
            }
            self.slots.wait_queue.free(queued, &mut aftermath.calls);
        }
        self.slots.wait_queue.wake_all(&mut aftermath.calls);
        aftermath
    }
}
