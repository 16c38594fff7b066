//! The pauses of slots. A paused slot acts as if all its places were taken. A slot that is paused while it is in the
//! queue of its pool is skipped in its turn, and is added to the queue again when it is resumed.

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

    /// Sets whether a slot is paused; the empty name stands for the root. Returns `false` if that changes nothing.
    pub(in crate::runtime) fn set_pause(&mut self, slot: &str, paused: bool) -> bool {
        set(&mut self.paused, slot, paused)
    }

    /// Returns the number of paused slots.
    pub(in crate::runtime) fn pauses(&self) -> usize {
        self.paused.keys().filter(|slot| !slot.is_empty()).count()
    }

    /// Clears all pauses after the shutdown.
    pub(in crate::runtime) fn forget_pauses(&mut self) {
        self.paused.clear();
    }

    /// Returns the current terms of a slot: without places while it is paused.
    #[inline]
    pub(super) fn open<'a>(&self, slot: &str, terms: Terms<'a>, controller: &Controller) -> Terms<'a> {
        if self.is_paused(slot, controller) { Terms { places: 0, ..terms } } else { terms }
    }

    /// Returns the names of the stored slots.
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
    /// Starts the submissions of resumed slots, as far as the slots have places.
    pub(in crate::runtime) fn resume_slots(self: &Arc<Self>, slots: &[Arc<str>]) {
        for name in slots {
            while self.start_resumed(name) {}
        }
        // A submission that waits for room in a queue may now find a free place.
        let mut aftermath = Aftermath::default();
        self.registry().slots.wait_queue.wake_all(&mut aftermath.calls);
        aftermath.carry_out(self);
    }

    /// Starts one submission. Returns `false` if none can start now.
    fn start_resumed(self: &Arc<Self>, name: &Arc<str>) -> bool {
        let terms = self.controller.terms(name);
        let mut aftermath = Aftermath::default();
        let mut registry = self.registry();
        let starts = self.start_next(&mut registry, name, terms, &mut Handed::default(), false, &mut aftermath);
        if let (false, Some(phase)) = (starts, registry.slots.busy.get(name).map(Slot::phase)) {
            self.settle_slot(&mut registry, name, terms, Some(phase), &mut aftermath);
        }
        drop(registry);
        aftermath.carry_out(self);
        starts
    }
}
