//! The subscriber that collects attempts, and the handle that reads them.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;
use std::vec;

use async_trait::async_trait;

use super::record::{AttemptOutcome, HistoryGap, PathHistory};
use super::store::{Attempt, End, Store};
use crate::events::{Event, EventKind, Subscribe, cut};
use crate::sync::{Mutex, lock};
use crate::task::StopReason;

/// The largest number of bytes that are kept of a reason.
const REASON: usize = 256;

/// The last attempts of each path, with the times, the outcome and the reason of each.
///
/// A `History` is a subscriber, and a handle to read what it collected. Give a clone to the tree, and keep one to read.
/// Unlike a snapshot, it has the attempts before the current one. Use it for status pages and for people; code that
/// decides on a result uses [`TaskHandle::outcome`](crate::TaskHandle::outcome), which is never lost.
///
/// # What is kept
/// - Of each path, the last 32 attempts are kept ([`with_attempts`](Self::with_attempts)). Ended attempts are dropped
///   before running ones.
/// - At most 1,024 paths ([`with_paths`](Self::with_paths)). Beyond that, a new path replaces the one in which the last
///   beginning or end of an attempt is the oldest; paths with a running attempt are replaced last.
///   [`dropped_paths`](Self::dropped_paths) counts them.
/// - The jobs of a slot are kept together, under the name of the slot. A slot with keys has a path for each key.
/// - The history of a task stays after its removal, and goes on if a task of that path is added again. Its
///   [`id`](crate::AttemptRecord::id) is another one then, and its attempts count from 1 again.
/// - Of an error, its text is kept, at most 256 bytes, and not the error. An attempt that fails with the same text as
///   the one before shares it.
///
/// With the default limits and the longest texts, that is about 13 MB at most, and the names. A submission that never
/// ran has no attempt.
///
/// # Lost events
/// A subscriber that is behind loses events. A history detects each loss by the [numbers](Event::seq) of events, and
/// has a [`HistoryGap`] in its place. Attempts that were running are [`Unknown`](AttemptOutcome::Unknown) until their
/// end is seen. A lost beginning is `None`. A job whose slot is not known, because its event was lost, is kept under
/// its own path. The last 32 gaps are kept; older ones are merged. So give it all events: a wrapper that filters them
/// makes gaps.
///
/// # Several trees
/// Trees can share a history: give each of them one clone of its own, because a clone finds the losses of one
/// supervisor. Equal paths of two trees share one history, and their attempts are distinguished by the
/// [`id`](crate::AttemptRecord::id). To keep them apart, use a history for each tree.
///
/// # Examples
/// ```
/// use taskvisor::prelude::*;
/// use taskvisor::{AttemptOutcome, History};
///
/// #[task(max_retries = 1, backoff(first = "1ms"))]
/// async fn import(file: String) -> Result<(), String> {
///     Err(format!("{file} is damaged"))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), RuntimeError> {
/// let history = History::new();
/// let tree = supervise!(subscribers = [history.clone()], tasks = [import { file: "a.csv".into() }]);
/// tree.run().await?;
///
/// let import = history.of("import");
/// assert_eq!(import.attempts().count(), 2);
/// let last = import.last().expect("it ran");
/// assert_eq!((last.attempt, last.outcome), (2, AttemptOutcome::Failed));
/// assert_eq!(last.reason.as_deref(), Some("a.csv is damaged"));
/// print!("{import}");
/// # Ok(())
/// # }
/// ```
///
/// ```text
/// 2026-11-23T08:15:30.123Z import #1 failed after 0ms: a.csv is damaged
/// 2026-11-23T08:15:30.125Z import #2 failed after 0ms: a.csv is damaged
/// ```
pub struct History {
    /// Guards the collected attempts. Taken under `feed`, and a leaf otherwise: no user code runs under it, so it
    /// cannot deadlock.
    store: Arc<Mutex<Store>>,
    /// Guards the position in the events of one supervisor.
    feed: Mutex<Feed>,
}

/// The position in the events of one supervisor.
#[derive(Default)]
struct Feed {
    /// The number of the feed in the store; 0 before the first event.
    number: u32,
    /// The number and time of the last event.
    last: Option<(u64, SystemTime)>,
}

impl History {
    /// Creates a history that keeps the last 32 attempts of each of at most 1,024 paths.
    pub fn new() -> Self {
        Self { store: Arc::default(), feed: Mutex::default() }
    }

    /// Sets the number of attempts that are kept of each path, for all clones. The minimum is 1. Default: 32.
    ///
    /// ```
    /// use taskvisor::History;
    ///
    /// let history = History::new().with_attempts(100).with_paths(50);
    /// ```
    #[must_use]
    pub fn with_attempts(self, most: usize) -> Self {
        lock(&self.store).set_attempts(most);
        self
    }

    /// Sets the number of paths that are kept, for all clones. The minimum is 1. Default: 1,024.
    #[must_use]
    pub fn with_paths(self, most: usize) -> Self {
        lock(&self.store).set_paths(most);
        self
    }

    /// Returns the history of a task by its path, or of a slot by its name. The history has no entries if no attempt
    /// was seen, or if the path was dropped.
    ///
    /// An event is collected soon after it happened. After `run` or `shutdown` has returned, all events are collected,
    /// unless that took longer than the [`drain_timeout`](crate::SupervisorConfig::drain_timeout), or the runtime ended
    /// first.
    pub fn of(&self, path: &str) -> PathHistory {
        lock(&self.store).of(path)
    }

