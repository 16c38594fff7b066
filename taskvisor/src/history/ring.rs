//! The last attempts of one path.

use std::collections::VecDeque;
use std::sync::Arc;

use super::record::{AttemptOutcome, AttemptRecord};
use crate::inspect::TaskId;

/// The attempts of one path, in the order in which they began.
#[derive(Default)]
pub(super) struct Ring {
    kept: VecDeque<Kept>,
    pub(super) dropped: u64,
    /// The attempts that were dropped while they ran, and whose end is not kept either.
    dropped_running: Vec<(TaskId, u32)>,
}

/// A kept attempt.
pub(super) struct Kept {
    pub(super) record: AttemptRecord,
    /// The feed that it came from.
    pub(super) feed: u32,
    /// Its place among all attempts and gaps.
    pub(super) turn: u64,
}

impl Kept {
    pub(super) fn is_running(&self) -> bool {
        self.record.outcome == AttemptOutcome::Running
    }
}

impl Ring {
    /// Adds an attempt, and drops the oldest ones beyond `most`.
    pub(super) fn push(&mut self, kept: Kept, most: usize) {
        self.trim(most - 1);
        self.kept.push_back(kept);
    }

    /// Drops the oldest attempts beyond `most`. Running attempts are dropped last.
    pub(super) fn trim(&mut self, most: usize) {
        while self.kept.len() > most {
            let oldest = self.kept.iter().position(|kept| !kept.is_running()).unwrap_or_default();
            if let Some(Kept { record, .. }) = self.kept.remove(oldest).filter(Kept::is_running) {
                self.dropped_running.push((record.id, record.attempt));
            }
            self.dropped += 1;
        }
    }

    /// Returns `true` if the attempt was dropped while it ran. It ends now.
    pub(super) fn ends_dropped(&mut self, id: TaskId, attempt: u32) -> bool {
        let place = self.dropped_running.iter().position(|dropped| *dropped == (id, attempt));
        place.map(|place| self.dropped_running.swap_remove(place)).is_some()
    }

    /// Forgets the attempts that were dropped while they ran, of a registration that ends, or all: their ends can be lost.
    pub(super) fn forget_dropped(&mut self, of: Option<TaskId>) {
        self.dropped_running.retain(|(id, _)| of.is_some_and(|of| of != *id));
    }

    pub(super) fn kept(&self) -> impl Iterator<Item = &Kept> {
        self.kept.iter()
    }

    pub(super) fn kept_mut(&mut self) -> impl Iterator<Item = &mut Kept> {
        self.kept.iter_mut()
    }

    pub(super) fn has_running(&self) -> bool {
        self.kept().any(Kept::is_running)
    }

    /// Returns the attempt if its end is not known.
    pub(super) fn open(&mut self, id: TaskId, attempt: u32) -> Option<&mut AttemptRecord> {
        let mut records = self.kept.iter_mut().rev().map(|kept| &mut kept.record);
        records.find(|record| record.id == id && record.attempt == attempt && record.ended.is_none())
    }

    /// Returns a shared text. Tasks often fail with the same text again and again, so the newest one is tried first.
    pub(super) fn share(&self, text: &str) -> Arc<str> {
        let newest = self.kept.iter().rev().find_map(|kept| kept.record.reason.as_ref());
        newest.filter(|newest| &***newest == text).map_or_else(|| text.into(), Arc::clone)
    }
}
