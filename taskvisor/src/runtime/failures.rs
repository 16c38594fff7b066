//! The tasks and groups that have ended in failure, until somebody sees to it.
//!
//! One that ended is in no registry, and a service that lost it is not well all the same. So it is remembered by its
//! path, until a new registration of that path ends or is there, it is removed, or acknowledged. Nothing is kept, and
//! nothing but a flag is looked at, as long as nothing fails.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::clock::Ticks;
use super::core::Core;
use super::group::GroupCell;
use super::task::Cell;
use crate::inspect::{TaskId, TaskOutcome};
use crate::panics::drop_caught;
use crate::sync::lock;
use crate::task::TaskError;

/// So many are remembered by their path; of more it is known how many there are.
const MOST: usize = 1024;

/// One that ended in failure.
#[derive(Clone)]
pub(super) struct Failure {
    /// The registration; `None` of a group.
    id: Option<TaskId>,
    pub(super) error: Arc<TaskError>,
    pub(super) since: Ticks,
    /// It counts for the readiness of the whole.
    pub(super) counts: bool,
}

#[derive(Default)]
pub(super) struct Failures {
    /// There are some.
    any: AtomicBool,
    /// Taken under the registry's lock, or alone. The errors are the user's: they are dropped with no lock held.
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    by_path: BTreeMap<Arc<str>, Failure>,
    more: usize,
}

/// What is forgotten, to be dropped with no lock held.
#[must_use = "it holds errors of the user's, and is dropped with no lock held"]
#[derive(Default)]
pub(super) struct Forgotten(Vec<Failure>);

impl Drop for Forgotten {
    fn drop(&mut self) {
        for failure in self.0.drain(..) {
            let _ = drop_caught(failure);
        }
    }
}

impl Failures {
    /// A registration of that path has ended: in failure, or not.
    fn note(&self, path: &Arc<str>, failure: Option<Failure>) -> Forgotten {
        if failure.is_none() && !self.any.load(Ordering::Relaxed) {
            return Forgotten::default();
        }
        let mut known = lock(&self.known);
        let before = known.by_path.remove(path);
        if let Some(failure) = failure {
            self.any.store(true, Ordering::Relaxed);
            if known.by_path.len() == MOST {
                known.more += 1;
                return Forgotten(before.into_iter().chain([failure]).collect());
            }
            known.by_path.insert(Arc::clone(path), failure);
        }
        Forgotten(before.into_iter().collect())
    }

    /// Forgets what `which` says of path and registration.
    fn forget(&self, which: impl Fn(&str, Option<TaskId>) -> bool) -> Forgotten {
        if !self.any.load(Ordering::Relaxed) {
            return Forgotten::default();
        }
        let mut known = lock(&self.known);
        let all = std::mem::take(&mut known.by_path);
        let (forgotten, kept): (BTreeMap<_, _>, _) =
            all.into_iter().partition(|(path, failure)| which(path, failure.id));
        known.by_path = kept;
        self.any.store(known.more > 0 || !known.by_path.is_empty(), Ordering::Relaxed);
        drop(known);
        Forgotten(forgotten.into_values().collect())
    }

    /// Forgets those of which only the number is known.
    fn forget_more(&self) -> bool {
        let mut known = lock(&self.known);
        self.any.store(!known.by_path.is_empty(), Ordering::Relaxed);
        std::mem::take(&mut known.more) > 0
    }

    /// Those whose path `which` says, and how many more there are.
    pub(super) fn list(&self, which: impl Fn(&str) -> bool) -> (Vec<(Arc<str>, Failure)>, usize) {
        if !self.any.load(Ordering::Relaxed) {
            return (Vec::new(), 0);
        }
        let known = lock(&self.known);
        let listed = known.by_path.iter().filter(|(path, _)| which(path));
        (listed.map(|(path, failure)| (Arc::clone(path), failure.clone())).collect(), known.more)
    }
}

/// Whether the path is that of the group, or of something in it.
pub(super) fn is_within(path: &str, group: &str) -> bool {
    let rest = path.strip_prefix(group);
    group.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn failed_with(outcome: &TaskOutcome) -> Option<&Arc<TaskError>> {
    match outcome {
        TaskOutcome::Failed { error }
        | TaskOutcome::Exhausted { error, .. }
        | TaskOutcome::Fatal { error }
        | TaskOutcome::Panicked { error } => Some(error),
        _ => None,
    }
}

impl Core {
    /// A registration of a task is about to end. A task of a slot ends as its submission does, whose outcome tells.
    #[inline]
    pub(super) fn note_end(&self, cell: &Cell, outcome: &TaskOutcome) -> Option<Forgotten> {
        let error = failed_with(outcome);
        (error.is_some() || self.failures.any.load(Ordering::Relaxed)).then(|| self.note_end_of(cell, error))
    }

    #[cold]
    fn note_end_of(&self, cell: &Cell, error: Option<&Arc<TaskError>>) -> Forgotten {
        #[cfg(feature = "controller")]
        let is_job = cell.slot().is_some();
        #[cfg(not(feature = "controller"))]
        let is_job = false;
        let failure = error.filter(|_| !is_job && !cell.is_declared_aborted()).map(|error| Failure {
            id: Some(cell.id()),
            error: Arc::clone(error),
            since: self.clock.now(),
            counts: cell.counts_for_readiness(),
        });
        self.failures.note(cell.name(), failure)
    }

    /// A group has ended for good. What ended in it before is forgotten if the group was stopped.
    pub(super) fn note_group_end(&self, group: &GroupCell, outcome: &TaskOutcome) -> Forgotten {
        if group.place.is_none() {
            return Forgotten::default();
        }
        if let TaskOutcome::Canceled { .. } = outcome {
            return self.failures.forget(|path, _| is_within(path, group.path()));
        }
        let failure = failed_with(outcome).map(|error| Failure {
            id: None,
            error: Arc::clone(error),
            since: self.clock.now(),
            counts: group.counts_for_readiness(),
        });
        self.failures.note(group.path(), failure)
    }

    /// The group is started again, and so is what ended in it.
    pub(super) fn forget_within(&self, group: &GroupCell) {
        drop(self.failures.forget(|path, _| is_within(path, group.path())));
    }

    /// Forgets that the task or group of that path, or what is in it, ended in failure. Whether it did.
    pub(crate) fn acknowledge(&self, path: &str) -> bool {
        let forgotten = self.failures.forget(|failed, _| is_within(failed, path));
        let more = path.is_empty() && self.failures.forget_more();
        more || !forgotten.0.is_empty()
    }

    /// As `acknowledge`, of that path and no other.
    pub(crate) fn forget_failure(&self, path: &str) {
        drop(self.failures.forget(|failed, _| failed == path));
    }

    /// As `acknowledge`, of one registration.
    pub(crate) fn acknowledge_task(&self, cell: &Cell) -> bool {
        !self.failures.forget(|_, id| id == Some(cell.id())).0.is_empty()
    }
}

impl Cell {
    pub(super) fn counts_for_readiness(&self) -> bool {
        self.settings().readiness && self.member().is_none_or(|member| member.group.counts_for_readiness())
    }
}

impl GroupCell {
    /// Whether the group and those that it is in say so.
    pub(super) fn counts_for_readiness(&self) -> bool {
        let mut group = self;
        loop {
            if !group.declared().readiness {
                return false;
            }
            let Some(place) = &group.place else { return true };
            group = &place.parent;
        }
    }
}
