//! The slots of a supervisor: carries out the decisions of [`Slot`], under the lock of the registry.
//!
//! A submission has its cell from the start. While it waits, its state is `Queued` and its name is not registered; it
//! leaves that state under the registry's lock only. Its slot is busy until [`Core::remove`], when it has terminated.
//!
//! A slot that has the name of its owner, and where no task waits, is not stored: the registry knows its owner by that
//! name.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::super::by_name::{KEPT, Names};
use super::super::core::{Core, announce};
use super::super::registry::Registry;
use super::super::task::{Cell, Tie};
use super::wait_queue::WaitQueue;
use crate::events::{Event, EventKind};
use crate::inspect::{RejectReason, TaskOutcome};
use crate::slots::{AdmissionPolicy, ControllerConfig, ControllerSetup, Decision, Phase, Slot, SlotSpec};

pub(super) use super::aftermath::Aftermath;

const SLOT_TRANSITION: EventKind = EventKind::ControllerSlotTransition;

/// The immutable setup of all slots.
pub(in crate::runtime) struct Controller {
    pub(super) config: ControllerConfig,
    /// The declared slots.
    slots: HashMap<Arc<str>, SlotSpec>,
}

/// The slots, under the registry's lock.
#[derive(Default)]
pub(in crate::runtime) struct Slots {
    /// The busy slots. A slot whose owner has its name need not be here.
    pub(super) busy: HashMap<Arc<str>, Slot<Arc<Cell>, Job>>,
    /// The submissions that wait for room in a queue.
    pub(super) wait_queue: WaitQueue,
}

/// A submission that waits in its slot, or starts.
pub(in crate::runtime) struct Job {
    pub(super) cell: Arc<Cell>,
    /// The runtime on which it was submitted and runs.
    pub(super) runtime: Handle,
}

impl Controller {
    pub(in crate::runtime) fn new(setup: ControllerSetup) -> Self {
        let slots = setup.slots.into_iter().map(|slot| (slot.name().into(), slot)).collect();
        Self { config: setup.config, slots }
    }

    pub(in crate::runtime) fn set_up(&self, registry: &mut Registry) {
        registry.slots.wait_queue = WaitQueue::new(self.config.queue_capacity);
    }

    pub(super) fn capacity(&self, slot: &str) -> usize {
        self.slots.get(slot).and_then(SlotSpec::capacity).unwrap_or(self.config.slot_capacity)
    }

    /// Returns `true` if slots are declared, which wait for submissions.
    pub(in crate::runtime) fn has_slots(&self) -> bool {
        !self.slots.is_empty()
    }
}

impl Core {
    /// Returns `true` if there is a declared slot of that name.
    pub(crate) fn is_declared_slot(&self, name: &str) -> bool {
        self.controller.slots.contains_key(name)
    }

    /// Returns the default admission policy of the slot of that name.
    pub(crate) fn admission_of(&self, slot: &str) -> AdmissionPolicy {
        self.controller.slots.get(slot).map(SlotSpec::admission).unwrap_or_default()
    }

