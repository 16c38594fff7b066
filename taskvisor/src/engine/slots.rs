//! The slots of a supervisor: carries out what [`Slot`] decides, under the lock of the registry.
//!
//! A submission has its cell from the start. While it waits its phase is `Queued`, and its name is not registered; it
//! leaves that phase under the registry's lock only. Its slot is busy until [`Core::remove`], the physical end.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::actor::Actor;
use super::cell::{Bound, Cell, Finished, Origin, Tie};
use super::core::{Admitted, Core, announce};
use super::observe;
use super::registry::{Admission, Registry, shrink};
use super::tree::check_no_siblings;
use crate::controller::{
    AdmissionPolicy, ControllerError, ControllerSetup, ControllerSpec, Decision, Phase, Slot, check_slot_name,
};
use crate::events::{Event, EventKind};
use crate::outcome::{RejectReason, TaskOutcome};
use crate::runtime_error::RuntimeError;

/// What holds for all slots, and does not change.
pub(super) struct Controller {
    setup: ControllerSetup,
    /// The slots that were declared with a capacity.
    capacities: HashMap<Arc<str>, usize>,
    /// For those that wait, in all slots together.
    room: Semaphore,
}

/// The slots that are busy. One that is idle is not there.
pub(super) type Slots = HashMap<Arc<str>, Slot<Job>>;

/// A submission in its slot.
pub(super) struct Job {
    cell: Arc<Cell>,
    /// Where it was submitted, and runs.
    runtime: Handle,
}

/// A submission that is checked, and not decided on.
struct Submission {
    admission: AdmissionPolicy,
    slot: Arc<str>,
    admitted: Admitted,
    runtime: Handle,
}

enum Offer {
    Taken(Arc<Cell>),
    /// More would wait than may.
    NoRoom(Box<Submission>),
}

/// What is left to do once the registry's lock is released: it wakes tasks, or drops what is the user's.
#[derive(Default)]
#[must_use]
pub(super) struct Aftermath {
    start: Option<Job>,
    stop: Option<Arc<Cell>>,
    over: Vec<(Arc<Cell>, Finished)>,
    /// How many wait no more.
    room: usize,
}

impl Controller {
    pub(super) fn new(setup: ControllerSetup) -> Self {
        let capacities = setup.slots.iter().filter_map(|slot| Some((slot.name().into(), slot.capacity()?))).collect();
        let room = Semaphore::new(setup.config.queue_capacity.min(Semaphore::MAX_PERMITS));
        Self { setup, capacities, room }
    }

    /// Whether slots were declared, which wait for work.
    pub(super) fn has_slots(&self) -> bool {
        !self.setup.slots.is_empty()
    }
}

impl Core {
    /// Whether there is a declared slot of that name.
    #[cfg(feature = "metrics")]
    pub(super) fn is_declared_slot(&self, name: &str) -> bool {
        self.controller.setup.slots.iter().any(|slot| slot.name() == name)
    }

    /// What the slot of that name does with a submission that does not say.
    pub(crate) fn admission_of(&self, slot: &str) -> AdmissionPolicy {
        self.controller.setup.admission(slot)
    }

    /// Submits a task; waits while as many wait as may.
    pub(crate) async fn submit(self: &Arc<Self>, spec: ControllerSpec) -> Result<Arc<Cell>, ControllerError> {
        let mut submission = self.check_submission(spec)?;
        let mut room = None;
        loop {
            match self.offer(submission, room)? {
                Offer::Taken(cell) => return Ok(cell),
                Offer::NoRoom(refused) => {
                    submission = *refused;
                    room = Some(self.controller.room.acquire().await.map_err(|_| ControllerError::ShuttingDown)?);
                }
            }
        }
    }

    /// Submits a task, unless as many wait as may.
    pub(crate) fn try_submit(self: &Arc<Self>, spec: ControllerSpec) -> Result<Arc<Cell>, ControllerError> {
        match self.offer(self.check_submission(spec)?, None)? {
            Offer::Taken(cell) => Ok(cell),
            Offer::NoRoom(_) => Err(ControllerError::Full { capacity: self.controller.setup.config.queue_capacity }),
        }
    }

    fn check_submission(&self, spec: ControllerSpec) -> Result<Submission, ControllerError> {
        let refused = |error| match error {
            RuntimeError::InvalidOption(invalid) => ControllerError::InvalidOption(invalid),
            _ => ControllerError::NoRuntime,
        };
        let runtime = self.prepare().map_err(refused)?;
        let (admission, slot, spec) = spec.into_parts();
        check_no_siblings(&spec)?;
        let admitted = self.admit(spec).map_err(refused)?;
        let slot = slot.unwrap_or_else(|| Arc::clone(&admitted.name));
        check_slot_name(&slot)?;
        Ok(Submission { admission, slot, admitted, runtime })
    }

