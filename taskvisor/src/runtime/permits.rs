//! Permits for attempts, where `max_concurrent` or a limit with a name bounds them. Each limit grants its permits in the
//! order of requests.
//!
//! An attempt gets its permits one after another: those of the groups around its task from the inside, then those of
//! the limits with names in the order of their declaration, then that of the supervisor. All attempts follow this one
//! order, so no two of them wait for each other.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::{self, Write as _};
use std::mem;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::time::Instant;

use super::core::Core;
use super::group::GroupRef;
use super::observe;
use super::recheck::Recheck;
use super::task::Cell;
use crate::events::EventKind;
use crate::inspect::{Problem, TaskId, TaskState, WaitingFor, shortened};
use crate::supervisor::{InvalidOption, UNDECLARED_LIMIT};
use crate::sync::{lock, wake_caught};

/// The beginning of the name of a limit with a name.
const NAMED_LIMIT: &str = "limit ";

/// A task that waits for longer causes a warning, and is not ready.
const PATIENCE: Duration = Duration::from_secs(10);

/// The number of holders that a warning names, and the number of characters of each path.
const NAMED: usize = 8;
const PATH: usize = 60;

/// The number of tasks that are warned of at once. Further tasks are only counted.
const WARNED: usize = 16;

/// The limits of a supervisor.
#[derive(Default)]
pub(crate) struct Limits {
    /// The limit of all attempts.
    all: Option<Shared>,
    /// The limits with names, in the order of their declaration.
    named: Vec<(Arc<str>, Shared)>,
    /// Makes the claims of a task. Set if there is any limit, also that of a group.
    claim: OnceLock<Claim>,
    /// The limits with waiting tasks that no warning was published for.
    ///
    /// The lock is a leaf: nothing else is locked, and nothing dropped, under it, so it cannot deadlock.
    watched: Mutex<Watched>,
}

#[derive(Default)]
struct Watched {
    limits: Vec<Shared>,
    /// `true` while a [`Recheck`] finds the tasks that wait for long.
    runs: bool,
}

/// Shared permits of one limit. Their type is hidden, so that a program without a limit does not have the code that
/// drops them.
pub(super) type Shared = Arc<dyn AsRef<Permits> + Send + Sync>;

/// Returns the claims of a task; `None` if no limit bounds it.
type Claim = fn(&Cell) -> Option<Claimed>;

/// The claims of a task, in one word, as each task has room for them.
pub(super) type Claimed = Box<Box<dyn Claims>>;

/// The permits of one limit.
///
/// The lock guards the holders and the queue. It is a leaf: nothing else is locked, woken or dropped under it, so it
/// cannot deadlock.
pub(crate) struct Permits {
    limit: usize,
    /// The limit in words, such as `max_concurrent of store`.
    name: Arc<str>,
    /// Its lock is the leaf above.
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
    /// `true` while the limit is [watched](Limits::watched).
    watched: bool,
}

/// A permit that a task waits for.
#[derive(Debug, Clone)]
pub(super) struct Awaited {
    /// The number of permits of the limit.
    limit: usize,
    /// The limit in words.
    name: Arc<str>,
    /// The tasks that hold the permits, if the task has waited for long: the longest first, and the first few only.
    overdue: Option<Vec<Arc<str>>>,
}

impl Awaited {
    /// Returns the problem of a task that has waited for long.
    pub(super) fn problem(&self) -> Option<Problem> {
        let Self { limit, name, overdue } = self;
        overdue.is_some().then(|| Problem::AwaitsPermit { limit: *limit, name: Arc::clone(name) })
    }

    /// Returns the tasks that hold the permits, if the task has waited for long.
    pub(super) fn holders(&self) -> impl Iterator<Item = &Arc<str>> {
        self.overdue.iter().flatten()
    }

    pub(super) fn waiting_for(&self) -> WaitingFor {
        match self.name.strip_prefix(NAMED_LIMIT) {
            Some(name) => WaitingFor::Limit(name.to_owned()),
            None => WaitingFor::Permit,
        }
    }
}

