//! The slots of a supervisor: carries out what [`Slot`] decides, under the lock of the registry.
//!
//! A submission has its cell from the start. While it waits its phase is `Queued`, and its name is not registered; it
//! leaves that phase under the registry's lock only. Its slot is busy until [`Core::remove`], the physical end.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use tokio::runtime::Handle;

use super::actor::Actor;
use super::cell::{Bound, Cell, Finished, Origin, Tie};
use super::core::{Admitted, Core, announce};
use super::line::{Line, Wakers};
use super::observe;
use super::registry::{Admission, Registry, shrink};
use super::tree::check_no_siblings;
use crate::controller::{
    AdmissionPolicy, ControllerError, ControllerSetup, ControllerSpec, Decision, Phase, Slot, check_slot_name,
};
use crate::events::{Event, EventKind};
use crate::outcome::{RejectReason, TaskOutcome};
use crate::panics::{catch, drop_caught};
use crate::runtime_error::RuntimeError;

const SLOT_TRANSITION: EventKind = EventKind::ControllerSlotTransition;

/// What holds for all slots, and does not change.
pub(super) struct Controller {
    setup: ControllerSetup,
    /// The slots that were declared with a capacity.
    capacities: HashMap<Arc<str>, usize>,
}

/// The slots, under the registry's lock.
#[derive(Default)]
pub(super) struct Slots {
    /// One that is idle is not there.
    busy: HashMap<Arc<str>, Slot<Job>>,
    /// For a place in the queue of any.
    line: Line,
}

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
    /// It would wait in a queue, and has no place there.
    NoRoom(Box<Submission>),
}

/// A place in line, which is left when this is dropped.
struct InLine<'a> {
    core: &'a Core,
    ticket: Option<u64>,
}

/// What is left to do once the registry's lock is released: it wakes tasks, or drops what is the user's.
#[derive(Default)]
#[must_use]
pub(super) struct Aftermath {
    start: Option<Job>,
    stop: Option<Arc<Cell>>,
    over: Vec<(Arc<Cell>, Finished)>,
    wakers: Wakers,
    /// How many left the queues and places before them.
    wait_no_more: usize,
}

impl Controller {
    pub(super) fn new(setup: ControllerSetup) -> Self {
        let capacities = setup.slots.iter().filter_map(|slot| Some((slot.name().into(), slot.capacity()?))).collect();
        Self { setup, capacities }
    }

    pub(super) fn set_up(&self, registry: &mut Registry) {
        registry.slots.line = Line::new(self.setup.config.queue_capacity);
    }