    /// Decides on a submission. `room` is for one that waits.
    fn offer(
        self: &Arc<Self>,
        submission: Submission,
        mut room: Option<SemaphorePermit<'_>>,
    ) -> Result<Offer, ControllerError> {
        let mut registry = self.registry();
        if registry.admission != Admission::Open {
            return Err(ControllerError::ShuttingDown);
        }
        let Submission { admission, slot: name, .. } = &submission;
        let capacity = self.controller.capacities.get(name).copied();
        let capacity = capacity.unwrap_or(self.controller.setup.config.slot_capacity);
        let decision = registry.slots.get(name).map_or(Decision::Start, |slot| slot.decide(*admission, capacity));
        if decision.needs_room() {
            let Some(room) = room.take().or_else(|| self.controller.room.try_acquire().ok()) else {
                return Ok(Offer::NoRoom(Box::new(submission)));
            };
            room.forget();
        }
        let Submission { slot: name, admitted, runtime, .. } = submission;
        let cell = self.cell(&mut registry, admitted, Origin::Added, Some(Tie::Slot(name)));
        let mut aftermath = Aftermath::default();
        self.enter(&mut registry, Job { cell: Arc::clone(&cell), runtime }, decision, &mut aftermath);
        drop(registry);
        observe::submitted(&cell, decision.needs_room());
        self.carry_out(aftermath);
        Ok(Offer::Taken(cell))
    }

    /// Does with a new submission as was decided.
    fn enter(&self, registry: &mut Registry, job: Job, decision: Decision, aftermath: &mut Aftermath) {
        let cell = Arc::clone(&job.cell);
        let Some(name) = cell.slot() else { return };
        match decision {
            Decision::Start => {
                if let Some(reason) = registry.refusal(&cell) {
                    return aftermath.reject(registry, cell, reason);
                }
                cell.tell_slot(EventKind::ControllerSubmitted, 0, |event| event);
                self.start(registry, job, Phase::Idle, aftermath);
            }
            Decision::Wait => {
                cell.wait_in_slot();
                let slot = registry.slot(name);
                slot.wait(job);
                cell.tell_slot(EventKind::ControllerSubmitted, slot.waiting(), |event| event);
            }
            Decision::Replace { stops, .. } => {
                cell.wait_in_slot();
                let slot = registry.slot(name);
                let displaced = slot.replace(job);
                let waiting = slot.waiting();
                let owner = slot.owner().filter(|_| stops).map(|owner| Arc::clone(&owner.cell));
                cell.tell_slot(EventKind::ControllerSubmitted, waiting, |event| event);
                if let Some(displaced) = displaced {
                    aftermath.reject(registry, displaced.cell, RejectReason::Superseded);
                }
                if let Some(owner) = &owner {
                    owner.tell_transition(waiting, Phase::Running, Phase::Stopping);
                }
                aftermath.stop = owner;
            }
            Decision::Busy => aftermath.reject(registry, cell, RejectReason::Busy),
            Decision::Full => aftermath.reject(registry, cell, RejectReason::Full),
        }
    }

    /// The job becomes the owner of its slot. Its name is free.
    fn start(&self, registry: &mut Registry, job: Job, from: Phase, aftermath: &mut Aftermath) {
        let cell = &job.cell;
        let Some(name) = cell.slot() else { return };
        registry.settle(&job.runtime);
        self.bus.start(&job.runtime);
        registry.insert(cell);
        let slot = registry.slot(name);
        slot.start(Job { cell: Arc::clone(cell), runtime: job.runtime.clone() });
        cell.tell_transition(slot.waiting(), from, Phase::Running);
        announce(cell);
        aftermath.start = Some(job);
    }

    /// The owner of a slot has physically ended, and its name is free: the next that can be started is.
    pub(super) fn hand_over(&self, registry: &mut Registry, owner: &Cell) -> Aftermath {
        let mut aftermath = Aftermath::default();
        let Some(name) = owner.slot() else { return aftermath };
        let phase = registry.slot(name).phase();
        while let Some(job) = registry.slot(name).release() {
            aftermath.room += 1;
            if let Some(reason) = registry.refusal(&job.cell) {
                aftermath.reject(registry, job.cell, reason);
                continue;
            }
            job.cell.leave_slot();
            self.start(registry, job, phase, &mut aftermath);
            return aftermath;
        }
        registry.slots.remove(name);
        shrink(&mut registry.slots);
        owner.tell_transition(0, phase, Phase::Idle);
        aftermath
    }

    /// Takes a submission out of its slot, if it waits there. Whether it did.
    pub(super) fn withdraw(&self, cell: &Cell, requested: bool) -> bool {
        let Some(name) = cell.slot() else { return false };
        let mut aftermath = Aftermath::default();
        let mut registry = self.registry();
        let slot = registry.slots.get_mut(name);
        let Some(job) = slot.and_then(|slot| slot.withdraw(|job| job.cell.id() == cell.id())) else { return false };
        aftermath.withdraw(&registry, job, requested);
        drop(registry);
        self.carry_out(aftermath);
        true
    }