struct Wait {
    cell: Arc<Cell>,
    since: Instant,
    warned: bool,
    waker: Waker,
}

/// The claims of a task. Dropping them gives them back.
pub(super) trait Claims: Send {
    /// Returns `Ready` once the task has all its permits.
    fn poll(&mut self, cell: &Arc<Cell>, cx: &Context<'_>) -> Poll<()>;

    /// Returns the name of the limit that the task waits for.
    fn awaits(&self) -> Option<Arc<str>>;

    /// Gives the claims back. A released permit goes to the first waiting task.
    fn release(&mut self);
}

/// The claims of a task, from the innermost limit on, each with the ticket under which it waits or holds a permit.
struct Permit {
    permits: Shared,
    ticket: Option<u64>,
    outer: Option<Box<Self>>,
}

/// Checks the limits with names.
pub(super) fn check_limits(limits: &[(Arc<str>, usize)]) -> Result<(), InvalidOption> {
    for (position, (name, limit)) in limits.iter().enumerate() {
        let invalid =
            |option, value, expected| Err(InvalidOption::new(format!("limit `{name}`"), option, value, expected));
        if name.is_empty() {
            return invalid("name", "\"\"", "a name that is not empty");
        }
        if *limit == 0 {
            return invalid("max_concurrent", "0", "at least 1");
        }
        if limits[..position].iter().any(|(earlier, _)| earlier == name) {
            return invalid("name", "declared twice", "one limit of each name");
        }
    }
    Ok(())
}

impl Limits {
    /// Creates the limits of a supervisor. Zero means no limit of all attempts.
    pub(super) fn new(max_concurrent: usize, named: Vec<(Arc<str>, usize)>) -> Self {
        let all = (max_concurrent > 0).then(|| Permits::new(max_concurrent, "max_concurrent".into()));
        let permits = |(name, limit): (Arc<str>, usize)| {
            let permits = Permits::new(limit, format!("{NAMED_LIMIT}{name}").into());
            (name, permits)
        };
        let named: Vec<_> = named.into_iter().map(permits).collect();
        let are_any = all.is_some() || !named.is_empty();
        let claim = if are_any { OnceLock::from(Permit::of_limits as Claim) } else { OnceLock::new() };
        Self { all, named, claim, watched: Mutex::default() }
    }

    /// Returns `true` if attempts may need permits.
    #[inline]
    pub(super) fn are_any(&self) -> bool {
        self.claim.get().is_some()
    }

    /// Returns the claims of a task; `None` if no limit bounds it.
    #[inline]
    pub(super) fn claims_of(&self, cell: &Cell) -> Option<Claimed> {
        self.claim.get().and_then(|claim| claim(cell))
    }

    /// Returns the limits with names, in the order of their declaration.
    pub(super) fn named(&self) -> Vec<(Arc<str>, usize)> {
        self.named.iter().map(|(name, permits)| (Arc::clone(name), (**permits).as_ref().limit)).collect()
    }

    /// Creates the permits of a group.
    pub(super) fn of_group(&self, path: &str, max_concurrent: usize) -> Shared {
        let _ = self.claim.set(Permit::of_limits);
        Permits::new(max_concurrent, format!("max_concurrent of {path}").into())
    }

    /// Checks that a limit of that name was declared.
    pub(super) fn check(&self, subject: impl FnOnce() -> String, name: Option<&Arc<str>>) -> Result<(), InvalidOption> {
        let Some(name) = name else { return Ok(()) };
        if self.named.iter().any(|(known, _)| known == name) {
            return Ok(());
        }
        Err(InvalidOption::new(subject(), "limit", format!("`{name}`"), UNDECLARED_LIMIT))
    }

