//! Ends a group whose driver is gone.
//!
//! A driver that is dropped with its runtime moves to a runtime of another member. If there is none, or if the driver
//! panics, the members are requested to stop, and the note of the last end ends the group.

use std::collections::HashSet;

use tokio::time::Instant;

use super::super::observe;
use super::super::task::StopBy;
use super::cell::Position;
use super::children::Key;
use super::plan::Note;
use super::shared::GroupRef;
use crate::inspect::TaskOutcome;

/// The members of a group without a driver that have not ended, and the outcome of the group after the last end.
pub(super) struct Orphans {
    left: HashSet<Key>,
    outcome: TaskOutcome,
}

impl GroupRef {
    /// Records that the driver is gone, and requests the members to stop.
    pub(super) fn orphan(&self, by: StopBy, outcome: TaskOutcome) {
        self.close(false);
        self.mark_stopping();
        let (members, now) = (self.members(), Instant::now());
        {
            let mut inbox = self.lock();
            inbox.messages.clear();
            inbox.orphans = Some(Orphans { left: members.iter().map(|(key, _)| *key).collect(), outcome });
        }
        for (key, member) in members {
            member.stop(None, by, now);
            // A member that ended before sends no more notes.
            if member.has_ended() {
                if let Some(orphans) = &mut self.lock().orphans {
                    orphans.left.remove(&key);
                }
            }
        }
        let over = self.lock().orphans.take_if(|orphans| orphans.left.is_empty());
        if let Some(Orphans { outcome, .. }) = over {
            self.end(outcome);
        }
    }

    /// Ends the group for good, and each group above it that also has no driver and waits only for this one. It is a
    /// loop and not a recursion, because groups can nest deeply.
    pub(super) fn end(&self, outcome: TaskOutcome) {
        let mut next = Some((self.clone(), outcome));
        while let Some((group, outcome)) = next {
            let end = group.end_of(&outcome);
            group.forget_tasks();
            group.forget_made();
            if group.position.is_none() {
                group.core.forget_kept();
            }
            observe::group_ended(&group, &outcome);
            group.core.give_up_added(&group, &outcome);
            group.core.remove_group(&group, outcome);
            let Some(Position { parent, key }) = &group.position else { return };
            let over = parent.note_of_group(&group, *key, 0, Note::Ended(end));
            next = over.map(|outcome| (parent.clone(), outcome));
        }
    }
}

impl Orphans {
    /// Records the end of a member. Returns the outcome of the group if it was the last member.
    pub(super) fn ended(orphans: &mut Option<Self>, key: Key) -> Option<TaskOutcome> {
        let over = orphans.take_if(|orphans| orphans.left.remove(&key) && orphans.left.is_empty())?;
        Some(over.outcome)
    }
}