    /// Handles the termination of an owner, whose name is free now: starts the next submission that can start.
    pub(in crate::runtime) fn hand_over(&self, registry: &mut Registry, name: &Arc<str>) -> Aftermath {
        let mut aftermath = Aftermath::default();
        let (phase, mut next) = registry.slots.release(name, &mut aftermath);
        while let Some((job, waiting)) = next {
            registry.settle(&job.runtime, &mut aftermath.home);
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
        registry.slots.wait_queue.call_first(name, &mut aftermath.calls);
        self.tell_idle(name, phase);
        aftermath
    }

    /// Removes a waiting submission from its slot. Returns `false` if it does not wait there.
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

    /// Removes all waiting submissions from a slot. Returns their number, and the owner of the slot.
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

    /// Returns the number of submissions in a slot.
    pub(crate) fn slot_len(&self, name: &str) -> usize {
        let registry = self.registry();
        let waiting = registry.slots.busy.get(name).map_or(0, Slot::waiting);
        waiting + usize::from(registry.owner_of(name).is_some())
    }

    /// Publishes that the slot is idle.
    pub(super) fn tell_idle(&self, name: &Arc<str>, from: Phase) {
        if self.bus.is_active() {
            let event = Event { slot: Some(Arc::clone(name)), count: Some(0), ..Event::new(SLOT_TRANSITION) };
            self.bus.publish(event.because(format!("{from} -> {}", Phase::Idle)));
        }
    }
}

/// Returns the tie of a task to a slot of another name, shared with the owner of the slot.
#[inline]
pub(super) fn tie(name: Arc<str>, task: &Arc<str>, slot: Option<&Slot<Arc<Cell>, Job>>) -> Option<Arc<Tie>> {
    if name == *task {
        return None;
    }
    let shared = slot.and_then(|slot| slot.owner().tie()).cloned();
    shared.or_else(|| Some(Arc::new(Tie::Slot(name))))
}

/// Makes a submission the owner of an idle slot, if its name is free.
pub(super) fn start_idle(registry: &mut Registry, job: Job, aftermath: &mut Aftermath) {
    let cell = &job.cell;
    registry.settle(&job.runtime, &mut aftermath.home);
    if let Err(error) = registry.enter(cell) {
        return aftermath.reject(job, 0, RejectReason::Refused { error: Arc::new(error) });
    }
    if let Some(Tie::Slot(name)) = cell.tie().map(Arc::as_ref) {
        registry.slots.busy.insert(Arc::clone(name), Slot::of(Arc::clone(cell)));
    }
    cell.tell_slot(EventKind::ControllerSubmitted, 0, |event| event);
    start(registry, job, 0, Phase::Idle, aftermath);
}

/// Adds a submission to a busy slot, to wait or to replace the owner. The registry's lock is held.
#[inline]
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
        slot.owner().tell_transition(waiting, Phase::Running, Phase::Stopping);
        aftermath.stop = Some(Arc::clone(slot.owner()));
    }
}

/// Starts a submission that owns its slot, and whose name is registered. The registry's lock is held.
pub(super) fn start(registry: &mut Registry, job: Job, waiting: usize, from: Phase, aftermath: &mut Aftermath) {
    aftermath.displaced = registry.take_place(&job.cell);
    job.cell.leave_slot();
    job.cell.tell_transition(waiting, from, Phase::Running);
    announce(&job.cell);
    aftermath.start = Some(job);
}

/// Returns the owner of a slot that has the name of its owner.
pub(super) fn own_slot<'a>(names: &'a Names, name: &str) -> Option<&'a Arc<Cell>> {
    names.get(name).filter(|cell| cell.slot().is_some() && cell.tie().is_none())
}

impl Slots {
    /// Removes waiting submissions from a slot. Room that becomes free in a queue goes to the first in the wait queue.
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
        self.wait_queue.free(queued - slot.queued(), &mut aftermath.calls);
        Some(taken)
    }

    /// Handles the end of the owner of a slot. Returns the previous phase, and the next owner with the number of
    /// waiting submissions. Without a next owner the slot is idle.
    pub(super) fn release(&mut self, name: &Arc<str>, aftermath: &mut Aftermath) -> (Phase, Option<(Job, usize)>) {
        let release = |slot: &mut Slot<Arc<Cell>, Job>| {
            let (phase, next) = (slot.phase(), slot.release(|job| Arc::clone(&job.cell)));
            (phase, next.map(|job| (job, slot.waiting())))
        };
        // A slot that is not stored has no waiting submissions.
        let Some((phase, next)) = self.take(name, release, aftermath) else { return (Phase::Running, None) };
        if next.is_none() {
            self.busy.remove(name);
            let (len, capacity) = (self.busy.len(), self.busy.capacity());
            if capacity > KEPT && len < capacity / 8 {
                self.busy.shrink_to(len * 2);
            }
        }
        (phase, next)
    }
}

impl Registry {
    /// Returns the owner of the slot of that name.
    pub(super) fn owner_of(&self, slot: &str) -> Option<&Arc<Cell>> {
        self.slots.busy.get(slot).map(Slot::owner).or_else(|| own_slot(&self.names, slot))
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
