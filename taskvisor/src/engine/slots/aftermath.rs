//! What follows a step of the slots, once the lock is released.

use std::cell::RefCell;
use std::sync::Arc;

use super::super::actor::Actor;
use super::super::cell::Cell;
use super::super::line::Wakers;
use super::super::observe;
use super::super::registry::Registry;
use super::Job;
use crate::controller::Slot;
use crate::events::EventKind;
use crate::outcome::{RejectReason, TaskOutcome};
use crate::panics::drop_caught;
use crate::stop_reason::StopReason;
use crate::sync::wake_caught;

/// What is left to do once the registry's lock is released: it wakes tasks, or drops what is the user's.
#[derive(Default)]
#[must_use]
pub(in crate::engine) struct Aftermath {
    pub(super) start: Option<Job>,
    pub(super) stop: Option<Arc<Cell>>,
    /// The last that will not run, and those before it: it is mostly one.
    last_over: Option<Arc<Cell>>,
    over: Vec<Arc<Cell>>,
    pub(super) wakers: Wakers,
    /// How many left the queues and places before them.
    pub(super) wait_no_more: usize,
}

impl Aftermath {
    /// Does what is left to do, with no lock held.
    pub(in crate::engine) fn carry_out(self) {
        let Self { start, stop, last_over, over, wakers, wait_no_more } = self;
        if wait_no_more > 0 {
            observe::wait_no_more(wait_no_more);
        }
        for waker in wakers {
            wake_caught(waker);
        }
        if let Some(owner) = stop {
            owner.stop(owner.own_bound(owner.stop_bound()), StopReason::Replaced);
        }
        if let Some(job) = start {
            spawn(job);
        }
        for cell in over.into_iter().chain(last_over) {
            observe::not_run(&cell);
            cell.tell_over();
            // Perhaps the last to know the user's task, and its drop is the user's.
            let _ = drop_caught(cell);
        }
    }

    /// Rejects all that wait, in the order of their submission: the supervisor shuts down.
    pub(in crate::engine) fn of_shutdown(registry: &mut Registry) -> Self {
        let mut aftermath = Self::default();
        let mut waiting: Vec<_> = registry.slots.busy.values_mut().flat_map(Slot::withdraw_all).collect();
        waiting.sort_unstable_by_key(|job| job.cell.id());
        aftermath.wait_no_more = waiting.len();
        for job in waiting {
            aftermath.reject(job.cell, 0, RejectReason::ShuttingDown);
        }
        registry.slots.line.wake_all(&mut aftermath.wakers);
        aftermath
    }

    /// A submission that waits, or was to start, will not run. The registry's lock is held.
    pub(super) fn reject(&mut self, cell: Arc<Cell>, waiting: usize, reason: RejectReason) {
        cell.reject(reason, waiting);
        self.is_over(cell);
    }

    /// As `reject`, for one that was told to stop while it waited.
    pub(super) fn withdraw(&mut self, job: Job, waiting: usize, requested: bool) {
        if requested {
            job.cell.announce(EventKind::TaskRemoveRequested);
        }
        job.cell.end_unstarted(TaskOutcome::Canceled { error: None }, waiting, "canceled");
        self.is_over(job.cell);
    }

    fn is_over(&mut self, cell: Arc<Cell>) {
        self.over.extend(self.last_over.replace(cell));
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
