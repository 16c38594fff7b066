//! The pauses of slots: a paused slot is as if all its places were taken. One that is paused in the line of its pool is
//! passed over when its turn comes, and lines up again when it is resumed.

use std::sync::Arc;

use super::super::core::Core;
use super::super::pause::set;
use super::super::task::Cell;
use super::aftermath::Aftermath;
use super::hand_over::Handed;
use super::manager::{Controller, Slots, Terms};
use crate::slots::Slot;

impl Slots {
    /// Returns `true` if any slot is paused.
    #[inline]
    pub(in crate::runtime) fn has_pauses(&self) -> bool {
        !self.paused.is_empty()
    }

    /// Returns `true` if the slot, the slot whose key it is, or the root is paused.
    #[inline]
    pub(in crate::runtime) fn is_paused(&self, slot: &str, controller: &Controller) -> bool {
        self.has_pauses() && self.are_paused(slot, controller)
    }

    #[cold]
    fn are_paused(&self, slot: &str, controller: &Controller) -> bool {
        let is_paused = |name: &str| self.paused.contains_key(name);
        is_paused("") || is_paused(slot) || controller.keyed_slot_of(slot).is_some_and(is_paused)
    }

    /// Notes that a slot, or with the empty name the root, is paused or not. Returns `false` if that changes nothing.
    pub(in crate::runtime) fn set_pause(&mut self, slot: &str, paused: bool) -> bool {
        set(&mut self.paused, slot, paused)
    }

    /// Returns the number of paused slots.
    pub(in crate::runtime) fn pauses(&self) -> usize {
        self.paused.keys().filter(|slot| !slot.is_empty()).count()
    }

    /// The shutdown is over.
    pub(in crate::runtime) fn forget_pauses(&mut self) {
        self.paused.clear();
    }

    /// Returns the terms of a slot as they are now: without places while it is paused.
    #[inline]
    pub(super) fn open<'a>(&self, slot: &str, terms: Terms<'a>, controller: &Controller) -> Terms<'a> {
        if self.is_paused(slot, controller) { Terms { places: 0, ..terms } } else { terms }
    }

    /// Returns the names of the slots in which tasks run or wait, as far as they are stored.
    pub(in crate::runtime) fn all_busy(&self) -> Vec<Arc<str>> {
        self.busy.names().cloned().collect()
    }

    /// Returns the tasks that wait in a slot.
    pub(in crate::runtime) fn waiting_in(&self, slot: &str) -> impl Iterator<Item = &Arc<Cell>> {
        let slot = self.busy.get(slot);
        slot.into_iter().flat_map(|slot| slot.next().into_iter().chain(slot.queue())).map(|job| &job.cell)
    }
}

impl Core {
    /// Starts the submissions of slots that were resumed, as far as these have places.
    pub(in crate::runtime) fn resume_slots(self: &Arc<Self>, slots: &[Arc<str>]) {
        for name in slots {
            while self.start_resumed(name) {}
        }
        // A submission that waits for room in a queue may find a free place now.
        let mut aftermath = Aftermath::default();
        self.registry().slots.wait_queue.wake_all(&mut aftermath.calls);
        aftermath.carry_out(self);
    }

    /// Starts one submission. Returns `false` if none can start now.
    fn start_resumed(self: &Arc<Self>, name: &Arc<str>) -> bool {
        let terms = self.controller.terms(name);
        let mut aftermath = Aftermath::default();
        let mut registry = self.registry();
        let starts = self.start_next(&mut registry, name, terms, Handed::default(), false, &mut aftermath);
        if let (false, Some(phase)) = (starts, registry.slots.busy.get(name).map(Slot::phase)) {
            self.settle_slot(&mut registry, name, terms, phase, &mut aftermath);
        }
        drop(registry);
        aftermath.carry_out(self);
        starts
    }
}
