//! Permits for attempts, if `max_concurrent` limits them. They are granted in the order of requests.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::mem;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

use super::core::Core;
use super::observe::{self, Background};
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
/// The lock guards the seats and the queue. It is a leaf: nothing else is locked, woken or dropped under it, so it
/// cannot deadlock.
pub(crate) struct Permits {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The tasks that hold a permit or wait for one. Each task knows the index of its seat.
    seats: Vec<Option<Seat>>,
    free: Vec<usize>,
    /// The number of granted permits.
    held: usize,
    /// The seats of waiting tasks, in the order of arrival.
    queue: BTreeMap<u64, usize>,
    last: u64,
    /// `true` while a [`Watch`] checks for tasks that wait for long.
    watched: bool,
}

struct Seat {
    cell: Arc<Cell>,
    /// The wait, or `None` if the task holds a permit.
    wait: Option<Wait>,
}

struct Wait {
    ticket: u64,
    since: Instant,
    warned: bool,
    waker: Waker,
}

/// The claim of a task: nothing, a seat in the queue, or a permit. Dropping it gives the claim back.
pub(super) struct Permit {
    permits: Arc<Permits>,
    seat: Option<usize>,
    held: bool,
}

/// A task that has waited for long.
struct Overdue {
    cell: Arc<Cell>,
    others: usize,
}

impl Permits {
    /// Returns `None` if there is no limit.
    pub(super) fn new(limit: usize) -> Option<Arc<Self>> {
        (limit > 0).then(|| Arc::new(Self { limit, state: Mutex::default() }))
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Returns the tasks that have waited for long.
    pub(super) fn overdue(&self) -> HashSet<TaskId> {
        let now = Instant::now();
        let state = lock(&self.state);
        let waiting = state.queue.values().filter_map(|seat| state.seats[*seat].as_ref());
        let overdue = waiting.filter(|seat| seat.wait.as_ref().is_some_and(|wait| wait.since + PATIENCE <= now));
        overdue.map(|seat| seat.cell.id()).collect()
    }

    fn poll(&self, seat: &mut Option<usize>, cell: &Arc<Cell>, cx: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.state);
        if let Some(wait) = seat.and_then(|seat| state.seats[seat].as_mut()).map(|seat| &mut seat.wait) {
            let Some(wait) = wait else { return Poll::Ready(()) };
            // The waker of an actor always comes from Tokio.
            let before = (!wait.waker.will_wake(cx.waker())).then(|| mem::replace(&mut wait.waker, cx.waker().clone()));
            drop(state);
            drop(before);
            return Poll::Pending;
        }
        if state.held < self.limit {
            state.held += 1;
            *seat = Some(state.sit(Seat { cell: Arc::clone(cell), wait: None }));
            return Poll::Ready(());
        }
        state.last += 1;
        let ticket = state.last;
        let wait = Wait { ticket, since: Instant::now(), warned: false, waker: cx.waker().clone() };
        let index = state.sit(Seat { cell: Arc::clone(cell), wait: Some(wait) });
        state.queue.insert(ticket, index);
        *seat = Some(index);
        let watched = mem::replace(&mut state.watched, true);
        drop(state);
        if !watched {
            Watch::spawn(cell.core());
        }
        Poll::Pending
    }

    /// Releases a permit or a seat in the queue. A released permit goes to the first waiting task.
    fn leave(&self, index: usize) {
        let mut state = lock(&self.state);
        let Some(seat) = state.seats[index].take() else { return };
        state.free.push(index);
        let mut next = None;
        if let Some(wait) = &seat.wait {
            state.queue.remove(&wait.ticket);
        } else if let Some((_, first)) = state.queue.pop_first() {
            next = state.seats[first].as_mut().and_then(|seat| seat.wait.take());
        } else {
            state.held -= 1;
        }
        let emptied = state.shrink();
        drop(state);
        if let Some(wait) = next {
            wake_caught(wait.waker);
        }
        drop((seat, emptied));
    }

    /// Returns the time of the next warning. `None` if no task waits that was not warned of; the watch then ends.
    fn next_warning(&self) -> Option<Instant> {
        let mut state = lock(&self.state);
        let waits = state.queue.values().filter_map(|seat| state.seats[*seat].as_ref()?.wait.as_ref());
        let next = waits.filter(|wait| !wait.warned).map(|wait| wait.since).min();
        state.watched = next.is_some();
        next.map(|since| since + PATIENCE)
    }

