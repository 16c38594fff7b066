//! The last attempts as data.

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::super::timestamp::Rfc3339;
use super::list;
use crate::events::millis;
use crate::history::{AttemptRecord, HistoryEntry, HistoryGap, PathHistory};

impl Serialize for PathHistory {
    object!(PathHistory, history => {
        path: Some(&*history.path),
        dropped: Some(history.dropped),
        entries: list(&history.entries),
    });
}

impl Serialize for HistoryEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Attempt(attempt) => attempt.serialize(serializer),
            Self::Gap(gap) => gap.serialize(serializer),
        }
    }
}

impl Serialize for AttemptRecord {
    object!(AttemptRecord, attempt => {
        path: Some(&*attempt.path),
        slot: attempt.slot.as_deref(),
        id: Some(attempt.id),
        attempt: Some(attempt.attempt),
        began: attempt.began.map(Rfc3339),
        ended: attempt.ended.map(Rfc3339),
        duration_ms: attempt.duration().map(millis),
        outcome: Some(attempt.outcome),
        stop: attempt.stop,
        reason: attempt.reason.as_deref(),
    });
}

impl Serialize for HistoryGap {
    object!(HistoryGap, gap => {
        lost: Some(gap.lost),
        after: Some(Rfc3339(gap.after)),
        before: Some(Rfc3339(gap.before)),
    });
}
