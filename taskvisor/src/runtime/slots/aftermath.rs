//! The work that follows a step of the slots, after the lock is released.

use std::cell::RefCell;
use std::mem;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::super::core::Core;
use super::super::observe;
use super::super::registry::Registry;
use super::super::task::{Actor, Cell};
use super::manager::Job;
use super::usher;
use super::wait_queue::{Call, Calls};
use crate::events::EventKind;
use crate::inspect::{RejectReason, TaskOutcome};
use crate::panics::drop_caught;
use crate::sync::wake_caught;
use crate::task::StopReason;

/// The work to do after the registry's lock is released: it wakes tasks and drops user values.
#[derive(Default)]
#[must_use]
pub(in crate::runtime) struct Aftermath {
    pub(super) start: Option<Job>,
    pub(super) stop: Option<Arc<Cell>>,
    /// The last rejected submission. Mostly there is only one.
    last_over: Option<Job>,
    rare: Option<Box<Rare>>,
    pub(super) calls: Calls,
    /// The number of submissions that left the queues.
    pub(super) wait_no_more: usize,
}

/// Rarely used parts.
#[derive(Default)]
struct Rare {
    /// The rejected submissions before the last.
    over: Vec<Job>,
    /// The previously noted runtime.
    home: Option<Handle>,
    /// The previous registration at the place in the tree.
    displaced: Option<Arc<Cell>>,
}

impl Aftermath {
    /// Does the work, with no lock held.
    pub(in crate::runtime) fn carry_out(mut self, core: &Arc<Core>) {
        if self.wait_no_more > 0 {
            observe::wait_no_more(self.wait_no_more);
        }
        if self.calls.are_any() {
            mem::take(&mut self.calls).carry_out(core);
        }
        if let Some(owner) = self.stop.take() {
            owner.stop(owner.own_bound(owner.stop_bound()), StopReason::Replaced);
            let _ = drop_caught(owner);
        }
        if let Some(job) = self.start.take() {
            spawn(job);
        }
        if let Some(rare) = self.rare.take() {
            rare.over.into_iter().for_each(tell_over);
            let _ = drop_caught((rare.home, rare.displaced));
        }
        if let Some(job) = self.last_over.take() {
            tell_over(job);
        }
    }

    /// Notes the runtime of the tasks. The previously noted runtime is dropped later.
    pub(super) fn settle(&mut self, registry: &mut Registry, runtime: &Handle) {
        let mut before = None;
        registry.settle(runtime, &mut before);
        if before.is_some() {
            self.rare.get_or_insert_default().home = before;
        }
    }

    /// Puts a submission at the place in the tree that has its name, if there is one.
    pub(super) fn take_place(&mut self, registry: &mut Registry, cell: &Arc<Cell>) {
        let displaced = registry.take_place(cell);
        if displaced.is_some() {
            self.rare.get_or_insert_default().displaced = displaced;
        }
    }

    /// Rejects a submission that waits or was to start. The registry's lock is held.
    pub(super) fn reject(&mut self, job: Job, waiting: usize, reason: RejectReason) {
        job.cell.reject(reason, waiting);
        self.is_over(job);
    }

    /// Like `reject`, for a submission that was requested to stop while it waited.
    pub(super) fn withdraw(&mut self, job: Job, waiting: usize, requested: bool) {
        if requested {
            job.cell.announce(EventKind::TaskRemoveRequested);
        }
        job.cell.end_unstarted(TaskOutcome::Canceled { error: None }, waiting, "canceled");
        self.is_over(job);
    }

    fn is_over(&mut self, job: Job) {
        if let Some(before) = self.last_over.replace(job) {
            self.rare.get_or_insert_default().over.push(before);
        }
    }
}

/// Adds a submission that does not run.
fn tell_over(job: Job) {
    observe::not_run(&job.cell);
    job.cell.tell_over();
    // This may be the last handle of the runtime, which is then freed here.
    let _ = drop_caught(job);
}

impl Calls {
    #[cold]
    fn carry_out(self, core: &Arc<Core>) {
        for call in self.wakers {
            match call {
                Call::Wake(waker) => wake_caught(waker),
                Call::Drop(waker) => drop(drop_caught(waker)),
            }
        }
        if self.watch {
            usher::watch(core);
        }
    }
}

/// Spawns the actor of an owner. A runtime that has ended drops it at once, which hands the slot over to the next
/// submission. They are spawned one after another, without recursion.
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
