//! Submits tasks: a submission is checked, and then offered to its slot until it is accepted or refused.
//!
//! During the drain of a shutdown, all declared slots accept submissions. When tasks are requested to stop, only slots
//! that a task of the tree is `after` accept them, and only from such a task. These slots outlive the tree and stop
//! last.

use std::mem::replace;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::runtime::Handle;

use super::super::core::{Admitted, Core};
use super::super::observe;
use super::super::reentrancy::ReentrancyGuard;
use super::super::registration::check_no_siblings;
use super::super::registry::{Admission, Registry};
use super::super::task::{Cell, Origin};
use super::aftermath::Aftermath;
use super::manager::{Job, Slots, Terms, join, own_slot, start_idle, tie};
use super::wait_queue::Calls;
use crate::inspect::RejectReason;
use crate::panics::drop_caught;
use crate::slots::{
    AdmissionPolicy, ControllerError, ControllerSpec, Decision, Room, Slot, SlotPhase, check_slot_name,
};
use crate::sorting::{sort_by_number, sort_by_text};
use crate::supervisor::RuntimeError;
use crate::tree::join as join_path;

/// A checked submission.
struct Submission {
    admission: AdmissionPolicy,
    slot: Arc<str>,
    admitted: Admitted,
    runtime: Handle,
}

/// A submission that waits for room, with its ticket in the wait queue. The ticket leaves the wait queue before the
/// task is dropped, because the drop can submit other tasks.
pub(crate) struct Offer<'a> {
    ticket: Ticket<'a>,
    submission: Submission,
}

/// The place of a submission in the wait queue, if it has one. Dropping the ticket removes it from the wait queue.
struct Ticket<'a> {
    core: &'a Arc<Core>,
    id: Option<u64>,
}

/// An accepted submission, or one that waits for room.
type Offered<T> = Result<Result<Arc<Cell>, T>, ControllerError>;

/// The future of a submission, which begins when it is first polled.
pub(crate) enum Submitting<'a> {
    Checking(&'a Arc<Core>, ControllerSpec),
    /// Boxed, because submissions rarely wait for room.
    Offering(Box<Offer<'a>>),
    Over,
}

impl Future for Submitting<'_> {
    type Output = Result<Arc<Cell>, ControllerError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut offered = match replace(&mut *self, Self::Over) {
            Self::Checking(core, spec) => core.submit_at_once(spec)?,
            Self::Offering(offer) => offer.again(None)?,
            Self::Over => return Poll::Pending,
        };
        if let Err(offer) = offered {
            // A waker is user code, so it is cloned with no lock held, and only for a submission that has to wait. The
            // submission is then offered again.
            offered = offer.again(Some(cx.waker().clone()))?;
        }
        match offered {
            Ok(cell) => Poll::Ready(Ok(cell)),
            Err(offer) => {
                *self = Self::Offering(offer);
                Poll::Pending
            }
        }
    }
}

impl Core {
    /// Submits a task. The call waits for room if the task must wait in a queue and the queues are full.
    pub(crate) fn submit(self: &Arc<Self>, spec: ControllerSpec) -> Submitting<'_> {
        Submitting::Checking(self, spec)
    }

    /// Submits a task. Returns an error if the call would have to wait for room.
    pub(crate) fn try_submit(self: &Arc<Self>, spec: ControllerSpec) -> Result<Arc<Cell>, ControllerError> {
        let taken = self.submit_at_once(spec)?;
        taken.map_err(|_| ControllerError::Full { capacity: self.controller.config.queue_capacity })
    }

    /// Submits a task. If the call would have to wait for room, returns the submission.
    pub(crate) fn submit_at_once(self: &Arc<Self>, spec: ControllerSpec) -> Offered<Box<Offer<'_>>> {
        let submission = self.check_submission(spec)?;
        let mut ticket = Ticket { core: self, id: None };
        // One match, because the compiler copies what mostly is not there otherwise.
        match ticket.offer(submission, None) {
            Ok(Ok(cell)) => Ok(Ok(cell)),
            Ok(Err(submission)) => Ok(Err(Box::new(Offer { ticket, submission }))),
            Err(error) => Err(error),
        }
    }

    #[inline]
    fn check_submission(self: &Arc<Self>, spec: ControllerSpec) -> Result<Submission, ControllerError> {
        let refused = |error| match error {
            RuntimeError::InvalidOption(invalid) => ControllerError::InvalidOption(invalid),
            _ => ControllerError::NoRuntime,
        };
        let runtime = self.prepare().map_err(refused)?;
        let ControllerSpec { admission, slot, spec } = spec;
        check_no_siblings(&spec)?;
        let mut admitted = self.admit(spec).map_err(refused)?;
        let slot = slot.unwrap_or_else(|| Arc::clone(&admitted.name));
        check_slot_name(&slot)?;
        if self.controller.has_keys() {
            self.controller.check_key(&slot)?;
            if self.controller.is_key(&slot) {
                admitted.name = join_path(&slot, &admitted.name);
            }
        }
        #[cfg(feature = "fleet")]
        if self.controller.is_fleet(&slot) {
            self.lease_slot(&mut admitted, &slot, admission)?;
        }
        Ok(Submission { admission, slot, admitted, runtime })
    }

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
        let Some(children) = registry.relied.get(slot) else { return false };
        let Some(address) = ReentrancyGuard::of(self) else { return false };
        let is_caller = |cell: &&Arc<Cell>| Arc::as_ptr(cell).addr() == address;
        let direct = children.iter().filter_map(|name| registry.names.get(name)).find(is_caller);
        let caller = direct.or_else(|| registry.names.iter().find(is_caller));
        caller.is_some_and(|caller| {
            let child = caller.name().split('/').next().unwrap_or_default();
            !caller.is_beside_tree() && children.contains(child)
        })
    }
}

