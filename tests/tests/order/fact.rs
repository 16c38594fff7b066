//! An event, as the checker reads it.

use taskvisor::{Event, EventKind, StopReason, TaskId};

use crate::rules::is_within;

#[derive(Debug, Clone)]
pub(crate) struct Fact {
    pub(crate) seq: u64,
    pub(crate) kind: EventKind,
    pub(crate) path: String,
    pub(crate) id: Option<TaskId>,
    pub(crate) slot: Option<String>,
    pub(crate) attempt: Option<u32>,
    pub(crate) reason: String,
    pub(crate) stop: Option<StopReason>,
    pub(crate) count: Option<u64>,
    pub(crate) delays: bool,
}

impl Fact {
    pub(crate) fn of(event: &Event) -> Self {
        Self {
            seq: event.seq,
            kind: event.kind,
            path: event.task.as_deref().unwrap_or_default().to_owned(),
            id: event.id,
            slot: event.slot.as_deref().map(str::to_owned),
            attempt: event.attempt,
            reason: event.reason.as_ref().map(ToString::to_string).unwrap_or_default(),
            stop: event.stop.clone(),
            count: event.count,
            delays: event.delay_ms.is_some(),
        }
    }

    pub(crate) fn is_about(&self, other: &Self) -> bool {
        let is_of_slot = self.slot.is_some() && self.slot == other.slot;
        let is_of_path = is_within(&self.path, &other.path) || is_within(&other.path, &self.path);
        is_of_slot || is_of_path || self.path.is_empty()
    }
}
