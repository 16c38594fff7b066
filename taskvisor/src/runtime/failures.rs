//! Tasks and groups that ended in failure and are not acknowledged.
//!
//! A registration that has ended is not in the registry, but its failure still counts for health until a new
//! registration of that path starts. It is kept by path until that registration ends, or until it is removed or
//! acknowledged. While nothing fails, only a flag is read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::clock::Ticks;
use super::core::Core;
use super::group::GroupCell;
use super::task::Cell;
use crate::inspect::{TaskId, TaskOutcome};
use crate::panics::Fenced;
use crate::sync::lock;
use crate::task::TaskError;

/// The number of failures that are kept by path, of those that count for readiness and of the others. Further failures
/// are only counted, so that many of one kind do not displace the other.
const MOST: usize = 1024;

/// A registration that ended in failure.
#[derive(Clone)]
pub(super) struct Failure {
    /// The id of the registration; `None` for a group.
    id: Option<TaskId>,
    pub(super) error: Fenced<Arc<TaskError>>,
    pub(super) since: Ticks,
    /// If `true`, it counts for the readiness of the service.
    pub(super) counts: bool,
}

#[derive(Default)]
pub(super) struct Failures {
    /// `true` if there are any failures.
    any: AtomicBool,
    /// Guards the failures. The lock is taken under the registry's lock or alone, and no other lock is taken under it.
    /// User errors are dropped after it is released.
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Sorted by path.
    by_path: Vec<(Arc<str>, Failure)>,
    /// The failures that are only counted, by the path of the group that they are directly in.
    more: Vec<(Arc<str>, More)>,
}

/// The number of failures that are not kept by path.
#[derive(Default, Clone, Copy)]
pub(super) struct More {
    /// Those that count for the readiness of the service.
    pub(super) counted: usize,
    /// The others.
    pub(super) not_counted: usize,
}

impl More {
    fn of(&mut self, counts: bool) -> &mut usize {
        if counts { &mut self.counted } else { &mut self.not_counted }
    }
}

impl Known {
    /// Returns `true` if no further failure is kept by path that counts for readiness, or that does not.
    fn is_full(&self, counts: bool) -> bool {
        let kept = || self.by_path.iter().filter(|(_, failure)| failure.counts == counts).count();
        self.by_path.len() >= MOST && kept() >= MOST
    }

    /// Counts a failure that is not kept by path.
    fn count(&mut self, path: &str, counts: bool) {
        let group = path.rsplit_once('/').map_or("", |(group, _)| group);
        let at = self.more.iter().position(|(known, _)| **known == *group).unwrap_or_else(|| {
            self.more.push((group.into(), More::default()));
            self.more.len() - 1
        });
        *self.more[at].1.of(counts) += 1;
    }

    fn is_empty(&self) -> bool {
        self.by_path.is_empty() && self.more.is_empty()
    }
}

/// Removed failures, to be dropped with no lock held.
type Forgotten = Vec<Failure>;

impl Failures {
    /// Returns `true` if there are any.
    #[inline]
    pub(super) fn has_any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Records that a registration of that path has ended, in failure or not.
    fn note(&self, path: &Arc<str>, failure: Option<Failure>) -> Forgotten {
        if failure.is_none() && !self.any.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let mut known = lock(&self.known);
        let mut forgotten = Vec::new();
        let mut found = known.by_path.binary_search_by(|(known, _)| known.cmp(path));
        if let Ok(at) = found {
            forgotten.push(known.by_path.remove(at).1);
            found = Err(at);
        }
        if let Some(failure) = failure {
            self.any.store(true, Ordering::Relaxed);
            if known.is_full(failure.counts) {
                known.count(path, failure.counts);
                forgotten.push(failure);
            } else {
                let (Ok(at) | Err(at)) = found;
                known.by_path.insert(at, (Arc::clone(path), failure));
            }
        }
        forgotten
    }

    /// Removes the failures for which `which` returns `true`.
    fn forget(&self, which: impl Fn(&str, Option<TaskId>) -> bool) -> Forgotten {
        if !self.any.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let mut known = lock(&self.known);
        let (mut forgotten, mut kept) = (Vec::new(), Vec::new());
        for (path, failure) in std::mem::take(&mut known.by_path) {
            if which(&path, failure.id) {
                forgotten.push(failure);
            } else {
                kept.push((path, failure));
            }
        }
        known.by_path = kept;
        self.any.store(!known.is_empty(), Ordering::Relaxed);
        forgotten
    }

    /// Removes the failures of the task or group at `path` and inside it. Returns `true` beside them if there was one.
    fn forget_in(&self, path: &str) -> (Forgotten, bool) {
        let forgotten = self.forget(|failed, _| is_within(failed, path));
        let mut known = lock(&self.known);
        let before = known.more.len();
        known.more.retain(|(group, _)| !is_within(group, path));
        let is_less = known.more.len() < before;
        self.any.store(!known.is_empty(), Ordering::Relaxed);
        let is_less = is_less || !forgotten.is_empty();
        (forgotten, is_less)
    }