impl Core {
    /// Handles a submission that waits in a slot that is not simple. `is_new` if the slot was idle.
    #[cold]
    fn has_joined(
        &self,
        registry: &mut Registry,
        cell: &Cell,
        terms: Terms<'_>,
        is_new: bool,
        aftermath: &mut Aftermath,
    ) {
        let Some(name) = cell.slot() else { return };
        if is_new {
            self.tell_waiting(name);
        }
        registry.slots.line_up(name, terms, self);
        self.set_alarm(&mut registry.slots, name, terms, aftermath);
    }
}

impl Registry {
    /// Records the slots that children of the root are after, as pairs of slot and child.
    pub(in crate::runtime) fn rely(&mut self, edges: impl Iterator<Item = (Arc<str>, Arc<str>)>) {
        if self.is_empty() {
            self.relied.clear();
        }
        for (slot, child) in edges {
            self.relied.entry(slot).or_default().insert(child);
        }
    }

    /// Returns the number of tasks that run in slots that a task of the tree is after.
    pub(in crate::runtime) fn relied_owners(&self) -> usize {
        self.relied.keys().map(|slot| self.owners_of(slot).count()).sum()
    }

    /// Closes the slots that tasks of the tree are after, and rejects their waiting submissions.
    pub(in crate::runtime) fn release_relied(&mut self, core: &Core) -> Aftermath {
        self.relied.clear();
        self.narrow_intake(core)
    }

    /// Applies a change of the admission. Waiting submissions of closed slots are rejected in the order of submission;
    /// callers in the wait queue check again.
    pub(in crate::runtime) fn narrow_intake(&mut self, core: &Core) -> Aftermath {
        let mut aftermath = Aftermath::default();
        if matches!(self.admission, Admission::Stopping | Admission::Closed) {
            let (slots, relied) = (&mut self.slots.busy, &self.relied);
            let closed = slots.iter_mut().filter(|(name, _)| !relied.contains_key(*name));
            let mut queued = 0;
            let (mut waiting, mut vacant) = (Vec::new(), Vec::new());
            for (name, slot) in closed {
                queued += slot.queued();
                waiting.extend(Slot::withdraw_all(slot));
                if slot.is_vacant() {
                    vacant.push(Arc::clone(name));
                }
            }
            sort_by_number(&mut waiting, |job| job.cell.id().number());
            aftermath.wait_no_more = waiting.len();
            for job in waiting {
                aftermath.reject(job, 0, RejectReason::ShuttingDown);
            }
            self.slots.busy.retain(|slot| !slot.is_vacant());
            sort_by_text(&mut vacant, |name| name);
            for name in &vacant {
                core.tell_idle(name, SlotPhase::Waiting);
            }
            self.slots.wait_queue.free(queued, &mut aftermath.calls);
        }
        self.slots.wait_queue.wake_all(&mut aftermath.calls);
        aftermath
    }
}

impl Offer<'_> {
    fn again(self, waker: Option<Waker>) -> Offered<Box<Self>> {
        let Self { mut ticket, submission } = self;
        let offered = ticket.offer(submission, waker)?;
        Ok(offered.map_err(|submission| Box::new(Self { ticket, submission })))
    }
}

