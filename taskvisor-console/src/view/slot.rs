//! A submission that waits in a slot and has no node yet.

use std::borrow::Cow;

use taskvisor::SupervisorHandle;

use super::why::{Why, shown};

/// The slot and the position of a waiting submission.
pub(crate) struct Waits {
    pub(crate) slot: String,
    /// The position, from 1 for the submission that starts next.
    position: usize,
    paused: bool,
}

impl Waits {
    /// Finds the first submission of this path among those that the snapshots of the slots list.
    pub(crate) fn of(supervisor: &SupervisorHandle, path: &str) -> Option<Self> {
        supervisor.slots().into_iter().find_map(|slot| {
            let index = slot.next.iter().chain(&slot.queue).position(|job| job.path == path)?;
            Some(Self { position: index + 1, paused: slot.paused, slot: slot.name })
        })
    }

    pub(crate) fn why(&self) -> Why {
        let paused = if self.paused { ", which is paused" } else { "" };
        Why::new(format!("waits at position {} in the slot {}{paused}", self.position, shown(&self.slot)))
    }

    /// Returns the reason why an action on the submission is refused.
    pub(crate) fn refusal(&self, is_cancel: bool) -> Cow<'static, str> {
        let refused = if is_cancel {
            "before it starts, only the handle that `submit` returned can cancel it"
        } else {
            "it has not started"
        };
        format!("it {}; {refused}", self.why().text).into()
    }
}