    /// Returns `true` if there is a failure of that path: of this registration, or of a group.
    pub(super) fn has(&self, path: &str, id: Option<TaskId>) -> bool {
        if !self.any.load(Ordering::Relaxed) {
            return false;
        }
        let known = lock(&self.known);
        let found = known.by_path.binary_search_by(|(known, _)| (**known).cmp(path));
        found.is_ok_and(|at| known.by_path[at].1.id == id)
    }

    /// Returns the failures at and inside `within` for which `which` returns `true`, and the number of those that are
    /// only counted.
    pub(super) fn list(&self, within: &str, which: impl Fn(&str) -> bool) -> (Vec<(Arc<str>, Failure)>, More) {
        let mut more = More::default();
        if !self.any.load(Ordering::Relaxed) {
            return (Vec::new(), more);
        }
        let known = lock(&self.known);
        for (_, counted) in known.more.iter().filter(|(group, _)| is_within(group, within)) {
            more.counted += counted.counted;
            more.not_counted += counted.not_counted;
        }
        let listed = known.by_path.iter().filter(|(path, _)| is_within(path, within) && which(path));
        (listed.map(|(path, failure)| (Arc::clone(path), failure.clone())).collect(), more)
    }
}

/// Returns `true` if `path` is the path of the group or of a task or group in it.
pub(crate) fn is_within(path: &str, group: &str) -> bool {
    let rest = path.strip_prefix(group);
    group.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn failed_with(outcome: &TaskOutcome) -> Option<&Arc<TaskError>> {
    match outcome {
        TaskOutcome::Canceled { .. } | TaskOutcome::Aborted { .. } => None,
        _ => outcome.error(),
    }
}

impl Core {
    /// Records the end of a task. The failure of a submission to a slot is not kept, because its caller has the
    /// outcome. Returns the removed failures, to be dropped with no lock held.
    #[inline]
    pub(super) fn note_end(&self, cell: &Cell, outcome: &TaskOutcome) -> Option<Forgotten> {
        let error = failed_with(outcome);
        (error.is_some() || self.failures.any.load(Ordering::Relaxed)).then(|| self.note_end_of(cell, error))
    }

    #[cold]
    fn note_end_of(&self, cell: &Cell, error: Option<&Arc<TaskError>>) -> Forgotten {
        let error = error.filter(|_| cell.slot().is_none() && cell.try_outcome().is_none());
        let failure = error.map(|error| self.failure(Some(cell.id()), error, cell.counts_for_readiness()));
        self.failures.note(cell.name(), failure)
    }

    /// Records that a group has ended for good. If it was stopped, the failures inside it are removed.
    pub(super) fn note_group_end(&self, group: &GroupCell, outcome: &TaskOutcome) -> Forgotten {
        if group.position.is_none() {
            return Vec::new();
        }
        if let TaskOutcome::Canceled { .. } = outcome {
            return self.failures.forget_in(group.path()).0;
        }
        let failure = failed_with(outcome).map(|error| self.failure(None, error, group.counts_for_readiness()));
        self.failures.note(group.path(), failure)
    }

    /// Records that an added task is lost with its group.
    pub(super) fn note_loss(&self, cell: &Cell, error: &Arc<TaskError>) {
        let failure = self.failure(Some(cell.id()), error, cell.counts_for_readiness());
        drop(self.failures.note(cell.name(), Some(failure)));
    }

    /// Records that an added group is lost with its group.
    pub(super) fn note_group_loss(&self, group: &GroupCell, error: &Arc<TaskError>) {
        let failure = self.failure(None, error, group.counts_for_readiness());
        drop(self.failures.note(group.path(), Some(failure)));
    }

    fn failure(&self, id: Option<TaskId>, error: &Arc<TaskError>, counts: bool) -> Failure {
        Failure { id, error: Fenced::new(Arc::clone(error)), since: self.clock.now(), counts }
    }

    /// Removes the failures of a group that starts again.
    pub(super) fn forget_within(&self, group: &GroupCell) {
        drop(self.failures.forget_in(group.path()));
    }

    /// Removes the failures of the task or group at `path` and inside it. Returns `true` if there was one.
    pub(crate) fn acknowledge(&self, path: &str) -> bool {
        self.failures.forget_in(path).1
    }

    /// Like `acknowledge`, for exactly that path.
    pub(crate) fn forget_failure(&self, path: &str) {
        drop(self.failures.forget(|failed, _| failed == path));
    }

    /// Like `acknowledge`, for one registration.
    pub(crate) fn acknowledge_task(&self, cell: &Cell) -> bool {
        !self.failures.forget(|_, id| id == Some(cell.id())).is_empty()
    }
}

impl Cell {
    pub(super) fn counts_for_readiness(&self) -> bool {
        self.policy().readiness && self.member().is_none_or(|member| member.group.counts_for_readiness())
    }
}

impl GroupCell {
    /// Returns `true` if the group and all groups around it count for the readiness of the service.
    pub(super) fn counts_for_readiness(&self) -> bool {
        self.with_parents().all(|group| group.declared.overrides.readiness != Some(false))
    }
}
