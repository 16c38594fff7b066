//! The events of slots.

use std::sync::Arc;

use crate::events::{Event, EventKind};
use crate::inspect::{RejectReason, TaskOutcome};
use crate::runtime::core::Core;
use crate::runtime::task::{Cell, Left};
use crate::slots::SlotPhase;
use crate::task::TaskRef;

const SLOT_TRANSITION: EventKind = EventKind::ControllerSlotTransition;

impl Core {
    /// Publishes that the slot is idle.
    pub(in crate::runtime::slots) fn tell_idle(&self, name: &Arc<str>, from: SlotPhase) {
        self.tell_phase(name, 0, from, SlotPhase::Idle);
    }

    /// Publishes a phase without an owner.
    pub(in crate::runtime::slots) fn tell_phase(
        &self,
        name: &Arc<str>,
        waiting: usize,
        from: SlotPhase,
        to: SlotPhase,
    ) {
        if self.bus.is_active() {
            let count = u64::try_from(waiting).ok();
            let event = Event { slot: Some(Arc::clone(name)), count, ..Event::new(SLOT_TRANSITION) };
            self.bus.publish(event.because(format!("{from} -> {to}")));
        }
    }

    /// Publishes that the first submission waits in an idle slot.
    pub(in crate::runtime::slots) fn tell_waiting(&self, name: &Arc<str>) {
        self.tell_phase(name, 1, SlotPhase::Idle, SlotPhase::Waiting);
    }
}

impl Cell {
    #[inline]
    pub(in crate::runtime::slots) fn reject(&self, reason: RejectReason, waiting: usize) -> Left {
        let why = reason.as_label();
        self.end_unstarted(TaskOutcome::Rejected { reason }, waiting, why)
    }

    /// Rejects a new submission. Returns its task, to be dropped with no lock held.
    #[inline]
    pub(in crate::runtime::slots) fn reject_new(&self, reason: RejectReason, waiting: usize) -> Option<TaskRef> {
        let why = reason.as_label();
        let publish = || self.tell_slot(EventKind::ControllerRejected, waiting, |event| event.because(why));
        self.finish_new(TaskOutcome::Rejected { reason }, publish)
    }

    #[inline]
    pub(in crate::runtime::slots) fn end_unstarted(&self, outcome: TaskOutcome, waiting: usize, why: &str) -> Left {
        let publish = || self.tell_slot(EventKind::ControllerRejected, waiting, |event| event.because(why));
        self.finish_unstarted(outcome, publish)
    }

    /// Publishes an event about the slot of the task. The registry's lock is held.
    pub(in crate::runtime::slots) fn tell_slot(
        &self,
        kind: EventKind,
        waiting: usize,
        more: impl FnOnce(Event) -> Event,
    ) {
        let count = u64::try_from(waiting).ok();
        let bus = &self.core().bus;
        if bus.is_active() {
            bus.publish(more(Event { slot: self.slot().cloned(), count, ..self.event(kind) }));
        }
    }

    #[inline]
    pub(in crate::runtime::slots) fn tell_transition(&self, waiting: usize, from: SlotPhase, to: SlotPhase) {
        self.tell_slot(SLOT_TRANSITION, waiting, |event| event.because(format!("{from} -> {to}")));
    }
}
