//! The registered children of a group.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::super::task::{ABORT, Barred, Bound, Cell, Stage, StopBy};
use super::super::timer::deadline_from;
use super::cell::GroupCell;
use super::children::{Epoch, Key};
use crate::inspect::TaskState;
use crate::panics::drop_caught;
use crate::tree::FailureChain;

/// A registered child of a group.
#[derive(Clone)]
pub(in crate::runtime) enum Member {
    Task(Arc<Cell>),
    Group(Arc<GroupCell>),
}

/// The current registrations of the declared children, and of the added children that have not ended.
pub(super) struct Members {
    pub(super) declared: Vec<Option<Member>>,
    pub(super) added: BTreeMap<Key, Member>,
    next: Key,
    /// `true` if the group was requested to stop for good.
    pub(super) stopped: bool,
}

impl Members {
    pub(super) fn new(declared: usize) -> Self {
        Self { declared: Vec::new(), added: BTreeMap::new(), next: declared as Key, stopped: false }
    }

    pub(super) fn next_key(&mut self) -> Key {
        let key = self.next;
        self.next += 1;
        key
    }

    pub(super) fn get(&self, key: Key) -> Option<&Member> {
        match usize::try_from(key).ok().and_then(|index| self.declared.get(index)) {
            Some(member) => member.as_ref(),
            None => self.added.get(&key),
        }
    }

    /// Returns the children in order.
    pub(super) fn all(&self) -> Vec<(Key, Member)> {
        let declared = (0..).zip(&self.declared).filter_map(|(key, member)| Some((key, member.clone()?)));
        declared.chain(self.added.iter().map(|(key, member)| (*key, member.clone()))).collect()
    }

    pub(super) fn take(&mut self) -> Vec<Member> {
        let declared = std::mem::take(&mut self.declared).into_iter().flatten();
        declared.chain(std::mem::take(&mut self.added).into_values()).collect()
    }
}

impl Member {
    pub(super) fn release(&self, epoch: Epoch) {
        match self {
            Self::Task(cell) => cell.release(epoch),
            Self::Group(group) => group.release(epoch),
        }
    }

    pub(super) fn resume(&self, epoch: Epoch) {
        match self {
            Self::Task(cell) => cell.resume(epoch),
            Self::Group(group) => group.resume(epoch),
        }
    }

    /// Requests the child to hold. Returns the time at which it is no longer waited for, if it is known here; a nested
    /// group reports that itself, because its tasks may have more time than its share.
    pub(super) fn hold(&self, epoch: Epoch, by: StopBy, now: Instant) -> Option<Instant> {
        match self {
            Self::Task(cell) => {
                let bound = by.bound(now, cell.policy().stop_timeout);
                cell.hold(epoch, bound);
                given_up_at(bound, now)
            }
            Self::Group(group) => {
                group.hold(epoch, by);
                None
            }
        }
    }

    /// Requests the child to stop for good. Returns the same time.
    pub(super) fn stop(&self, epoch: Option<Epoch>, by: StopBy, now: Instant) -> Option<Instant> {
        match self {
            Self::Task(cell) => {
                let bound = by.bound(now, cell.policy().stop_timeout);
                cell.stop(bound, cell.reason_of_group());
                given_up_at(bound, now)
            }
            Self::Group(group) => {
                group.stop_of(epoch, by);
                None
            }
        }
    }

    /// Prevents further attempts of the child.
    pub(super) fn retire(&self) {
        match self {
            Self::Task(cell) => cell.bar(Barred::ForGood),
            Self::Group(group) => group.retire(),
        }
    }

    /// Prevents attempts until the child is requested to stop or hold, which comes next.
    pub(super) fn freeze(&self) {
        match self {
            Self::Task(cell) => cell.bar(Barred::ForNow),
            Self::Group(group) => group.mark_stopping(),
        }
    }

    /// Returns the last failure.
    pub(super) fn failure(&self) -> FailureChain {
        match self {
            Self::Task(cell) => FailureChain::of_task(cell.name(), cell.status().last_error, cell.is_aborted()),
            Self::Group(group) => group.failure().unwrap_or_else(|| FailureChain::leaf(group.path(), None)),
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        match self {
            Self::Task(cell) => cell.lock().machine().stage == Stage::Ended,
            Self::Group(group) => group.state() == TaskState::Ended,
        }
    }

    /// Drops the member, which may hold the last reference to a user task.
    pub(super) fn release_reference(self) {
        let _ = drop_caught(self);
    }
}

fn given_up_at(bound: Bound, now: Instant) -> Option<Instant> {
    deadline_from(now, bound.time.saturating_add(ABORT))
}