    /// Returns the tasks that wait for a permit.
    pub(super) fn waiting<'a>(&self, groups: impl Iterator<Item = &'a GroupRef>) -> HashMap<TaskId, Awaited> {
        let mut waiting = HashMap::new();
        if !self.are_any() {
            return waiting;
        }
        let now = Instant::now();
        for permits in self.own().chain(groups.filter_map(|group| group.permits.as_ref())) {
            let permits = (**permits).as_ref();
            let state = lock(&permits.state);
            waiting.extend(state.queue.values().map(|wait| (wait.cell.id(), permits.awaited(wait, &state, now))));
        }
        waiting
    }

    /// Returns the permit that a task waits for.
    pub(super) fn awaited_by(&self, cell: &Cell) -> Option<Awaited> {
        self.find_awaited(cell, |permits, state, wait| permits.awaited(wait, state, Instant::now()))
    }

    /// Returns the tasks that hold the permits for one of which the task waits, the longest first.
    pub(super) fn holders(&self, cell: &Cell) -> Vec<Arc<str>> {
        self.find_awaited(cell, |_, state, _| state.names_of_holders(usize::MAX)).unwrap_or_default()
    }

    fn find_awaited<T>(&self, cell: &Cell, found: impl Fn(&Permits, &State, &Wait) -> T) -> Option<T> {
        if !self.are_any() {
            return None;
        }
        let around = cell.member().into_iter().flat_map(|member| member.group.with_parents());
        self.own().chain(around.filter_map(|group| group.permits.as_ref())).find_map(|permits| {
            let permits = (**permits).as_ref();
            let state = lock(&permits.state);
            let wait = state.queue.values().find(|wait| wait.cell.id() == cell.id())?;
            Some(found(permits, &state, wait))
        })
    }

    /// Returns the permits of the supervisor, and those with names.
    fn own(&self) -> impl Iterator<Item = &Shared> {
        self.all.iter().chain(self.named.iter().map(|(_, permits)| permits))
    }

    /// Watches a limit, for which a task waits. Returns `true` if the check must be spawned.
    fn watch(&self, permits: &Shared) -> bool {
        let mut watched = lock(&self.watched);
        watched.limits.push(Arc::clone(permits));
        !mem::replace(&mut watched.runs, true)
    }

    /// Warns of the tasks that have waited for long. Returns the time of the next warning; `None` if no task waits that
    /// was not warned of.
    fn warn(&self) -> Option<Instant> {
        let limits = mem::take(&mut lock(&self.watched).limits);
        let mut next: Option<Instant> = None;
        for permits in limits {
            let Some(time) = (*permits).as_ref().warn() else { continue };
            next = Some(next.map_or(time, |next| next.min(time)));
            lock(&self.watched).limits.push(permits);
        }
        let mut watched = lock(&self.watched);
        watched.runs = !watched.limits.is_empty();
        // A limit that is watched since needs no warning before this.
        next.or_else(|| watched.runs.then(|| Instant::now() + PATIENCE))
    }

    /// The check was lost. The next waiting task spawns another.
    fn is_unwatched(&self) {
        let mut watched = lock(&self.watched);
        watched.runs = false;
        let limits = mem::take(&mut watched.limits);
        drop(watched);
        for permits in &limits {
            lock(&(**permits).as_ref().state).watched = false;
        }
    }
}

/// Shows the limits with names.
impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.named.iter().map(|(name, permits)| (name, (**permits).as_ref().limit))).finish()
    }
}

impl AsRef<Self> for Permits {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl State {
    /// Returns the first tasks that hold a permit, the longest first.
    fn names_of_holders(&self, most: usize) -> Vec<Arc<str>> {
        self.holders.values().take(most).map(|cell| Arc::clone(cell.name())).collect()
    }
}

impl Permits {
    fn new(limit: usize, name: Arc<str>) -> Shared {
        Arc::new(Self { limit, name, state: Mutex::default() })
    }

