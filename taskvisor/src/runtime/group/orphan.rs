//! Ends a group whose driver is gone.
//!
//! A driver that is dropped with its runtime moves to a runtime of another member. If there is none, the members are
//! requested to stop at once, and the note of the last end ends the group.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::time::Instant;

use super::super::observe;
use super::super::task::StopBy;
use super::cell::{GroupCell, Position};
use super::children::{Epoch, Key};
use super::plan::{End, Note};
use crate::inspect::TaskOutcome;
use crate::supervisor::StopLimit;

/// The members that are waited for without a driver.
pub(super) struct Orphans {
    left: BTreeSet<Key>,
    /// The epoch of the last request of the parent.
    requested_epoch: Epoch,
    /// `true` if all were requested to stop.
    requested: bool,
}

impl Orphans {
    /// Returns `true` if it was one of them.
    pub(super) fn ended(&mut self, key: Key) -> bool {
        self.left.remove(&key)
    }

    fn is_over(&self) -> bool {
        self.requested && self.left.is_empty()
    }
}

impl GroupCell {
    /// Notes that the driver is gone.
    pub(super) fn orphan(self: &Arc<Self>, requested_epoch: Epoch) {
        self.mark_stopping();
        self.set_orphans(Orphans { left: BTreeSet::new(), requested_epoch, requested: false });
        let (by, now) = (StopBy::now(StopLimit::Grace), Instant::now());
        for (key, member) in self.members() {
            self.orphans(|orphans| orphans.as_mut().is_some_and(|orphans| orphans.left.insert(key)));
            member.stop(None, by, now);
            // A member that ended before it was entered sends no note.
            if member.has_ended() {
                self.orphans(|orphans| orphans.as_mut().is_some_and(|orphans| orphans.ended(key)));
            }
            member.release_reference();
        }
        self.orphans(|orphans| orphans.iter_mut().for_each(|orphans| orphans.requested = true));
        self.end_of_orphans();
    }

    /// Ends the group if its last member has ended, and the groups above it for which it was the last.
    pub(super) fn end_of_orphans(self: &Arc<Self>) {
        let mut group = Arc::clone(self);
        loop {
            let over = group.orphans(|orphans| orphans.take_if(|orphans| orphans.is_over()));
            let Some(Orphans { requested_epoch, .. }) = over else { return };
            let next = group.end(TaskOutcome::Aborted { error: None }, requested_epoch);
            match next {
                Some(parent) => group = parent,
                None => return,
            }
        }
    }

    /// Ends the group for good, and sends a note to its parent. Returns the parent if it has no driver either.
    pub(super) fn end(self: &Arc<Self>, outcome: TaskOutcome, requested_epoch: Epoch) -> Option<Arc<Self>> {
        let end = End::of(Some(&outcome));
        self.forget_tasks();
        observe::group_ended(self, &outcome);
        self.core.remove_group(self, outcome);
        let Position { parent, key, .. } = self.position.as_ref()?;
        parent.note_of_group(self, *key, requested_epoch, Note::Ended(end)).then(|| Arc::clone(parent))
    }
}
