//! Warnings about conditions that can lead to a failure.

use std::sync::Arc;
use std::time::Duration;

use taskvisor_parse::duration;

use super::core::Core;
use super::observe;
use super::task::Cell;
use crate::events::{Event, EventKind};

/// The number of consecutive failures after which a task that is retried without a limit causes a warning.
const TOO_MANY: u32 = 10;

/// The warning about a task that is throttled, because it repeatedly succeeds at once.
pub(super) const AT_ONCE: &str = "it has succeeded 10 times in a row in the first poll of its attempt, and is paused \
                                  for 1 ms to 100 ms from now on: `restart = \"always\"` is for a task that waits by \
                                  itself, else give it an `interval`; `interval = \"0s\"` runs it without a pause";

/// Returns the warning about a run of a schedule that is no longer retried.
pub(super) fn of_given_up(failures: u32) -> String {
    format!(
        "its run has failed {failures} times in a row and is given up, by `max_retries`: the task waits for its next time"
    )
}

/// Returns the warning about a fixed rate whose first attempt can be delayed by more than a period.
pub(super) fn of_splay(splay: Duration, every: Duration) -> String {
    format!(
        "its `splay` of {} is longer than its period of {}: its first attempt waits for a part of the `splay`, and one \
         as long as the period spreads the runs as well",
        duration::display(splay),
        duration::display(every)
    )
}

/// Returns the warning about a critical task or group that keeps failing and is retried without a limit. Returned once
/// for each series of failures.
pub(super) fn of_retries(is_critical_without_end: bool, failures: u32) -> Option<&'static str> {
    (is_critical_without_end && failures == TOO_MANY).then_some(
        "it has failed 10 times in a row, and is retried without end: `critical` needs `max_retries` to have an effect",
    )
}

impl Cell {
    /// Publishes the warning about this registration and logs it, with no lock held.
    pub(super) fn warn(&self, reason: &str) {
        if self.core().bus.is_active() {
            self.core().bus.publish(self.event(EventKind::Warning).because(reason.to_owned()));
        }
        observe::warned(self.name(), Some(self.id()), reason);
    }
}

impl Core {
    /// Publishes the warning and logs it, with no lock held.
    pub(super) fn warn(&self, path: &Arc<str>, reason: &str) {
        if self.bus.is_active() {
            self.bus.publish(Event::about(EventKind::Warning, path).because(reason));
        }
        observe::warned(path, None, reason);
    }
}