    fn capacity(&self, slot: &str) -> usize {
        self.capacities.get(slot).copied().unwrap_or(self.setup.config.slot_capacity)
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

    /// Submits a task; waits in line if it has to wait in a queue, and they are full.
    pub(crate) async fn submit(self: &Arc<Self>, spec: ControllerSpec) -> Result<Arc<Cell>, ControllerError> {
        let mut submission = Some(self.check_submission(spec)?);
        let mut line = InLine { core: self, ticket: None };
        poll_fn(|cx| {
            let Some(offered) = submission.take() else { return Poll::Pending };
            match self.offer(offered, &mut line.ticket, Some(cx.waker()))? {
                Offer::Taken(cell) => Poll::Ready(Ok(cell)),
                Offer::NoRoom(refused) => {
                    submission = Some(*refused);
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Submits a task, unless it would have to wait in line.
    pub(crate) fn try_submit(self: &Arc<Self>, spec: ControllerSpec) -> Result<Arc<Cell>, ControllerError> {
        match self.offer(self.check_submission(spec)?, &mut None, None)? {
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

    /// Decides on a submission. One that must wait in line does if it has a waker.
    fn offer(
        self: &Arc<Self>,
        submission: Submission,
        ticket: &mut Option<u64>,
        waker: Option<&Waker>,
    ) -> Result<Offer, ControllerError> {
        let waker = waker.cloned();
        let mut aftermath = Aftermath::default();
        let mut registry = self.registry();
        if registry.admission != Admission::Open {
            return Err(ControllerError::ShuttingDown);
        }
        let Submission { admission, slot: name, .. } = &submission;
        let Slots { busy, line } = &mut registry.slots;
        let capacity = self.controller.capacity(name);
        let decision = busy.get(name).map_or(Decision::Start, |slot| slot.decide(*admission, capacity));
        let is_first = *admission != AdmissionPolicy::Queue || line.is_first(name, *ticket);
        let goes = match decision {
            Decision::Start => is_first,
            Decision::Wait => is_first && line.has_place(*ticket),
            Decision::Replace { .. } | Decision::Busy | Decision::Full => true,
        };
        let wakers = &mut aftermath.wakers;
        match (decision, ticket.as_ref(), waker) {
            (_, _, Some(waker)) if !goes => *ticket = Some(line.wait(name, *ticket, waker, wakers)),
            _ if !goes => {}
            (Decision::Wait, ..) => line.enter(ticket.take(), wakers),
            _ => ticket.take().into_iter().for_each(|ticket| line.leave(ticket, wakers)),
        }
        if !goes {
            drop(registry);
            return Ok(Offer::NoRoom(Box::new(submission)));
        }
        let Submission { slot: name, admitted, runtime, .. } = submission;
        self.bus.start(&runtime);
        let cell = self.cell(admitted, Origin::Added, Some(Tie::Slot(name)));
        self.enter(&mut registry, Job { cell: Arc::clone(&cell), runtime }, decision, &mut aftermath);
        drop(registry);
        observe::submitted(&cell, decision.is_to_wait());
        aftermath.carry_out();
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
        while let Some(job) = registry.slots.take(name, Slot::release, &mut aftermath).flatten() {
            if let Some(reason) = registry.refusal(&job.cell) {
                aftermath.reject(registry, job.cell, reason);
                continue;
            }
            job.cell.leave_slot();
            self.start(registry, job, phase, &mut aftermath);
            return aftermath;
        }
        registry.slots.busy.remove(name);
        shrink(&mut registry.slots.busy);
        registry.slots.line.wake_first(name, &mut aftermath.wakers);
        self.tell_idle(name, phase);
        aftermath
    }

    /// Takes a submission out of its slot, if it waits there. Whether it did.
    pub(super) fn withdraw(&self, cell: &Cell, requested: bool) -> bool {
        let Some(name) = cell.slot() else { return false };
        let mut aftermath = Aftermath::default();
        let mut registry = self.registry();
        let is = |job: &Job| job.cell.id() == cell.id();
        let taken = registry.slots.take(name, |slot| slot.withdraw(is), &mut aftermath).flatten();
        let Some(job) = taken else { return false };
        aftermath.withdraw(&registry, job, requested);
        drop(registry);
        aftermath.carry_out();
        true
    }

    /// Takes out all that wait in a slot. How many, and who owns the slot.
    pub(crate) fn clear_slot(&self, name: &str) -> (usize, Option<Arc<Cell>>) {
        let mut aftermath = Aftermath::default();
        let mut registry = self.registry();
        let owner = registry.slots.busy.get(name).and_then(Slot::owner).map(|owner| Arc::clone(&owner.cell));
        let waiting = registry.slots.take(name, Slot::withdraw_all, &mut aftermath);
        for job in waiting.into_iter().flatten() {
            aftermath.withdraw(&registry, job, true);
        }
        drop(registry);
        let withdrawn = aftermath.over.len();
        aftermath.carry_out();
        (withdrawn, owner)
    }

    /// How many submissions a slot has.
    pub(crate) fn slot_len(&self, name: &str) -> usize {
        self.registry().slots.busy.get(name).map_or(0, |slot| 1 + slot.waiting())
    }

    /// The slot of that name is idle.
    fn tell_idle(&self, name: &Arc<str>, from: Phase) {
        if self.bus.is_active() {
            let event = Event { slot: Some(Arc::clone(name)), count: Some(0), ..Event::new(SLOT_TRANSITION) };
            self.bus.publish(event.because(format!("{from} -> {}", Phase::Idle)));
        }
    }
}

impl Slots {
    /// Takes somebody out of a slot. A place in the queue that is free then goes to the first in line.
    fn take<T>(&mut self, slot: &str, take: impl FnOnce(&mut Slot<Job>) -> T, aftermath: &mut Aftermath) -> Option<T> {
        let slot = self.busy.get_mut(slot)?;
        let (queued, waiting) = (slot.queued(), slot.waiting());
        let taken = take(slot);
        aftermath.wait_no_more += waiting - slot.waiting();
        self.line.free(queued - slot.queued(), &mut aftermath.wakers);
        Some(taken)
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let mut aftermath = Aftermath::default();
            self.core.registry().slots.line.leave(ticket, &mut aftermath.wakers);
            aftermath.carry_out();
        }
    }
}

impl Registry {
    fn slot(&mut self, name: &Arc<str>) -> &mut Slot<Job> {
        self.slots.busy.entry(Arc::clone(name)).or_default()
    }

    /// Why a task cannot be registered now, if it cannot.
    fn refusal(&self, cell: &Cell) -> Option<RejectReason> {
        let name = cell.name();
        let error = || RuntimeError::TaskAlreadyExists { name: name.to_string() };
        self.is_taken(name).then(|| RejectReason::Refused { error: Arc::new(error()) })
    }
}

impl Aftermath {
    /// Does what is left to do, with no lock held.
    pub(super) fn carry_out(self) {
        let Self { start, stop, over, wakers, wait_no_more } = self;
        if wait_no_more > 0 {
            observe::wait_no_more(wait_no_more);
        }
        for waker in wakers {
            let _ = catch(|| waker.wake());
        }
        if let Some(owner) = stop {
            owner.stop(Bound::within(owner.stop_bound()), true);
        }
        if let Some(job) = start {
            spawn(job);
        }
        for (cell, finished) in over {
            observe::not_run(&cell);
            cell.finished(finished);
            // Perhaps the last to know the user's task, and its drop is the user's.
            let _ = drop_caught(cell);
        }
    }

    /// Rejects all that wait, in the order of their submission: the supervisor shuts down.
    pub(super) fn of_shutdown(registry: &mut Registry) -> Self {
        let mut aftermath = Self::default();
        let mut waiting: Vec<_> = registry.slots.busy.values_mut().flat_map(Slot::withdraw_all).collect();
        waiting.sort_unstable_by_key(|job| job.cell.id());
        aftermath.wait_no_more = waiting.len();
        for job in waiting {
            aftermath.reject(registry, job.cell, RejectReason::ShuttingDown);
        }
        registry.slots.line.wake_all(&mut aftermath.wakers);
        aftermath
    }

    /// A submission will not run. The registry's lock is held.
    fn reject(&mut self, registry: &Registry, cell: Arc<Cell>, reason: RejectReason) {
        let why = reason.as_label();
        self.end(registry, cell, TaskOutcome::Rejected { reason }, why);
    }

    /// As `reject`, for one that was told to stop while it waited.
    fn withdraw(&mut self, registry: &Registry, job: Job, requested: bool) {
        if requested {
            job.cell.announce(EventKind::TaskRemoveRequested);
        }
        self.end(registry, job.cell, TaskOutcome::Canceled { error: None }, "canceled");
    }

    fn end(&mut self, registry: &Registry, cell: Arc<Cell>, outcome: TaskOutcome, why: &str) {
        let finished = cell.finish_by(outcome, || {
            if cell.core().bus.is_active() {
                let slot = cell.slot().and_then(|name| registry.slots.busy.get(name));
                let waiting = slot.map_or(0, Slot::waiting);
                cell.tell_slot(EventKind::ControllerRejected, waiting, |event| event.because(why));
            }
        });
        self.over.push((cell, finished));
    }
}

impl Cell {
    /// Publishes an event about the slot of the task. The registry's lock is held.
    fn tell_slot(&self, kind: EventKind, waiting: usize, more: impl FnOnce(Event) -> Event) {
        let count = u64::try_from(waiting).ok();
        let bus = &self.core().bus;
        if bus.is_active() {
            bus.publish(more(Event { slot: self.slot().cloned(), count, ..self.event(kind) }));
        }
    }

    fn tell_transition(&self, waiting: usize, from: Phase, to: Phase) {
        self.tell_slot(SLOT_TRANSITION, waiting, |event| event.because(format!("{from} -> {to}")));
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
