//! The slots of a supervisor: carries out what [`Slot`] decides, under the lock of the registry.
//!
//! A submission has its cell from the start. While it waits its phase is `Queued`, and its name is not registered; it
//! leaves that phase under the registry's lock only. Its slot is busy until [`Core::remove`], the physical end.
//!
//! Most slots are those of one task, which has their name, and nobody waits there: such a slot is not kept, as the
//! registry knows its owner by that name.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::super::by_name::Names;
use super::super::core::{Core, announce};
use super::super::registry::{Registry, shrink};
use super::super::task::{Cell, Tie};
use super::intake::Relied;
use super::wait_queue::Line;
use crate::events::{Event, EventKind};
use crate::inspect::{RejectReason, TaskOutcome};
use crate::slots::{AdmissionPolicy, ControllerSetup, Decision, Phase, Slot};

pub(super) use super::aftermath::Aftermath;

const SLOT_TRANSITION: EventKind = EventKind::ControllerSlotTransition;

/// What holds for all slots, and does not change.
pub(in crate::runtime) struct Controller {
    pub(super) setup: ControllerSetup,
    /// The slots that were declared with a capacity.
    pub(super) capacities: HashMap<Arc<str>, usize>,
}

/// The slots, under the registry's lock.
#[derive(Default)]
pub(in crate::runtime) struct Slots {
    /// One that is idle is not there, nor need be one whose owner has its name.
    pub(super) busy: HashMap<Arc<str>, Slot<Arc<Cell>, Job>>,
    /// For a place in the queue of any.
    pub(super) line: Line,
    /// The slots that tasks of the tree are after.
    pub(super) relied: Vec<Relied>,
}

/// A submission that waits in its slot, or starts.
pub(in crate::runtime) struct Job {
    pub(super) cell: Arc<Cell>,
    /// Where it was submitted, and runs.
    pub(super) runtime: Handle,
}

impl Controller {
    pub(in crate::runtime) fn new(setup: ControllerSetup) -> Self {
        let capacities = setup.slots.iter().filter_map(|slot| Some((slot.name().into(), slot.capacity()?))).collect();
        Self { setup, capacities }
    }

    pub(in crate::runtime) fn set_up(&self, registry: &mut Registry) {
        registry.slots.line = Line::new(self.setup.config.queue_capacity);
    }

    pub(super) fn capacity(&self, slot: &str) -> usize {
        self.capacities.get(slot).copied().unwrap_or(self.setup.config.slot_capacity)
    }

    /// Whether slots were declared, which wait for work.
    pub(in crate::runtime) fn has_slots(&self) -> bool {
        !self.setup.slots.is_empty()
    }
}

impl Core {
    /// Whether there is a declared slot of that name.
    pub(crate) fn is_declared_slot(&self, name: &str) -> bool {
        self.controller.setup.slots.iter().any(|slot| slot.name() == name)
    }

    /// What the slot of that name does with a submission that does not say.
    pub(crate) fn admission_of(&self, slot: &str) -> AdmissionPolicy {
        self.controller.setup.admission(slot)
    }

    /// The owner of a slot has physically ended, and its name is free: the next that can be started is.
    pub(in crate::runtime) fn hand_over(&self, registry: &mut Registry, name: &Arc<str>) -> Aftermath {
        let mut aftermath = Aftermath::default();
        let (phase, mut next) = registry.slots.release(name, &mut aftermath);
        while let Some((job, waiting)) = next {
            aftermath.settle(registry, &job.runtime);
            self.bus.start(&job.runtime);
            match registry.enter(&job.cell) {
                Ok(()) => {
                    start(registry, job, waiting, phase, &mut aftermath);
                    return aftermath;
                }
                Err(error) => aftermath.reject(job, waiting, RejectReason::Refused { error: Arc::new(error) }),
            }
            next = registry.slots.release(name, &mut aftermath).1;
        }
        registry.slots.line.call_first(name, &mut aftermath.calls);
        self.tell_idle(name, phase);
        aftermath
    }