impl Ticket<'_> {
    /// Decides on the submission, and accepts it unless it has to wait for room. If it has to wait and there is a
    /// waker, it enters the wait queue.
    #[inline]
    fn offer(&mut self, submission: Submission, waker: Option<Waker>) -> Offered<Submission> {
        let Self { core, id: ticket } = self;
        let Submission { admission, slot: name, .. } = &submission;
        let mut calls = Calls::default();
        let mut registry = core.registry();
        if registry.admission != Admission::Open && !core.takes_submissions(&registry, name) {
            drop(registry);
            self.leave();
            return Err(ControllerError::ShuttingDown);
        }
        let terms = core.controller.terms(name);
        let is_paused = registry.slots.is_paused(name, &core.controller);
        let Registry { names, slots: Slots { busy, wait_queue, pools, .. }, .. } = &mut *registry;
        let mut slot = busy.get_mut(name);
        if slot.is_none() {
            // A busy slot that is not stored must be stored for this submission.
            if let Some(owner) = own_slot(names, name) {
                slot = Some(busy.get_or_insert_with(name, || Slot::of(Arc::clone(owner))));
            }
        }
        let capacity = || core.controller.capacity(name);
        let debounce = terms.debounce.filter(|_| *admission == AdmissionPolicy::Latest);
        let has_slot = slot.is_some();
        let decision = match &slot {
            // A paused slot acts like a busy one.
            None if is_paused => Slot::<Arc<Cell>, Job>::vacant().decide(*admission, false, false, capacity),
            Some(slot) if is_paused => slot.decide(*admission, false, false, capacity),
            _ if !terms.are_simple => {
                let now = core.clock.elapsed();
                let is_full = |slot: &Slot<_, _>| slot.running() >= terms.places || slot.is_due(|| now);
                let pool = terms.pool.and_then(|pool| pools.get_mut(pool));
                let has_room = pool.is_none_or(|pool| pool.in_line().is_none() && pool.room(now) == Room::Free);
                let free = has_room && !slot.as_deref().is_some_and(is_full);
                let vacant = Slot::vacant();
                slot.as_deref().unwrap_or(&vacant).decide(*admission, free, debounce.is_some(), capacity)
            }
            Some(slot) => slot.decide(*admission, false, false, capacity),
            None => Decision::Start,
        };
        let is_first = *admission != AdmissionPolicy::Queue || wait_queue.is_first(name, *ticket);
        let goes = match decision {
            Decision::Start => is_first,
            Decision::Wait => is_first && wait_queue.has_room(*ticket),
            Decision::Replace { .. } | Decision::Latest { .. } | Decision::Busy | Decision::Full => true,
        };
        if !goes {
            if let Some(waker) = waker {
                *ticket = Some(wait_queue.wait(name, *ticket, waker, &mut calls));
            }
            drop(registry);
            calls.carry_out(core);
            return Ok(Err(submission));
        }
        if decision == Decision::Wait {
            wait_queue.enter(ticket.take(), &mut calls);
        } else if let Some(ticket) = ticket.take() {
            wait_queue.leave(ticket, &mut calls);
        }
        let Submission { slot: name, admission, admitted, runtime } = submission;
        core.bus.start(&runtime);
        let tie = tie(name, &admitted.name, slot.as_deref());
        let cell = core.cell(admitted, Origin::Submitted, tie);
        if let Some(reason) = decision.rejection(is_paused) {
            let task = cell.reject_new(reason, slot.map_or(0, |slot| slot.waiting()));
            drop(registry);
            observe::submitted(&cell, false);
            observe::not_run(&cell);
            let _ = drop_caught(task);
            calls.carry_out(core);
            // Dropped with no lock held, because it may be the last handle of the runtime.
            drop(runtime);
            return Ok(Ok(cell));
        }
        let mut aftermath = Aftermath::of(calls);
        let job = Job { cell: Arc::clone(&cell), runtime };
        if decision == Decision::Start {
            let (is_stored, displaces) = (has_slot || !terms.are_simple, admission.displaces());
            start_idle(core, &mut registry, job, terms, is_stored, displaces, &mut aftermath);
        } else {
            let debounce = debounce.map(|debounce| (debounce, core.clock.elapsed()));
            let slot = match slot {
                Some(slot) => slot,
                None => match cell.slot() {
                    Some(name) => registry.slots.busy.get_or_insert_with(name, Slot::vacant),
                    None => return Err(ControllerError::ShuttingDown),
                },
            };
            if is_paused {
                cell.set_paused(true);
            }
            join(slot, job, decision, debounce, &mut aftermath);
            if !terms.are_simple || is_paused {
                core.has_joined(&mut registry, &cell, terms, !has_slot, &mut aftermath);
            }
        }
        drop(registry);
        observe::submitted(&cell, decision.is_to_wait());
        aftermath.carry_out(core);
        if decision == Decision::Start && cell.was_refused() { Err(ControllerError::NoRuntime) } else { Ok(Ok(cell)) }
    }
}

impl Ticket<'_> {
    /// Leaves the wait queue, if the submission is in it.
    #[inline]
    fn leave(&mut self) {
        if let Some(id) = self.id.take() {
            self.leave_as(id);
        }
    }

    #[cold]
    fn leave_as(&self, id: u64) {
        let mut calls = Calls::default();
        self.core.registry().slots.wait_queue.leave(id, &mut calls);
        calls.carry_out(self.core);
    }
}

impl Drop for Ticket<'_> {
    #[inline]
    fn drop(&mut self) {
        self.leave();
    }
}
