//! How many attempts may run at once, if that is limited: first come, first served, and who holds the permits.

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

/// A task that waits for longer is warned of, and is not ready.
const PATIENCE: Duration = Duration::from_secs(10);

/// So many holders are named in a warning, and so many characters of each path.
const NAMED: usize = 8;
const PATH: usize = 60;

/// So many tasks are warned of at once; of more it is said how many there are.
const WARNED: usize = 16;

/// The permits of a supervisor.
///
/// The lock is a leaf: under it nothing else is locked, woken or dropped.
pub(crate) struct Permits {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Those that hold a permit, and those that wait for one, by the place that they know.
    seats: Vec<Option<Seat>>,
    free: Vec<usize>,
    /// How many hold one.
    held: usize,
    /// The places of those that wait, by the order of their arrival.
    queue: BTreeMap<u64, usize>,
    last: u64,
    /// Somebody looks for those that wait for long.
    watched: bool,
}

struct Seat {
    cell: Arc<Cell>,
    /// It waits; otherwise it holds a permit.
    wait: Option<Wait>,
}

struct Wait {
    ticket: u64,
    since: Instant,
    warned: bool,
    waker: Waker,
}

/// What a task has of the permits: nothing, a place in the queue, or a permit. Given back when this is dropped.
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
    /// `None` where there is no limit.
    pub(super) fn new(limit: usize) -> Option<Arc<Self>> {
        (limit > 0).then(|| Arc::new(Self { limit, state: Mutex::default() }))
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// The tasks that have waited for long.
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
            // The waker of an actor is Tokio's, whichever the runtime.
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
        let place = state.sit(Seat { cell: Arc::clone(cell), wait: Some(wait) });
        state.queue.insert(ticket, place);
        *seat = Some(place);
        let watched = mem::replace(&mut state.watched, true);
        drop(state);
        if !watched {
            Watch::spawn(cell.core());
        }
        Poll::Pending
    }

    /// Gives a permit back, or a place in the queue up. The permit goes to the first that waits.
    fn leave(&self, place: usize) {
        let mut state = lock(&self.state);
        let Some(seat) = state.seats[place].take() else { return };
        state.free.push(place);
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

    /// When the next is to be warned of; `None` where nobody waits without having been warned of, and nobody looks any
    /// more.
    fn next_warning(&self) -> Option<Instant> {
        let mut state = lock(&self.state);
        let waits = state.queue.values().filter_map(|seat| state.seats[*seat].as_ref()?.wait.as_ref());
        let next = waits.filter(|wait| !wait.warned).map(|wait| wait.since).min();
        state.watched = next.is_some();
        next.map(|since| since + PATIENCE)
    }

    /// Those that are to be warned of now, and what holds them up.
    fn take_overdue(&self) -> (Vec<Overdue>, Vec<Arc<str>>) {
        let now = Instant::now();
        let (mut overdue, mut others) = (Vec::<Overdue>::new(), 0);
        let mut state = lock(&self.state);
        let State { seats, queue, .. } = &mut *state;
        for place in queue.values() {
            let Some(Seat { cell, wait: Some(wait) }) = &mut seats[*place] else { continue };
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
        if let Some(place) = self.free.pop() {
            self.seats[place] = Some(seat);
            return place;
        }
        self.seats.push(Some(seat));
        self.seats.len() - 1
    }

    /// Gives back the memory of many, once all are gone.
    fn shrink(&mut self) -> Option<(Vec<Option<Seat>>, Vec<usize>)> {
        const KEPT: usize = 64;
        let is_large = self.seats.len() > KEPT && self.free.len() == self.seats.len();
        is_large.then(|| (mem::take(&mut self.seats), mem::take(&mut self.free)))
    }
}

/// The first of some paths, and how many more there are.
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

    /// Ready once the task has a permit.
    pub(super) fn poll(&mut self, cell: &Arc<Cell>, cx: &Context<'_>) -> Poll<()> {
        if !self.held {
            self.held = self.permits.poll(&mut self.seat, cell, cx).is_ready();
        }
        if self.held { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Gives the permit back, or the place in the queue up.
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
    /// Warns that the task waits, if it still does.
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

/// Looks for tasks that wait for long, as long as any wait.
struct Watch {
    core: Weak<Core>,
    is_over: bool,
}

impl Watch {
    /// On the runtime of the caller, an actor.
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
    /// With its runtime: the next that waits finds nobody who looks.
    fn drop(&mut self) {
        if let Some(permits) = self.permits().filter(|_| !self.is_over) {
            lock(&permits.state).watched = false;
        }
    }
}