    /// Takes a submission out of its slot, if it waits there. Whether it did.
    pub(in crate::runtime) fn withdraw(&self, cell: &Cell, requested: bool) -> bool {
        let Some(name) = cell.slot() else { return false };
        let mut aftermath = Aftermath::default();
        let mut registry = self.registry();
        let is = |job: &Job| job.cell.id() == cell.id();
        let taken = registry.slots.take(name, |slot| Some((slot.withdraw(is)?, slot.waiting())), &mut aftermath);
        let Some((job, waiting)) = taken.flatten() else { return false };
        aftermath.withdraw(job, waiting, requested);
        drop(registry);
        aftermath.carry_out(cell.core());
        true
    }

    /// Takes out all that wait in a slot. How many, and who owns the slot.
    pub(crate) fn clear_slot(self: &Arc<Self>, name: &str) -> (usize, Option<Arc<Cell>>) {
        let mut aftermath = Aftermath::default();
        let mut registry = self.registry();
        let owner = registry.owner_of(name).cloned();
        let waiting = registry.slots.take(name, Slot::withdraw_all, &mut aftermath);
        let mut withdrawn = 0;
        for job in waiting.into_iter().flatten() {
            aftermath.withdraw(job, 0, true);
            withdrawn += 1;
        }
        drop(registry);
        aftermath.carry_out(self);
        (withdrawn, owner)
    }

    /// How many submissions a slot has.
    pub(crate) fn slot_len(&self, name: &str) -> usize {
        let registry = self.registry();
        let waiting = registry.slots.busy.get(name).map_or(0, Slot::waiting);
        waiting + usize::from(registry.owner_of(name).is_some())
    }

    /// The slot of that name is idle.
    pub(super) fn tell_idle(&self, name: &Arc<str>, from: Phase) {
        if self.bus.is_active() {
            let event = Event { slot: Some(Arc::clone(name)), count: Some(0), ..Event::new(SLOT_TRANSITION) };
            self.bus.publish(event.because(format!("{from} -> {}", Phase::Idle)));
        }
    }
}

/// What ties a task to a slot, which has another name: what ties the slot's owner.
pub(super) fn tie(name: Arc<str>, task: &Arc<str>, slot: Option<&Slot<Arc<Cell>, Job>>) -> Option<Arc<Tie>> {
    if name == *task {
        return None;
    }
    let shared = slot.and_then(Slot::owner).and_then(|owner| owner.tie()).cloned();
    shared.or_else(|| Some(Arc::new(Tie::Slot(name))))
}

/// A new submission becomes the owner of a slot that is idle, if its name is free.
pub(super) fn start_idle(registry: &mut Registry, job: Job, aftermath: &mut Aftermath) {
    let cell = &job.cell;
    aftermath.settle(registry, &job.runtime);
    if let Err(error) = registry.enter(cell) {
        return aftermath.reject(job, 0, RejectReason::Refused { error: Arc::new(error) });
    }
    if let Some(Tie::Slot(name)) = cell.tie().map(Arc::as_ref) {
        registry.slots.busy.insert(Arc::clone(name), Slot::of(Arc::clone(cell)));
    }
    cell.tell_slot(EventKind::ControllerSubmitted, 0, |event| event);
    start(registry, job, 0, Phase::Idle, aftermath);
}

/// A new submission waits in a slot that is busy, or is to replace its owner. The registry's lock is held.
pub(super) fn join(slot: &mut Slot<Arc<Cell>, Job>, job: Job, decision: Decision, aftermath: &mut Aftermath) {
    let cell = Arc::clone(&job.cell);
    let displaced = if matches!(decision, Decision::Replace { .. }) {
        slot.replace(job)
    } else {
        slot.wait(job);
        None
    };
    let waiting = slot.waiting();
    cell.tell_slot(EventKind::ControllerSubmitted, waiting, |event| event);
    if let Some(displaced) = displaced {
        aftermath.reject(displaced, waiting, RejectReason::Superseded);
    }
    if matches!(decision, Decision::Replace { stops: true, .. }) {
        aftermath.stop = slot.owner().cloned();
        if let Some(owner) = slot.owner() {
            owner.tell_transition(waiting, Phase::Running, Phase::Stopping);
        }
    }
}