    /// Returns the paths of tasks and the names of slots that are kept, sorted.
    pub fn paths(&self) -> Vec<Arc<str>> {
        lock(&self.store).paths()
    }

    /// Returns the histories of all paths, sorted by path. Each is read when the iterator reaches it; a path that was
    /// dropped in the meantime is skipped.
    ///
    /// ```
    /// use taskvisor::{AttemptOutcome, History};
    ///
    /// /// Returns the number of panics in each path.
    /// fn panics(history: &History) -> Vec<(String, usize)> {
    ///     let of = |path: taskvisor::PathHistory| {
    ///         let panics = path.attempts().filter(|attempt| attempt.outcome == AttemptOutcome::Panicked).count();
    ///         (path.path.to_string(), panics)
    ///     };
    ///     history.iter().map(of).collect()
    /// }
    /// # assert!(panics(&History::new()).is_empty());
    /// ```
    pub fn iter(&self) -> Histories<'_> {
        Histories { history: self, paths: self.paths().into_iter() }
    }

    /// Returns the number of paths that were dropped because there were too many. A path that is dropped twice counts
    /// twice.
    pub fn dropped_paths(&self) -> u64 {
        lock(&self.store).dropped_paths
    }

    /// Returns the gaps of all trees, in the order in which they were found.
    pub fn gaps(&self) -> Vec<HistoryGap> {
        lock(&self.store).gaps()
    }

    /// Records the number of an event, and a gap before it. Returns the number of the feed.
    fn follow(&self, event: &Event) -> u32 {
        let mut feed = lock(&self.feed);
        if feed.number == 0 {
            feed.number = lock(&self.store).open_feed();
        }
        if let Some((seq, after)) = feed.last.replace((event.seq, event.at)) {
            // A lower number comes from another supervisor.
            let lost = event.seq.saturating_sub(seq).saturating_sub(1);
            if lost > 0 {
                lock(&self.store).lost(feed.number, HistoryGap { lost, after, before: event.at });
            }
        }
        feed.number
    }

    fn collect(&self, event: &Event) {
        // Formatting an error calls user code, so it is done before a lock is taken.
        let reason = reason(event);
        let feed = self.follow(event);
        let (Some(path), Some(id)) = (&event.task, event.id) else { return };
        let attempt = Attempt { path, id, number: event.attempt.unwrap_or_default() };
        let end =
            |outcome| End { outcome, stop: event.stop.as_ref().map(StopReason::as_label), reason: reason.as_deref() };
        let store = || lock(&self.store);
        match event.kind {
            EventKind::TaskStarting => store().begins(feed, attempt, event.at),
            EventKind::TaskStopped if event.reason.is_none() => {
                store().ends(feed, attempt, event.at, end(AttemptOutcome::Completed));
            }
            EventKind::TaskStopped => store().ends(feed, attempt, event.at, end(AttemptOutcome::Canceled)),
            EventKind::TaskFailed => {
                let outcome = event.error().map_or(AttemptOutcome::Aborted, |error| AttemptOutcome::of(error));
                store().ends(feed, attempt, event.at, end(outcome));
            }
            EventKind::TaskRemoved => store().removed(path, id, event.at),
            EventKind::ControllerSlotTransition => {
                if let Some(slot) = &event.slot {
                    store().enters(id, slot);
                }
            }
            _ => {}
        }
    }
}

/// Returns the reason of the end of an attempt, unless it is the same as the label of the stop request.
fn reason(event: &Event) -> Option<Cow<'_, str>> {
    let is_told = match event.kind {
        EventKind::TaskFailed => true,
        EventKind::TaskStopped => {
            let names = matches!(event.stop, Some(StopReason::SiblingRestart { .. } | StopReason::GroupFailed { .. }));
            names || event.error().is_some()
        }
        _ => false,
    };
    event.reason.as_ref().filter(|_| is_told).map(|reason| cut(reason.as_str(), REASON))
}

#[async_trait]
impl Subscribe for History {
    async fn on_event(&self, event: &Event) {
        self.collect(event);
    }

    fn name(&self) -> &'static str {
        "History"
    }
}

/// A clone has the same content. As a subscriber of a tree, it follows the events of that tree.
impl Clone for History {
    fn clone(&self) -> Self {
        Self { store: Arc::clone(&self.store), feed: Mutex::default() }
    }
}

impl Default for History {
    fn default() -> Self {
        Self::new()
    }
}

/// Formats a line for each entry of each path, and a line for the dropped paths if there are any.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|path| write!(f, "{path}"))?;
        match self.dropped_paths() {
            0 => Ok(()),
            1 => writeln!(f, "1 path dropped"),
            dropped => writeln!(f, "{dropped} paths dropped"),
        }
    }
}

impl_debug!(History, |history| paths: history.paths(), dropped_paths: history.dropped_paths());

impl<'a> IntoIterator for &'a History {
    type Item = PathHistory;
    type IntoIter = Histories<'a>;

    fn into_iter(self) -> Histories<'a> {
        self.iter()
    }
}

/// An iterator over the histories of all paths. [`History::iter`] returns it.
#[must_use = "iterators are lazy"]
pub struct Histories<'a> {
    history: &'a History,
    paths: vec::IntoIter<Arc<str>>,
}

impl Iterator for Histories<'_> {
    type Item = PathHistory;

    fn next(&mut self) -> Option<PathHistory> {
        let history = self.history;
        self.paths.by_ref().map(|path| history.of(&path)).find(|path| !path.entries.is_empty())
    }
}

impl_debug!(Histories<'_>, |histories| left: histories.paths.len());
