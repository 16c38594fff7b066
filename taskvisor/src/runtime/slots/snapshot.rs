//! Builds the snapshots of slots from the cells of their tasks.

use std::sync::Arc;
use std::time::SystemTime;

use super::super::core::Core;
use super::super::registry::Registry;
use super::super::task::Cell;
use super::manager::Controller;
use crate::panics::drop_each;
use crate::slots::{Slot, SlotPhase, SlotSnapshot, SlotTask};
use crate::sorting::sort_by_text;

/// A slot with its cells. The cells are read with no lock held.
struct Seen {
    name: Arc<str>,
    phase: SlotPhase,
    owners: Vec<Arc<Cell>>,
    next: Option<Arc<Cell>>,
    queue: Vec<Arc<Cell>>,
    queued: usize,
    paused: bool,
    paused_since: Option<SystemTime>,
}

impl Core {
    /// Returns a snapshot of the slot of that name.
    pub(crate) fn slot_snapshot(&self, name: &str) -> SlotSnapshot {
        let seen = see(&self.registry(), name.into(), &self.controller);
        self.shown(seen)
    }

    /// Returns snapshots of the declared slots, and of the other slots that are not idle or are paused, in the order of
    /// their names.
    pub(crate) fn slot_snapshots(&self) -> Vec<SlotSnapshot> {
        let registry = self.registry();
        let declared = self.controller.all().map(|(name, _)| name);
        let owned = registry.names.iter().filter_map(|cell| cell.slot());
        let paused = registry.slots.paused.keys().filter(|slot| !slot.is_empty());
        let busy = registry.slots.busy.names();
        let mut names: Vec<_> = declared.chain(busy).chain(owned).chain(paused).cloned().collect();
        sort_by_text(&mut names, |name| name);
        names.dedup();
        let seen: Vec<_> = names.into_iter().map(|name| see(&registry, name, &self.controller)).collect();
        drop(registry);
        seen.into_iter().map(|seen| self.shown(seen)).collect()
    }

    /// Returns the position of a submission that waits in its slot; 1 for the submission that starts next.
    pub(crate) fn slot_position(&self, cell: &Cell) -> Option<usize> {
        let registry = self.registry();
        let slot = registry.slots.busy.get(cell.slot()?)?;
        let position = slot.next().into_iter().chain(slot.queue()).position(|job| job.cell.id() == cell.id())?;
        Some(position + 1)
    }

    fn shown(&self, seen: Seen) -> SlotSnapshot {
        let Seen { name, phase, owners, next, queue, queued, paused, paused_since } = seen;
        let task = |cell: &Arc<Cell>| SlotTask::new(cell.name().to_string(), cell.id(), cell.state());
        let all = |cells: &[Arc<Cell>]| cells.iter().map(task).collect();
        let snapshot = SlotSnapshot {
            capacity: self.controller.capacity(&name),
            keyed: self.has_keys(&name),
            name: name.to_string(),
            phase,
            owners: all(&owners),
            next: next.as_ref().map(task),
            queue: all(&queue),
            queued,
            paused,
            paused_since,
        };
        // A cell can hold the last reference to a user value.
        drop_each(owners.into_iter().chain(next).chain(queue));
        snapshot
    }
}

fn see(registry: &Registry, name: Arc<str>, controller: &Controller) -> Seen {
    let owners: Vec<_> = registry.owners_of(&name).cloned().collect();
    let slot = registry.slots.busy.get(&name);
    let phase = match slot {
        Some(slot) => slot.phase(),
        None if owners.is_empty() => SlotPhase::Idle,
        None => SlotPhase::Running,
    };
    let queue = slot.into_iter().flat_map(Slot::queue).take(SlotSnapshot::LISTED);
    Seen {
        phase,
        owners,
        next: slot.and_then(Slot::next).map(|job| Arc::clone(&job.cell)),
        queue: queue.map(|job| Arc::clone(&job.cell)).collect(),
        queued: slot.map_or(0, Slot::queued),
        paused: registry.slots.is_paused(&name, controller),
        paused_since: registry.slots.paused.get(&name).copied(),
        name,
    }
}
