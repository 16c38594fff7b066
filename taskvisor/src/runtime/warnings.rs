//! Warnings: what goes on that somebody should look at before it becomes a failure.

use std::sync::Arc;

use super::core::Core;
use super::observe;
use crate::events::{Event, EventKind};

/// So many failures in a row, and what is retried without end is worth a warning.
const TOO_MANY: u32 = 10;

/// What to say of a task or group that is needed, fails and fails, and is retried without end. Said once in a streak.
pub(super) fn of_retries(critical: bool, max_retries: Option<u32>, failures: u32) -> Option<&'static str> {
    (critical && max_retries.is_none() && failures == TOO_MANY).then_some(
        "it has failed 10 times in a row, and is retried without end: `critical` needs `max_retries` to have an effect",
    )
}

impl Core {
    /// Tells listeners and the log, with no lock held.
    pub(super) fn warn(&self, path: &Arc<str>, reason: &str) {
        if self.bus.is_active() {
            self.bus.publish(Event::about(EventKind::Warning, path).because(reason));
        }
        observe::warned(path, None, reason);
    }
}