    /// Returns the tasks to warn of now, and the holders of the permits.
    fn take_overdue(&self) -> (Vec<Overdue>, Vec<Arc<str>>) {
        let now = Instant::now();
        let (mut overdue, mut others) = (Vec::<Overdue>::new(), 0);
        let mut state = lock(&self.state);
        let State { seats, queue, .. } = &mut *state;
        for index in queue.values() {
            let Some(Seat { cell, wait: Some(wait) }) = &mut seats[*index] else { continue };
            if wait.since + PATIENCE > now || mem::replace(&mut wait.warned, true) {
                continue;
            }
            if overdue.len() < WARNED {
                overdue.push(Overdue { cell: Arc::clone(cell), others: 0 });
            } else {
                others += 1;
            }
        }
        if let Some(last) = overdue.last_mut() {
            last.others = others;
        }
        let holders =
            seats.iter().flatten().filter(|seat| seat.wait.is_none()).map(|seat| Arc::clone(seat.cell.name()));
        let holders = if overdue.is_empty() { Vec::new() } else { holders.collect() };
        (overdue, holders)
    }

    /// Warns of the tasks that have waited for long.
    fn warn(&self) {
        let (overdue, mut holders) = self.take_overdue();
        holders.sort_unstable();
        let held_by = named(&holders);
        for Overdue { cell, others } in overdue {
            let permits =
                if self.limit == 1 { "the only permit".into() } else { format!("one of {} permits", self.limit) };
            let mut reason =
                format!("waits for {permits} (max_concurrent) for {} s; held by {held_by}", PATIENCE.as_secs());
            if others > 0 {
                // Writing to a string cannot fail.
                let _ = write!(reason, "; {others} more tasks wait as long");
            }
            if cell.warn_pending(&reason) {
                observe::warned(cell.name(), Some(cell.id()), &reason);
            }
        }
    }
}

impl State {
    fn sit(&mut self, seat: Seat) -> usize {
        if let Some(index) = self.free.pop() {
            self.seats[index] = Some(seat);
            return index;
        }
        self.seats.push(Some(seat));
        self.seats.len() - 1
    }

    /// Frees the memory of many seats once all are empty.
    fn shrink(&mut self) -> Option<(Vec<Option<Seat>>, Vec<usize>)> {
        const KEPT: usize = 64;
        let is_large = self.seats.len() > KEPT && self.free.len() == self.seats.len();
        is_large.then(|| (mem::take(&mut self.seats), mem::take(&mut self.free)))
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
        Some(Box::new(Self { permits: Arc::clone(permits), seat: None, held: false }))
    }

    /// Returns `Ready` once the task has a permit.
    pub(super) fn poll(&mut self, cell: &Arc<Cell>, cx: &Context<'_>) -> Poll<()> {
        if !self.held {
            self.held = self.permits.poll(&mut self.seat, cell, cx).is_ready();
        }
        if self.held { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Releases the permit, or the seat in the queue.
    pub(super) fn release(&mut self) {
        self.held = false;
        if let Some(seat) = self.seat.take() {
            self.permits.leave(seat);
        }
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

/// Checks for tasks that wait for long, while any task waits.
struct Watch {
    core: Weak<Core>,
    is_over: bool,
}

impl Watch {
    /// Spawns the watch on the runtime of the caller, which is an actor.
    fn spawn(core: &Arc<Core>) {
        let watch = Self { core: Arc::downgrade(core), is_over: false };
        let Ok(runtime) = Handle::try_current() else { return };
        let watching: Background = Box::pin(watch.run());
        observe::spawn(&runtime, watching, |_| "permits".into());
    }

    fn permits(&self) -> Option<Arc<Permits>> {
        self.core.upgrade()?.permits.clone()
    }

    async fn run(mut self) {
        while let Some(next) = self.permits().and_then(|permits| permits.next_warning()) {
            sleep_until(next).await;
            if let Some(permits) = self.permits() {
                permits.warn();
            }
        }
        self.is_over = true;
    }
}

impl Drop for Watch {
    /// If the runtime ends, the next waiting task spawns a new watch.
    fn drop(&mut self) {
        if let Some(permits) = self.permits().filter(|_| !self.is_over) {
            lock(&permits.state).watched = false;
        }
    }
}