    fn awaited(&self, wait: &Wait, state: &State, now: Instant) -> Awaited {
        let (limit, name) = (self.limit, Arc::clone(&self.name));
        let is_overdue = wait.since + PATIENCE <= now;
        Awaited { limit, name, overdue: is_overdue.then(|| state.names_of_holders(NAMED)) }
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
            holders = state.names_of_holders(usize::MAX);
        }
        let next = state.queue.values().find(|wait| !wait.warned).map(|wait| wait.since + PATIENCE);
        state.watched = next.is_some();
        drop(state);
        holders.sort_unstable();
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
fn named(paths: &[Arc<str>]) -> String {
    let mut text: Vec<_> = paths.iter().take(NAMED).map(|path| format!("`{}`", shortened(path, PATH))).collect();
    if paths.len() > NAMED {
        text.push(format!("{} more", paths.len() - NAMED));
    }
    text.join(", ")
}

impl Permit {
    #[cold]
    fn of_limits(cell: &Cell) -> Option<Claimed> {
        let limits = &cell.core().limits;
        let mut names: HashSet<&Arc<str>> = cell.policy().named_limit.iter().collect();
        let mut bounds = Vec::new();
        let mut around = cell.member().map(|member| &member.group);
        while let Some(group) = around {
            bounds.extend(group.permits.as_ref());
            names.extend(group.declared.named_limit());
            around = group.position.as_ref().map(|position| &position.parent);
        }
        #[cfg(feature = "controller")]
        names.extend(cell.slot().and_then(|slot| cell.core().controller.limit_of(slot)));
        let by_name = limits.named.iter().filter(|(name, _)| names.contains(name));
        bounds.extend(by_name.map(|(_, permits)| permits));
        bounds.extend(&limits.all);
        let claim =
            |outer, permits: &Shared| Some(Box::new(Self { permits: Arc::clone(permits), ticket: None, outer }));
        let claims = bounds.into_iter().rev().fold(None, claim)?;
        Some(Box::new(claims))
    }

    fn permits(&self) -> &Permits {
        (*self.permits).as_ref()
    }

    fn poll_own(&mut self, cell: &Arc<Cell>, cx: &Context<'_>) -> Poll<()> {
        let permits = (*self.permits).as_ref();
        let mut state = lock(&permits.state);
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
        if state.holders.len() < permits.limit {
            state.holders.insert(ticket, Arc::clone(cell));
            return Poll::Ready(());
        }
        let (cell, core) = (Arc::clone(cell), cell.core());
        state.queue.insert(ticket, Wait { cell, since: Instant::now(), warned: false, waker: cx.waker().clone() });
        let watched = mem::replace(&mut state.watched, true);
        drop(state);
        if !watched && core.limits.watch(&self.permits) {
            let lost = |core: &Arc<Core>| core.limits.is_unwatched();
            Recheck::spawn(core, "permits", PATIENCE, |core| core.limits.warn(), lost);
        }
        Poll::Pending
    }

    fn release_own(&mut self) {
        let Some(ticket) = self.ticket.take() else { return };
        let mut state = lock(&self.permits().state);
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

impl Claims for Permit {
    fn poll(&mut self, cell: &Arc<Cell>, cx: &Context<'_>) -> Poll<()> {
        let mut claim = Some(self);
        while let Some(next) = claim {
            ready!(next.poll_own(cell, cx));
            claim = next.outer.as_deref_mut();
        }
        Poll::Ready(())
    }

    fn awaits(&self) -> Option<Arc<str>> {
        let mut claim = Some(self);
        while let Some(next) = claim {
            let ticket = next.ticket?;
            let permits = next.permits();
            if lock(&permits.state).queue.contains_key(&ticket) {
                return Some(Arc::clone(&permits.name));
            }
            claim = next.outer.as_deref();
        }
        None
    }

    fn release(&mut self) {
        let mut claim = Some(self);
        while let Some(next) = claim {
            next.release_own();
            claim = next.outer.as_deref_mut();
        }
    }
}

impl Drop for Permit {
    /// Gives the claims back without recursion.
    fn drop(&mut self) {
        self.release_own();
        let mut outer = self.outer.take();
        while let Some(mut next) = outer {
            next.release_own();
            outer = next.outer.take();
        }
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
