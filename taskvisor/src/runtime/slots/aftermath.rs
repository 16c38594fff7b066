//! The work that follows a step of the slots, after the lock is released.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::super::core::Core;
use super::super::observe;
use super::super::recheck::Recheck;
use super::super::task::{Actor, Cell, Left};
use super::alarm::Alarm;
use super::manager::Job;
use super::wait_queue::{Called, Calls};
use crate::events::EventKind;
use crate::inspect::RejectReason;
use crate::panics::{Fenced, drop_caught, drop_each};
use crate::sync::wake_caught;
use crate::task::StopKind;

/// A submission that is not polled for this long after it was woken loses its turn, at the latest after twice this
/// time.
const PATIENCE: Duration = Duration::from_millis(50);

/// The work to do after the registry's lock is released: it wakes tasks and drops user values.
#[derive(Default)]
#[must_use]
pub(in crate::runtime) struct Aftermath {
    pub(super) start: Option<Job>,
    pub(super) stop: Option<Arc<Cell>>,
    /// The first rejected submission. There is rarely more than one.
    over: Option<Over>,
    pub(super) calls: Calls,
    /// The number of submissions that left the queues.
    pub(super) wait_no_more: usize,
    rare: Option<Box<Rare>>,
}

/// The work that rarely follows. Boxed, because mostly there is none.
#[derive(Default)]
pub(super) struct Rare {
    /// The rejected submissions after the first.
    more_over: Vec<Over>,
    /// The previously recorded runtime of the tasks.
    pub(super) home: Option<Fenced<Handle>>,
    /// The previous registration at the place of the tree with the name of the submission.
    pub(super) displaced: Option<Arc<Cell>>,
    /// The slots and pools that an alarm must be set for, each with the runtime for it.
    pub(super) alarms: Vec<(Arc<str>, Handle)>,
}

/// A submission that does not run.
struct Over {
    job: Job,
    left: Left,
}

impl Aftermath {
    #[inline]
    pub(super) fn of(calls: Calls) -> Self {
        Self { calls, ..Self::default() }
    }

    /// Does the work, with no lock held.
    pub(in crate::runtime) fn carry_out(self, core: &Arc<Core>) {
        if self.wait_no_more > 0 {
            observe::wait_no_more(self.wait_no_more);
        }
        self.calls.carry_out(core);
        if let Some(owner) = self.stop {
            owner.stop(owner.own_bound(owner.stop_bound()), StopKind::Replaced);
        }
        if let Some(job) = self.start {
            if job.cell.policy().paused {
                core.count_pauses();
            }
            spawn(job);
        }
        if let Some(over) = self.over {
            over.carry_out();
        }
        if let Some(rare) = self.rare {
            rare.carry_out(core);
        }
    }

    #[cold]
    pub(super) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Rejects a submission that waits or was to start. The registry's lock is held.
    #[inline]
    pub(super) fn reject(&mut self, job: Job, waiting: usize, reason: RejectReason) {
        let left = job.cell.reject(reason, waiting);
        self.is_over(Over { job, left });
    }

    /// Like `reject`, for a submission that was requested to stop while it waited.
    pub(super) fn withdraw(&mut self, job: Job, waiting: usize, requested: bool) {
        if requested {
            job.cell.announce(EventKind::TaskRemoveRequested);
        }
        let left = job.cell.end_unstarted(job.cell.canceled(), waiting, "canceled");
        self.is_over(Over { job, left });
    }

    #[inline]
    fn is_over(&mut self, over: Over) {
        if self.over.is_none() {
            self.over = Some(over);
        } else {
            self.rare().more_over.push(over);
        }
    }
}

impl Rare {
    #[cold]
    fn carry_out(self, core: &Arc<Core>) {
        for (name, runtime) in self.alarms {
            Alarm::spawn(core, name, &runtime);
        }
        self.more_over.into_iter().for_each(Over::carry_out);
    }
}

impl Calls {
    #[inline]
    pub(super) fn carry_out(self, core: &Arc<Core>) {
        if let Some(called) = self.into_inner() {
            called.carry_out(core);
        }
    }
}

impl Called {
    #[cold]
    fn carry_out(self, core: &Arc<Core>) {
        self.woken.into_iter().for_each(wake_caught);
        drop_each(self.dropped);
        if self.watch {
            Recheck::spawn(core, "line", PATIENCE, pass_over, check_is_lost);
        }
    }
}

/// Passes over waiting submissions that are not polled in their turn, so that they do not block others. Returns the
/// time to do it again, while there are submissions that were woken and not polled.
fn pass_over(core: &Arc<Core>) -> Option<Instant> {
    let mut aftermath = Aftermath::default();
    let goes_on = core.registry().slots.wait_queue.pass_over(&mut aftermath.calls);
    aftermath.carry_out(core);
    goes_on.then(|| Instant::now() + PATIENCE)
}

fn check_is_lost(core: &Arc<Core>) {
    let mut calls = Calls::default();
    core.registry().slots.wait_queue.check_is_lost(&mut calls);
    calls.carry_out(core);
}

impl Over {
    #[inline]
    fn carry_out(self) {
        observe::not_run(&self.job.cell);
        self.left.carry_out();
        // This may be the last handle of the runtime, which is then dropped here.
        let _ = drop_caught(self.job);
    }
}

/// Spawns the actor of an owner. A runtime that has ended drops the actor at once, which hands the slot over to the
/// next submission. The actors are spawned in a loop, without recursion.
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
