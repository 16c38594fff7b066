//! Which slots take submissions while the supervisor shuts down.
//!
//! During the drain all declared slots do. Once tasks are requested to stop, only slots do that a task of the tree is
//! `after`, and only from such a task: these slots outlive the tree, and stop last.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::core::Core;
use super::super::reentrancy::Current;
use super::super::registry::{Admission, Registry};
use super::super::task::Cell;
use super::manager::Aftermath;
use crate::inspect::RejectReason;
use crate::slots::Slot;

/// A slot that stands in an `after`.
pub(super) struct Relied {
    slot: Arc<str>,
    /// The names of the children of the root that are after it.
    by: HashSet<Arc<str>>,
}

impl Core {
    /// Whether that slot takes submissions now, from this caller.
    #[cold]
    pub(super) fn takes_submissions(&self, registry: &Registry, slot: &str) -> bool {
        match registry.admission {
            Admission::Open => true,
            Admission::Closing => self.is_declared_slot(slot),
            Admission::Stopping => self.caller_is_after(registry, slot),
            Admission::Closed => false,
        }
    }

    /// Whether the task that is being polled is after that slot, or in a group that is.
    fn caller_is_after(&self, registry: &Registry, slot: &str) -> bool {
        let Some(relied) = registry.slots.relied.iter().find(|relied| *relied.slot == *slot) else { return false };
        let Some(address) = Current::of(self) else { return false };
        let is_caller = |cell: &&Arc<Cell>| Arc::as_ptr(cell).addr() == address;
        let direct = relied.by.iter().filter_map(|name| registry.get(name)).find(is_caller);
        let caller = direct.or_else(|| registry.names.iter().find(is_caller));
        caller.is_some_and(|caller| {
            let child = caller.name().split('/').next().unwrap_or_default();
            !caller.is_beside_tree() && relied.by.contains(child)
        })
    }
}

impl Registry {
    /// Children of the root that is registered are after slots: pairs of the slot and the child.
    pub(in crate::runtime) fn rely(&mut self, edges: impl Iterator<Item = (Arc<str>, Arc<str>)>) {
        if self.is_empty() {
            self.slots.relied.clear();
        }
        for (slot, child) in edges {
            match self.slots.relied.iter_mut().find(|relied| relied.slot == slot) {
                Some(relied) => drop(relied.by.insert(child)),
                None => self.slots.relied.push(Relied { slot, by: HashSet::from([child]) }),
            }
        }
    }

    /// Whether a task of the tree is after a slot.
    pub(in crate::runtime) fn has_relied(&self) -> bool {
        !self.slots.relied.is_empty()
    }

    /// Whether the task runs in a slot that a task of the tree is after.
    pub(in crate::runtime) fn is_relied(&self, cell: &Cell) -> bool {
        self.has_relied() && cell.slot().is_some_and(|slot| self.slots.is_relied(slot))
    }

    /// How many such slots have a task.
    pub(in crate::runtime) fn relied_owners(&self) -> usize {
        self.slots.relied.iter().filter(|relied| self.owner_of(&relied.slot).is_some()).count()
    }

    /// Nobody needs them any more: what waits in them is rejected.
    pub(in crate::runtime) fn release_relied(&mut self) -> Aftermath {
        self.slots.relied.clear();
        self.narrow_intake()
    }

    /// The slots take less than before. What waits in those that take nothing is rejected, in the order of submission;
    /// what waits in line looks for itself.
    pub(in crate::runtime) fn narrow_intake(&mut self) -> Aftermath {
        let mut aftermath = Aftermath::default();
        if matches!(self.admission, Admission::Stopping | Admission::Closed) {
            let (slots, relied) = (&mut self.slots.busy, &self.slots.relied);
            let closed = slots.iter_mut().filter(|(name, _)| !relied.iter().any(|relied| relied.slot == **name));
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
            self.slots.line.free(queued, &mut aftermath.calls);
        }
        self.slots.line.wake_all(&mut aftermath.calls);
        aftermath
    }
}

impl super::manager::Slots {
    fn is_relied(&self, slot: &str) -> bool {
        self.relied.iter().any(|relied| *relied.slot == *slot)
    }
}
