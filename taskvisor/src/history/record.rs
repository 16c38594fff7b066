//! The types that a history returns: attempts and gaps.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::events::millis;
use crate::inspect::{Rfc3339, TaskId, shortened};
use crate::task::TaskError;

/// The attempts that a [`History`](crate::History) keeps of one path, and the gaps between them.
///
/// `Display` formats a line for each entry. [`History::of`](crate::History::of) returns it.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use taskvisor::PathHistory;
///
/// /// Returns the longest of the attempts that have ended.
/// fn longest(path: &PathHistory) -> Option<Duration> {
///     path.attempts().filter_map(|attempt| attempt.duration()).max()
/// }
/// # assert_eq!(longest(&taskvisor::History::new().of("sync")), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "it does nothing unless it is read"]
pub struct PathHistory {
    /// The path of the task, or the name of the slot.
    pub path: Arc<str>,
    /// The number of older attempts that are no longer kept.
    pub dropped: u64,
    /// The attempts in the order in which they began, and the gaps in their places. The last is the newest. Empty if
    /// the path is not known.
    pub entries: Vec<HistoryEntry>,
}

/// An entry of the history of a path.
///
/// # Examples
/// ```
/// use taskvisor::{History, HistoryEntry};
///
/// /// Returns `true` if the history of the path has every event since its oldest attempt.
/// fn is_complete(history: &History, path: &str) -> bool {
///     !history.of(path).entries.iter().any(|entry| matches!(entry, HistoryEntry::Gap(_)))
/// }
/// # assert!(is_complete(&History::new(), "sync"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HistoryEntry {
    /// An attempt.
    Attempt(AttemptRecord),
    /// Events were lost here. They can have been events of this path, or of others.
    Gap(HistoryGap),
}

/// One attempt, with the data of the events that arrived.
///
/// `Display` formats it in one line:
///
/// ```text
/// 2026-11-23T08:15:30.123Z store/pool #3 failed after 1.204s: connection refused
/// 2026-11-23T08:15:32.327Z store/pool #4 running
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptRecord {
    /// The path of the task.
    pub path: Arc<str>,
    /// The name of the slot, if the task was submitted to one.
    pub slot: Option<Arc<str>>,
    /// The id of the registration. Together with `attempt` it identifies the attempt within the process.
    pub id: TaskId,
    /// The number of the attempt within its registration, from 1. If the start failed before the attempt began, it is
    /// the number of the attempt before, and 0 if there was none.
    pub attempt: u32,
    /// The time when it began. `None` if it failed before it began, as a start timeout does while it waits for a
    /// permit, and if the event of its beginning was lost.
    pub began: Option<SystemTime>,
    /// The time when it had ended, with its helpers. `None` while it runs, and if the event of the end was lost.
    pub ended: Option<SystemTime>,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// The label of the stop request that ended it, such as `shutdown` or `restart`: see
    /// [`StopReason::as_label`](crate::StopReason::as_label). Present if the outcome is
    /// [`Canceled`](AttemptOutcome::Canceled).
    pub stop: Option<&'static str>,
    /// The error of the attempt with its causes, or the reason why it was aborted. Without an error, the path of the
    /// sibling or group whose failure stopped it. At most 256 bytes; a longer text ends in `…`.
    pub reason: Option<Arc<str>>,
}

labels! {
    /// How an attempt ended.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum AttemptOutcome: Display {
        /// It has not ended.
        Running = "running",
        /// It succeeded.
        Completed = "completed",
        /// It failed.
        Failed = "failed",
        /// It exceeded its timeout or its start timeout.
        TimedOut = "timeout",
        /// It sent no heartbeat for longer than its watchdog allows.
        Silent = "silent",
        /// It, or a helper of it, panicked.
        Panicked = "panicked",
        /// It failed with an error that [is fatal](crate::TaskError::is_fatal).
        Fatal = "fatal",
        /// It ended after a stop request, or returned [`TaskError::Canceled`](crate::TaskError::Canceled).
        Canceled = "canceled",
        /// It did not stop in time, or its runtime ended.
        Aborted = "aborted",
        /// Events were lost while it ran. It may have ended since. If its end is seen later, the outcome is known
        /// again.
        Unknown = "unknown",
    }
}

/// A number of lost events, because the subscriber was behind.
///
/// `Display` formats it in one line: `2026-11-23T08:15:30.123Z to 2026-11-23T08:15:30.127Z: 12 events lost`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryGap {
    /// The number of lost events, of all paths and kinds.
    pub lost: u64,
    /// The time of the last event before them.
    pub after: SystemTime,
    /// The time of the first event after them.
    pub before: SystemTime,
}

impl PathHistory {
    /// Returns the attempts without the gaps. The last is the newest.
    pub fn attempts(&self) -> impl DoubleEndedIterator<Item = &AttemptRecord> {
        self.entries.iter().filter_map(|entry| match entry {
            HistoryEntry::Attempt(attempt) => Some(attempt),
            HistoryEntry::Gap(_) => None,
        })
    }

    /// Returns the newest attempt. `None` if the path is not known.
    pub fn last(&self) -> Option<&AttemptRecord> {
        self.attempts().next_back()
    }
}

impl AttemptRecord {
    /// Returns the time from the beginning to the end, if both are known. It is the difference of two readings of the
    /// wall clock, and zero if the clock was set back.
    pub fn duration(&self) -> Option<Duration> {
        Some(self.ended?.duration_since(self.began?).unwrap_or_default())
    }
}

impl AttemptOutcome {
    /// Returns a short, stable name, for metrics and logs.
    pub const fn as_label(self) -> &'static str {
        self.label()
    }

    pub(super) fn of(error: &TaskError) -> Self {
        match error {
            TaskError::Fail { .. } | TaskError::Error(_) => Self::Failed,
            TaskError::Timeout { .. } | TaskError::StartTimeout { .. } | TaskError::PermitTimeout { .. } => {
                Self::TimedOut
            }
            TaskError::Silent { .. } => Self::Silent,
            TaskError::Fatal { .. } | TaskError::Permanent(_) => Self::Fatal,
            TaskError::Canceled => Self::Canceled,
            TaskError::Panicked(_) => Self::Panicked,
            TaskError::RetryAfter(told) => Self::of(told.error()),
        }
    }
}

impl fmt::Display for PathHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries.iter().try_for_each(|entry| writeln!(f, "{entry}"))
    }
}

impl fmt::Display for HistoryEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempt(attempt) => attempt.fmt(f),
            Self::Gap(gap) => gap.fmt(f),
        }
    }
}

impl fmt::Display for AttemptRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// The largest number of characters of a reason, escaped.
        const MOST: usize = 256;
        if let Some(at) = self.began.or(self.ended) {
            write!(f, "{} ", Rfc3339(at))?;
        }
        write!(f, "{} #{} {}", self.path.escape_debug(), self.attempt, self.outcome)?;
        if let Some(stop) = self.stop {
            write!(f, " ({stop})")?;
        }
        match self.duration().map(millis) {
            Some(0) => f.write_str(" after 0ms")?,
            Some(ms) => write!(f, " after {:?}", Duration::from_millis(ms))?,
            None if self.began.is_none() => f.write_str(", begin not seen")?,
            None => {}
        }
        match &self.reason {
            Some(reason) => write!(f, ": {}", shortened(reason, MOST)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for HistoryGap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = if self.lost == 1 { "event" } else { "events" };
        write!(f, "{} to {}: {} {events} lost", Rfc3339(self.after), Rfc3339(self.before), self.lost)
    }
}
