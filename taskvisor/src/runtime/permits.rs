//! Permits for attempts, if `max_concurrent` limits them. They are granted in the order of requests.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::mem;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use super::core::Core;
use super::observe;
use super::recheck::Recheck;
use super::task::Cell;
use crate::events::EventKind;
use crate::inspect::{TaskId, TaskState, shortened};
use crate::sync::{lock, wake_caught};

/// A task that waits for longer causes a warning, and is not ready.
const PATIENCE: Duration = Duration::from_secs(10);

/// The number of holders that a warning names, and the number of characters of each path.
const NAMED: usize = 8;
const PATH: usize = 60;

/// The number of tasks that are warned of at once. Further tasks are only counted.
const WARNED: usize = 16;

/// The permits of a supervisor.
///
/// The lock guards the holders and the queue. It is a leaf: nothing else is locked, woken or dropped under it, so it
/// cannot deadlock.
pub(crate) struct Permits {
    pub(super) limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The tasks that hold a permit, by their tickets.
    holders: BTreeMap<u64, Arc<Cell>>,
    /// The waiting tasks by their tickets, which is the order of arrival.
    queue: BTreeMap<u64, Wait>,
    /// The last ticket.
    last: u64,
    /// `true` while a [`Recheck`] finds the tasks that wait for long.
    watched: bool,
}

struct Wait {
    cell: Arc<Cell>,
    since: Instant,
    warned: bool,
    waker: Waker,
}

/// The claim of a task, with the ticket under which it waits or holds a permit. Dropping it gives the claim back.
pub(super) struct Permit {
    permits: Arc<Permits>,
    ticket: Option<u64>,
}

impl Permits {
    /// Returns `None` if there is no limit.
    pub(super) fn new(limit: usize) -> Option<Arc<Self>> {
        (limit > 0).then(|| Arc::new(Self { limit, state: Mutex::default() }))
    }

    /// Returns the tasks that have waited for long.
    pub(super) fn overdue(&self) -> HashSet<TaskId> {
        let now = Instant::now();
        let state = lock(&self.state);
        state.queue.values().filter(|wait| wait.since + PATIENCE <= now).map(|wait| wait.cell.id()).collect()
    }

    /// Warns of the tasks that have waited for long. Returns the time of the next warning; `None` if no task waits that
    /// was not warned of.
    fn warn(&self) -> Option<Instant> {
        let now = Instant::now();
        let (mut overdue, mut holders) = (Vec::new(), Vec::new());
        let mut state = lock(&self.state);
        for wait in state.queue.values_mut().filter(|wait| wait.since + PATIENCE <= now) {
            if !mem::replace(&mut wait.warned, true) {
                overdue.push(Arc::clone(&wait.cell));
            }
        }
        if !overdue.is_empty() {
            holders.extend(state.holders.values().map(|cell| Arc::clone(cell.name())));
        }
        let next = state.queue.values().find(|wait| !wait.warned).map(|wait| wait.since + PATIENCE);
        state.watched = next.is_some();
        drop(state);
        holders.sort_unstable();
        let permits = if self.limit == 1 { "the only permit".into() } else { format!("one of {} permits", self.limit) };
        let (time, held_by) = (PATIENCE.as_secs(), named(&holders));
        let mut reason = format!("waits for {permits} (max_concurrent) for {time} s; held by {held_by}");
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
fn named(paths: &[Arc<str>]) -> String {
    let mut text: Vec<_> = paths.iter().take(NAMED).map(|path| format!("`{}`", shortened(path, PATH))).collect();
    if paths.len() > NAMED {
        text.push(format!("{} more", paths.len() - NAMED));
    }
    text.join(", ")
}

impl Permit {
    pub(super) fn of(cell: &Cell) -> Option<Box<Self>> {
        let permits = cell.core().permits.as_ref()?;
        Some(Box::new(Self { permits: Arc::clone(permits), ticket: None }))
    }

    /// Returns `Ready` once the task has a permit.
    pub(super) fn poll(&mut self, cell: &Arc<Cell>, cx: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.permits.state);
        if let Some(ticket) = &self.ticket {
            let Some(wait) = state.queue.get_mut(ticket) else { return Poll::Ready(()) };
            // The waker of an actor always comes from Tokio.
            let before = (!wait.waker.will_wake(cx.waker())).then(|| mem::replace(&mut wait.waker, cx.waker().clone()));
            drop(state);
            drop(before);
            return Poll::Pending;
        }
        state.last += 1;
        let ticket = *self.ticket.insert(state.last);
        if state.holders.len() < self.permits.limit {
            state.holders.insert(ticket, Arc::clone(cell));
            return Poll::Ready(());
        }
        let (cell, core) = (Arc::clone(cell), cell.core());
        state.queue.insert(ticket, Wait { cell, since: Instant::now(), warned: false, waker: cx.waker().clone() });
        let watched = mem::replace(&mut state.watched, true);
        drop(state);
        if !watched {
            // After a lost check, the next waiting task spawns another.
            let lost = |core: &Core| core.permits.iter().for_each(|permits| lock(&permits.state).watched = false);
            Recheck::spawn(core, "permits", PATIENCE, |core| core.permits.as_ref()?.warn(), lost);
        }
        Poll::Pending
    }

    /// Gives the claim back. A released permit goes to the first waiting task.
    pub(super) fn release(&mut self) {
        let Some(ticket) = self.ticket.take() else { return };
        let mut state = lock(&self.permits.state);
        let (waited, held) = (state.queue.remove(&ticket), state.holders.remove(&ticket));
        let next = if held.is_some() { state.queue.pop_first() } else { None };
        let waker = next.map(|(ticket, Wait { cell, waker, .. })| {
            state.holders.insert(ticket, cell);
            waker
        });
        drop(state);
        if let Some(waker) = waker {
            wake_caught(waker);
        }
        drop((waited, held));
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.release();
    }
}

impl Cell {
    /// Publishes a warning if the task still waits.
    fn warn_pending(&self, reason: &str) -> bool {
        let state = self.lock();
        let is_pending = state.machine().state() == TaskState::Pending;
        let bus = &self.core().bus;
        if is_pending && bus.is_active() {
            bus.publish(self.event(EventKind::Warning).because(reason.to_owned()));
        }
        is_pending
    }
}
