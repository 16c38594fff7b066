//! Decides which events a log leaves out while something keeps failing.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

#[cfg(feature = "controller")]
use super::LogLevel;
use super::{Event, EventKind, Often, Repeats, Tell};
use crate::task::StopReason;

/// What a log knows of the failures in a tree.
#[derive(Default)]
pub(super) struct LogRepeats {
    failures: Repeats<Arc<str>>,
    /// The tasks that restart with a sibling that keeps failing with the same text.
    followers: HashSet<Arc<str>>,
    /// The rejections of each slot.
    #[cfg(feature = "controller")]
    rejections: Repeats<Arc<str>>,
}

/// The end of the line of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Addition {
    Nothing,
    Repeated(Often),
    Recovered(Often),
}

impl fmt::Display for Addition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => Ok(()),
            Self::Repeated(often) => write!(f, " repeated=\"{often}\""),
            Self::Recovered(often) => write!(f, " recovered=\"{}\"", often.recovered()),
        }
    }
}

impl LogRepeats {
    /// Takes note of an event. Returns the end of its line, or `None` if `log`, the subscriber of that name, does not write
    /// it.
    pub(super) fn tell(&mut self, event: &Event, log: &str) -> Option<Addition> {
        let now = event.at;
        if event.kind == EventKind::ShutdownRequested {
            self.failures.forget_groups();
            self.followers.clear();
        }
        let Some(path) = &event.task else { return Some(Addition::Nothing) };
        let reason = event.reason.as_ref().map_or("", |reason| reason.as_str());
        let by_group = matches!(event.stop, Some(StopReason::GroupFailed { .. }));
        let is_written = match event.kind {
            EventKind::TaskFailed => {
                self.followers.remove(path);
                return addition(self.failures.failed(Arc::clone(path), reason, now));
            }
            #[cfg(feature = "controller")]
            EventKind::ControllerRejected if LogLevel::of(event) > LogLevel::Info => {
                let Some(slot) = &event.slot else { return Some(Addition::Nothing) };
                return addition(self.rejections.rejected(slot, reason, now));
            }
            EventKind::GroupFailed => {
                let told = addition(self.failures.group_failed(Arc::clone(path), reason, now));
                // The last failure is told in any case: the group does not start again.
                return told.or_else(|| event.delay_ms.is_none().then_some(Addition::Nothing));
            }
            EventKind::TaskStarting | EventKind::BackoffScheduled | EventKind::TimeoutHit => {
                let is_quiet = self.failures.is_quiet(path) || self.followers.contains(path);
                !is_quiet && !self.failures.is_within_quiet(path, now)
            }
            EventKind::TaskReady => {
                let is_first = self.failures.becomes_ready(path);
                !self.followers.remove(path) && is_first && !self.failures.is_within_quiet(path, now)
            }
            // With a reason it was requested to stop, which is neither a success nor a failure of the task.
            EventKind::TaskStopped if event.reason.is_some() => {
                self.failures.stopped(path, now);
                match &event.stop {
                    Some(StopReason::SiblingRestart { failed }) => !self.follows(path, failed),
                    _ => !by_group || !self.failures.is_within_quiet(path, now),
                }
            }
            EventKind::TaskStopped => {
                return Some(self.failures.over(path).map_or(Addition::Nothing, Addition::Recovered));
            }
            EventKind::TaskRemoved => {
                self.followers.remove(path);
                self.failures.ended(path, now);
                !self.failures.is_within_quiet(path, now)
            }
            EventKind::TaskAddRequested | EventKind::TaskAdded => !self.failures.is_within_quiet(path, now),
            EventKind::GroupRestarted => !self.failures.is_quiet_group(path, now),
            EventKind::GroupEnded => {
                self.failures.ended(path, now);
                !by_group || !self.failures.is_within_quiet(path, now)
            }
            // The lost events can include the ends of tasks.
            EventKind::SubscriberOverflow if **path == *log => {
                self.failures.forget_late(now);
                self.followers.clear();
                true
            }
            _ => true,
        };
        is_written.then_some(Addition::Nothing)
    }

    /// Notes that a task is stopped to restart with a sibling that has failed. Returns `true` if the sibling keeps failing
    /// with the same text.
    fn follows(&mut self, path: &Arc<str>, failed: &str) -> bool {
        let is_quiet = self.failures.is_quiet(failed);
        if is_quiet {
            self.followers.insert(Arc::clone(path));
        }
        is_quiet
    }

    #[cfg(test)]
    pub(super) fn knows(&self, path: &str) -> bool {
        self.failures.knows(path)
    }
}

fn addition(tell: Tell) -> Option<Addition> {
    match tell {
        Tell::Whole => Some(Addition::Nothing),
        Tell::Again(often) => Some(Addition::Repeated(often)),
        Tell::Nothing => None,
    }
}

#[cfg(test)]
#[path = "log_repeats_test.rs"]
mod tests;
