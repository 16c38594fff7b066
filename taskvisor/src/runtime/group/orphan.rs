//! A group without a driver: nothing in it is left to itself.
//!
//! A driver that is dropped with its runtime goes on where other members run. Where there is no such runtime, its
//! members are requested to stop at once, and the end of the last ends the group: whoever reports that ends it.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::time::Instant;

use super::super::observe;
use super::super::task::StopBy;
use super::cell::{GroupCell, Place};
use super::children::{Epoch, Key};
use super::plan::{End, Note};
use crate::inspect::TaskOutcome;
use crate::supervisor::StopLimit;

/// Members that are waited for without a driver.
pub(super) struct Orphans {
    left: BTreeSet<Key>,
    /// What the parent requested last.
    gate: Epoch,
    /// All were requested to stop.
    requested: bool,
}

impl Orphans {
    /// Whether that was one of them.
    pub(super) fn ended(&mut self, key: Key) -> bool {
        self.left.remove(&key)
    }

    fn is_over(&self) -> bool {
        self.requested && self.left.is_empty()
    }
}

impl GroupCell {
    /// The driver is gone.
    pub(super) fn orphan(self: &Arc<Self>, gate: Epoch) {
        self.set_orphans(Orphans { left: BTreeSet::new(), gate, requested: false });
        let (by, now) = (StopBy::now(StopLimit::Grace), Instant::now());
        for (key, member) in self.members() {
            self.orphans(|orphans| orphans.as_mut().is_some_and(|orphans| orphans.left.insert(key)));
            member.stop(None, by, now);
            // One that had ended before it was entered is not reported any more.
            if member.has_ended() {
                self.orphans(|orphans| orphans.as_mut().is_some_and(|orphans| orphans.ended(key)));
            }
            member.release_reference();
        }
        self.orphans(|orphans| orphans.iter_mut().for_each(|orphans| orphans.requested = true));
        self.end_of_orphans();
    }

    /// Ends the group if its last member has ended; and those above it of which it was the last.
    pub(super) fn end_of_orphans(self: &Arc<Self>) {
        let mut group = Arc::clone(self);
        loop {
            let over = group.orphans(|orphans| orphans.take_if(|orphans| orphans.is_over()));
            let Some(Orphans { gate, .. }) = over else { return };
            let next = group.end(TaskOutcome::Aborted { error: None }, gate);
            match next {
                Some(parent) => group = parent,
                None => return,
            }
        }
    }

    /// Ends the group for good, and tells its parent; gives that back if it has no driver either, to be looked after.
    pub(super) fn end(self: &Arc<Self>, outcome: TaskOutcome, gate: Epoch) -> Option<Arc<Self>> {
        let end = End::of(Some(&outcome));
        self.forget_tasks();
        observe::group_ended(self, &outcome);
        self.core.remove_group(self, outcome);
        let Place { parent, key, .. } = self.place.as_ref()?;
        parent.note_of_group(self, *key, gate, Note::Ended(end)).then(|| Arc::clone(parent))
    }
}
