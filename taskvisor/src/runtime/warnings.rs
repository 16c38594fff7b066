//! Warnings about conditions that can lead to a failure.

use std::sync::Arc;
use std::time::Duration;
#[cfg(feature = "fleet")]
use std::time::SystemTime;

use taskvisor_parse::duration;

use super::core::Core;
use super::observe;
use super::task::Cell;
use crate::events::{Event, EventKind};
#[cfg(feature = "fleet")]
use crate::inspect::Rfc3339;

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

/// Returns the warning about a tick in the store of the fleet that its clock has yet to reach.
#[cfg(feature = "fleet")]
pub(super) fn of_tick_ahead(key: &str, tick: u64) -> String {
    /// The last second of the year 9999.
    const LAST: u64 = 253_402_300_799;
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(tick.min(LAST));
    format!(
        "the store has the tick of {:.0} for its key `{key}`, 3 h or more ahead of the clock of the store: that clock was \
         ahead. Up to that time its ticks are not marked in the store, and those are skipped that come due while no \
         process owns the key",
        Rfc3339(at)
    )
}

/// Returns the warning about a timer that fired so late that a limit is granted once more.
fn of_late_timer(lateness: Duration) -> String {
    format!(
        "its timer fired {} late, so its time is granted once more: the host was suspended, or code has blocked the \
         threads of the runtime",
        duration::display(Duration::from_millis(u64::try_from(lateness.as_millis()).unwrap_or(u64::MAX)))
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

    /// Warns of a timer that fired late, with no lock held.
    #[cold]
    pub(super) fn warn_of_late_timer(&self, lateness: Duration) {
        if self.core().clock.tells_late_timer() {
            self.warn(&of_late_timer(lateness));
        }
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

    /// Warns of a timer that fired late, with no lock held.
    #[cold]
    pub(super) fn warn_of_late_timer(&self, path: &Arc<str>, lateness: Duration) {
        if self.clock.tells_late_timer() {
            self.warn(path, &of_late_timer(lateness));
        }
    }
}