/// A submission owns its slot now, and its name is registered. The registry's lock is held.
pub(super) fn start(registry: &mut Registry, job: Job, waiting: usize, from: Phase, aftermath: &mut Aftermath) {
    aftermath.take_place(registry, &job.cell);
    job.cell.leave_slot();
    job.cell.tell_transition(waiting, from, Phase::Running);
    announce(&job.cell);
    aftermath.start = Some(job);
}

/// The owner of a slot that has its name.
pub(super) fn own_slot<'a>(names: &'a Names, name: &str) -> Option<&'a Arc<Cell>> {
    names.get(name).filter(|cell| cell.slot().is_some() && cell.tie().is_none())
}

impl Slots {
    /// Takes those out of a slot that wait. A place in the queue that is free then goes to the first in line.
    pub(super) fn take<T>(
        &mut self,
        slot: &str,
        take: impl FnOnce(&mut Slot<Arc<Cell>, Job>) -> T,
        aftermath: &mut Aftermath,
    ) -> Option<T> {
        let slot = self.busy.get_mut(slot)?;
        let (queued, waiting) = (slot.queued(), slot.waiting());
        let taken = take(slot);
        aftermath.wait_no_more += waiting - slot.waiting();
        self.line.free(queued - slot.queued(), &mut aftermath.calls);
        Some(taken)
    }

    /// The owner of a slot has ended. What the slot did, and the next, with how many wait then: it is the owner now. If
    /// there is none, the slot is idle.
    pub(super) fn release(&mut self, name: &Arc<str>, aftermath: &mut Aftermath) -> (Phase, Option<(Job, usize)>) {
        const NOT_KEPT: (Phase, Option<(Job, usize)>) = (Phase::Running, None);
        if self.busy.is_empty() {
            return NOT_KEPT;
        }
        let Entry::Occupied(mut place) = self.busy.entry(Arc::clone(name)) else { return NOT_KEPT };
        let slot = place.get_mut();
        let (phase, queued) = (slot.phase(), slot.queued());
        let Some(job) = slot.release() else {
            place.remove();
            shrink(&mut self.busy);
            return (phase, None);
        };
        slot.start(Arc::clone(&job.cell));
        let waiting = slot.waiting();
        aftermath.wait_no_more += 1;
        self.line.free(queued - slot.queued(), &mut aftermath.calls);
        (phase, Some((job, waiting)))
    }
}

impl Registry {
    /// Who owns the slot of that name.
    pub(super) fn owner_of(&self, slot: &str) -> Option<&Arc<Cell>> {
        self.slots.busy.get(slot).and_then(Slot::owner).or_else(|| own_slot(&self.names, slot))
    }
}

impl Cell {
    pub(super) fn reject(&self, reason: RejectReason, waiting: usize) {
        let why = reason.as_label();
        self.end_unstarted(TaskOutcome::Rejected { reason }, waiting, why);
    }

    pub(super) fn end_unstarted(&self, outcome: TaskOutcome, waiting: usize, why: &str) {
        let publish = || self.tell_slot(EventKind::ControllerRejected, waiting, |event| event.because(why));
        self.finish_unstarted(outcome, publish);
    }

    /// Publishes an event about the slot of the task. The registry's lock is held.
    pub(super) fn tell_slot(&self, kind: EventKind, waiting: usize, more: impl FnOnce(Event) -> Event) {
        let count = u64::try_from(waiting).ok();
        let bus = &self.core().bus;
        if bus.is_active() {
            bus.publish(more(Event { slot: self.slot().cloned(), count, ..self.event(kind) }));
        }
    }

    pub(super) fn tell_transition(&self, waiting: usize, from: Phase, to: Phase) {
        self.tell_slot(SLOT_TRANSITION, waiting, |event| event.because(format!("{from} -> {to}")));
    }
}