    /// Takes out all that wait in a slot. How many, and who owns the slot.
    pub(crate) fn clear_slot(&self, name: &str) -> (usize, Option<Arc<Cell>>) {
        let mut aftermath = Aftermath::default();
        let mut registry = self.registry();
        let Some(slot) = registry.slots.get_mut(name) else { return (0, None) };
        let owner = slot.owner().map(|owner| Arc::clone(&owner.cell));
        for job in slot.withdraw_all() {
            aftermath.withdraw(&registry, job, true);
        }
        drop(registry);
        let withdrawn = aftermath.over.len();
        self.carry_out(aftermath);
        (withdrawn, owner)
    }

    /// How many submissions a slot has.
    pub(crate) fn slot_len(&self, name: &str) -> usize {
        self.registry().slots.get(name).map_or(0, |slot| 1 + slot.waiting())
    }

    /// Nobody waits for room any more.
    pub(super) fn close_slots(&self, aftermath: Aftermath) {
        self.controller.room.close();
        self.carry_out(aftermath);
    }

    /// Does what is left to do, with no lock held.
    pub(super) fn carry_out(&self, aftermath: Aftermath) {
        let Aftermath { start, stop, over, room } = aftermath;
        if room > 0 {
            self.controller.room.add_permits(room);
            observe::wait_no_more(room);
        }
        for (cell, finished) in over {
            observe::not_run(&cell);
            cell.finished(finished);
        }
        if let Some(owner) = stop {
            owner.stop(Bound::within(owner.stop_bound()), true);
        }
        if let Some(job) = start {
            spawn(job);
        }
    }
}

impl Registry {
    fn slot(&mut self, name: &Arc<str>) -> &mut Slot<Job> {
        self.slots.entry(Arc::clone(name)).or_default()
    }

    /// Why a task cannot be registered now, if it cannot.
    fn refusal(&self, cell: &Cell) -> Option<RejectReason> {
        let name = cell.name();
        let error = || RuntimeError::TaskAlreadyExists { name: name.to_string() };
        self.is_taken(name).then(|| RejectReason::Refused { error: Arc::new(error()) })
    }
}

impl Aftermath {
    /// Rejects all that wait, in the order of their submission: the supervisor shuts down.
    pub(super) fn of_shutdown(registry: &mut Registry) -> Self {
        let mut aftermath = Self::default();
        let mut waiting: Vec<_> = registry.slots.values_mut().flat_map(Slot::withdraw_all).collect();
        waiting.sort_unstable_by_key(|job| job.cell.id());
        for job in waiting {
            aftermath.room += 1;
            aftermath.reject(registry, job.cell, RejectReason::ShuttingDown);
        }
        aftermath
    }

    /// A submission will not run. The registry's lock is held.
    fn reject(&mut self, registry: &Registry, cell: Arc<Cell>, reason: RejectReason) {
        let why = reason.as_label();
        self.end(registry, cell, TaskOutcome::Rejected { reason }, why);
    }

    /// As `reject`, for one that was told to stop while it waited.
    fn withdraw(&mut self, registry: &Registry, job: Job, requested: bool) {
        self.room += 1;
        if requested {
            job.cell.announce(EventKind::TaskRemoveRequested);
        }
        self.end(registry, job.cell, TaskOutcome::Canceled { error: None }, "canceled");
    }

    fn end(&mut self, registry: &Registry, cell: Arc<Cell>, outcome: TaskOutcome, why: &str) {
        let waiting = cell.slot().and_then(|name| registry.slots.get(name)).map_or(0, Slot::waiting);
        let finished = cell.finish_by(outcome, || {
            cell.tell_slot(EventKind::ControllerRejected, waiting, |event| event.because(why));
        });
        self.over.push((cell, finished));
    }
}

impl Cell {
    /// Publishes an event about the slot of the task. The registry's lock is held.
    fn tell_slot(&self, kind: EventKind, waiting: usize, more: impl FnOnce(Event) -> Event) {
        let count = u64::try_from(waiting).ok();
        self.publish(|event| more(Event { slot: self.slot().cloned(), count, ..event }), kind);
    }

    fn tell_transition(&self, waiting: usize, from: Phase, to: Phase) {
        self.tell_slot(EventKind::ControllerSlotTransition, waiting, |event| event.because(format!("{from} -> {to}")));
    }
}

/// Spawns the actor of an owner. A runtime that is gone drops it at once, which hands the slot over to the next, and so
/// on: they are spawned one after another, not one within another.
fn spawn(job: Job) {
    thread_local! {
        static NEXT: RefCell<Option<Vec<Job>>> = const { RefCell::new(None) };
    }
    let mut job = Some(job);
    let nested = NEXT.try_with(|next| match &mut *next.borrow_mut() {
        Some(next) => {
            next.extend(job.take());
            true
        }
        none => {
            *none = Some(Vec::new());
            false
        }
    });
    while let Some(Job { cell, runtime }) = job.take() {
        Actor::spawn(cell, &runtime);
        job = NEXT.try_with(|next| next.borrow_mut().as_mut().and_then(Vec::pop)).ok().flatten();
    }
    if nested == Ok(false) {
        let _ = NEXT.try_with(|next| next.borrow_mut().take());
    }
}
