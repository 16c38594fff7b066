//! The permits of one limit: the tasks that hold them, and the tasks that wait.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::mem;
use std::sync::{Arc, Mutex};
use std::task::Waker;

use tokio::time::Instant;

use super::super::observe;
use super::super::task::Cell;
use super::{Limits, NAMED_LIMIT, PATIENCE, Shared};
use crate::inspect::{Problem, WaitingFor, shortened};
use crate::sorting::sort_by_text;
use crate::sync::lock;

/// The number of holders that a warning names.
const NAMED: usize = 8;

/// The number of characters of each path in a warning.
const PATH: usize = 60;

/// The number of tasks that get a warning at the same time. Further tasks are only counted.
const WARNED: usize = 16;

/// The permits of one limit.
///
/// The lock guards the holders and the queue. It is a leaf: nothing else is locked, woken or dropped under it, so it
/// cannot deadlock.
pub(crate) struct Permits {
    pub(super) limit: usize,
    /// The limit in words, such as `max_concurrent of store`.
    pub(super) name: Arc<str>,
    /// The state under the lock.
    pub(super) state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// The tasks that hold a permit, by their tickets.
    pub(super) holders: BTreeMap<u64, Arc<Cell>>,
    /// The waiting tasks by their tickets, which is the order of arrival.
    pub(super) queue: BTreeMap<u64, Wait>,
    /// The last ticket.
    pub(super) last: u64,
    /// `true` while the limit is [watched](Limits::watched).
    pub(super) watched: bool,
}

/// A permit that a task waits for.
#[derive(Debug, Clone)]
pub(in crate::runtime) struct Awaited {
    /// The number of permits of the limit.
    limit: usize,
    /// The limit in words.
    name: Arc<str>,
    /// The first few tasks that hold the permits, the longest holder first. `None` if the task has not waited for long.
    overdue: Option<Vec<Arc<str>>>,
}

impl Awaited {
    /// Returns the problem of a task that has waited for long.
    pub(in crate::runtime) fn problem(&self) -> Option<Problem> {
        let Self { limit, name, overdue } = self;
        overdue.is_some().then(|| Problem::AwaitsPermit { limit: *limit, name: Arc::clone(name) })
    }

    /// Returns the tasks that hold the permits, if the task has waited for long.
    pub(in crate::runtime) fn holders(&self) -> impl Iterator<Item = &Arc<str>> {
        self.overdue.iter().flatten()
    }

    pub(in crate::runtime) fn waiting_for(&self) -> WaitingFor {
        match self.name.strip_prefix(NAMED_LIMIT) {
            Some(name) => WaitingFor::Limit(name.to_owned()),
            None => WaitingFor::Permit,
        }
    }
}

pub(super) struct Wait {
    pub(super) cell: Arc<Cell>,
    pub(super) since: Instant,
    pub(super) warned: bool,
    pub(super) waker: Waker,
}

impl Limits {
    /// Returns the named limits, in the order of their declaration.
    pub(in crate::runtime) fn named(&self) -> Vec<(Arc<str>, usize)> {
        self.named.iter().map(|(name, permits)| (Arc::clone(name), (**permits).as_ref().limit)).collect()
    }
}

impl AsRef<Self> for Permits {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl State {
    /// Returns the first tasks that hold a permit, the longest holder first.
    pub(super) fn names_of_holders(&self, most: usize) -> Vec<Arc<str>> {
        self.holders.values().take(most).map(|cell| Arc::clone(cell.name())).collect()
    }
}

impl Permits {
    pub(super) fn new(limit: usize, name: Arc<str>) -> Shared {
        Arc::new(Self { limit, name, state: Mutex::default() })
    }

    pub(super) fn awaited(&self, wait: &Wait, state: &State, now: Instant) -> Awaited {
        let (limit, name) = (self.limit, Arc::clone(&self.name));
        let is_overdue = wait.since + PATIENCE <= now;
        Awaited { limit, name, overdue: is_overdue.then(|| state.names_of_holders(NAMED)) }
    }

    /// Warns of the tasks that have waited for long. Returns the time of the next warning; `None` if there was a
    /// warning for every waiting task.
    pub(super) fn warn(&self) -> Option<Instant> {
        let now = Instant::now();
        let (mut overdue, mut holders) = (Vec::new(), Vec::new());
        let mut state = lock(&self.state);
        for wait in state.queue.values_mut().filter(|wait| wait.since + PATIENCE <= now) {
            if !mem::replace(&mut wait.warned, true) {
                overdue.push(Arc::clone(&wait.cell));
            }
        }
        if !overdue.is_empty() {
            holders = state.names_of_holders(usize::MAX);
        }
        let next = state.queue.values().find(|wait| !wait.warned).map(|wait| wait.since + PATIENCE);
        state.watched = next.is_some();
        drop(state);
        sort_by_text(&mut holders, |name| name);
        let permits = if self.limit == 1 { "the only permit".into() } else { format!("one of {} permits", self.limit) };
        let (time, held_by) = (PATIENCE.as_secs(), named(&holders));
        let mut reason = format!("waits for {permits} ({}) for {time} s; held by {held_by}", self.name);
        let (warned, others) = overdue.split_at(overdue.len().min(WARNED));
        for (index, cell) in warned.iter().enumerate() {
            if index + 1 == warned.len() && !others.is_empty() {
                // Writing to a string cannot fail.
                let _ = write!(reason, "; {} more tasks wait as long", others.len());
            }
            if cell.warn_pending(&reason) {
                observe::warned(cell.name(), Some(cell.id()), &reason);
            }
        }
        next
    }
}

/// Formats the first paths, and the number of the others.
pub(super) fn named(paths: &[Arc<str>]) -> String {
    let mut text: Vec<_> = paths.iter().take(NAMED).map(|path| format!("`{}`", shortened(path, PATH))).collect();
    if paths.len() > NAMED {
        text.push(format!("{} more", paths.len() - NAMED));
    }
    text.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c08_the_first_holders_are_named_and_the_others_counted() {
        let paths: Vec<Arc<str>> = (0..=NAMED).map(|number| number.to_string().into()).collect();
        assert_eq!(named(&paths[..2]), "`0`, `1`");
        assert_eq!(named(&paths[..NAMED]), "`0`, `1`, `2`, `3`, `4`, `5`, `6`, `7`");
        assert_eq!(named(&paths), "`0`, `1`, `2`, `3`, `4`, `5`, `6`, `7`, 1 more");
    }

    #[test]
    fn c08_a_check_ends_with_the_last_wait() {
        let limits = Limits::new(1, Vec::new());
        let permits = Permits::new(1, "a".into());
        assert!(limits.watch(&permits), "the check is spawned");
        assert!(!limits.watch(&permits), "it runs");
        assert_eq!(limits.warn(), None, "nobody waits");
        assert!(limits.watch(&permits), "it has ended");
    }
}
