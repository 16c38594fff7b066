//! The registered children of a group.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::task::{ABORT, Barred, Bound, Cell, Stage, StopBy};
use super::super::timer::deadline_from;
use super::children::Epoch;
use super::machine::Input;
use super::shared::GroupRef;
use crate::inspect::{TaskOutcome, TaskState};
use crate::tree::{FailureChain, Leaf};

/// A registered child of a group.
#[derive(Clone)]
pub(in crate::runtime) enum Member {
    Task(Arc<Cell>),
    Group(GroupRef),
}

impl Member {
    pub(super) fn path(&self) -> &str {
        match self {
            Self::Task(cell) => cell.name(),
            Self::Group(group) => group.path(),
        }
    }

    pub(super) fn release(&self, epoch: Epoch) {
        match self {
            Self::Task(cell) => cell.release(epoch),
            Self::Group(group) => group.release(epoch),
        }
    }

    pub(super) fn resume(&self, epoch: Epoch) {
        match self {
            Self::Task(cell) => cell.resume(epoch),
            Self::Group(group) => group.send(Input::Resume(epoch), None),
        }
    }

    /// Requests the child to hold. Returns the time from which on it is no longer waited for. `None` for a nested
    /// group, which reports that itself, because its tasks may have more time than its share.
    pub(super) fn hold(&self, epoch: Epoch, by: StopBy, now: Instant) -> Option<Instant> {
        let bound = self.bound(by, now);
        match self {
            Self::Task(cell) => cell.hold(epoch, bound),
            Self::Group(group) => group.send(Input::Hold(epoch), Some(by)),
        }
        given_up_at(bound, now)
    }

    /// Requests the child to stop for good. Returns the same time as [`hold`](Self::hold).
    pub(super) fn stop(&self, epoch: Option<Epoch>, by: StopBy, now: Instant) -> Option<Instant> {
        let bound = self.bound(by, now);
        match self {
            Self::Task(cell) => drop(cell.stop(bound, cell.reason_of_group())),
            Self::Group(group) => drop(group.stop(epoch, by)),
        }
        given_up_at(bound, now)
    }

    /// Requests a child to stop that was added too late, after the end of its group.
    pub(super) fn turn_away(&self, grace: Duration) {
        self.stop(None, StopBy::within(grace), Instant::now());
    }

    /// Returns the bound of a task; for a group, which has none of its own, an open bound.
    fn bound(&self, by: StopBy, now: Instant) -> Bound {
        match self {
            Self::Task(cell) => by.bound(now, cell.policy().stop_timeout),
            Self::Group(_) => Bound::OPEN,
        }
    }

    /// Prevents further attempts of the child.
    pub(super) fn retire(&self) {
        match self {
            Self::Task(cell) => cell.bar(Barred::ForGood),
            Self::Group(group) => group.send(Input::Retire, None),
        }
    }

    /// Prevents attempts until the child is requested to stop or hold, which follows.
    pub(super) fn freeze(&self) {
        match self {
            Self::Task(cell) => cell.bar(Barred::ForNow),
            Self::Group(group) => group.mark_stopping(),
        }
    }

    /// Returns the last failure; for a lost child, its end.
    pub(super) fn failure(&self, is_lost: bool) -> FailureChain {
        match self {
            Self::Task(cell) => {
                let (error, outcome) = (cell.status().last_error, cell.try_outcome());
                match outcome {
                    Some(TaskOutcome::Completed | TaskOutcome::Canceled { .. }) if is_lost => {
                        FailureChain::leaf(cell.name(), None, Leaf::Ended)
                    }
                    Some(TaskOutcome::Aborted { .. }) => FailureChain::leaf(cell.name(), error, Leaf::Aborted),
                    _ => FailureChain::leaf(cell.name(), error, Leaf::Failed),
                }
            }
            Self::Group(group) if is_lost && group.has_completed() => {
                FailureChain::leaf(group.path(), None, Leaf::Ended)
            }
            Self::Group(group) => {
                group.failure().unwrap_or_else(|| FailureChain::leaf(group.path(), None, Leaf::Failed))
            }
        }
    }

    /// Returns `true` if the child has been ready since its group started it.
    pub(super) fn has_passed(&self) -> bool {
        match self {
            Self::Task(cell) => cell.lock().machine().has_passed(),
            Self::Group(group) => group.has_passed(),
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        match self {
            Self::Task(cell) => cell.lock().machine().stage == Stage::Ended,
            Self::Group(group) => group.state() == TaskState::Ended,
        }
    }
}

fn given_up_at(bound: Bound, now: Instant) -> Option<Instant> {
    deadline_from(now, bound.time.time().saturating_add(ABORT))
}
