//! Chooses the events that a log needs, before they enter its queue.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::sieve::Sieve;
use super::{Event, EventKind, LogLevel};
use crate::task::StopReason;

/// At this number of ended tasks and groups, or at twice of what was left the last time, those that ended long ago are
/// forgotten.
const ENDED: usize = 256;
/// What ended earlier than this does not begin again with its group.
const LONG_AGO: Duration = Duration::from_secs(60);

/// The tasks and groups that have failed since their last success.
#[derive(Default)]
pub(super) struct Failing {
    /// The time of its end, if it has ended: its group can begin it again.
    paths: HashMap<Arc<str>, Option<SystemTime>>,
    /// The tasks that have restarted with a sibling, which a log may leave out from then on until they end.
    followers: HashSet<Arc<str>>,
    /// The name of the log, by which its losses are reported.
    log: &'static str,
    /// The number of ends since the last look, at most, and the number at which they are looked at.
    ended: usize,
    look_at: usize,
}

impl Failing {
    /// Returns `true` if the event says that something begins to fail, or that what fails does so no more. A log needs it
    /// at any level, to tell which failures repeat.
    fn concerns(&mut self, event: &Event) -> bool {
        let Some(path) = &event.task else {
            let ends_series = event.kind == EventKind::ShutdownRequested;
            if ends_series {
                self.followers.clear();
            }
            return ends_series;
        };
        match event.kind {
            EventKind::TaskFailed | EventKind::GroupFailed => {
                self.paths.insert(Arc::clone(path), None);
                true
            }
            // An attempt that was requested to stop is no success.
            EventKind::TaskStopped if event.reason.is_some() => {
                if let Some(StopReason::SiblingRestart { .. }) = event.stop {
                    self.followers.insert(Arc::clone(path));
                }
                self.paths.contains_key(path)
            }
            EventKind::TaskStopped => self.paths.remove(path).is_some(),
            EventKind::TaskRemoved | EventKind::GroupEnded => {
                let has_followed = self.followers.remove(path);
                let Some(ended) = self.paths.get_mut(path) else { return has_followed };
                *ended = Some(event.at);
                self.have_ended(1, event.at);
                true
            }
            // The lost events can include any ends. What has not ended is known again from its next failure on.
            EventKind::SubscriberOverflow if **path == *self.log => {
                let alive = self.paths.values_mut().filter(|ended| ended.is_none());
                let all = alive.map(|ended| *ended = Some(event.at)).count();
                self.have_ended(all, event.at);
                self.followers.clear();
                false
            }
            _ => false,
        }
    }

    fn have_ended(&mut self, number: usize, now: SystemTime) {
        self.ended += number;
        if self.ended < self.look_at.max(ENDED) {
            return;
        }
        let is_late = |ended: SystemTime| ended.checked_add(LONG_AGO).is_some_and(|late| now > late);
        self.paths.retain(|_, ended| !ended.is_some_and(is_late));
        self.ended = self.paths.values().flatten().count();
        self.look_at = 2 * self.ended;
    }
}

/// Returns the sieve of the log of this name that writes events of this level and above; `None` if it writes all. `each`
/// if it writes each failure.
pub(super) fn of_log(log: &'static str, level: LogLevel, each: bool) -> Option<Sieve> {
    if level == LogLevel::Debug {
        return None;
    }
    let mut failing = (!each).then(|| Failing { log, ..Failing::default() });
    Some(Sieve::new(move |event| {
        let concerns = failing.as_mut().is_some_and(|failing| failing.concerns(event));
        concerns || LogLevel::of(event) >= level
    }))
}

#[cfg(test)]
#[path = "log_sieve_test.rs"]
mod tests;
