//! Permits for attempts that `max_concurrent` or a named limit bounds. Each limit grants its permits in the order of
//! requests.
//!
//! An attempt acquires its permits one after another: those of the groups around its task from the inner to the outer,
//! then those of the named limits in the order of their declaration, then that of the supervisor. All attempts use this
//! order, so no two of them deadlock.

mod claim;
mod queue;

pub(in crate::runtime) use self::claim::Claims;
pub(in crate::runtime) use self::queue::Awaited;
pub(crate) use self::queue::Permits;

use std::collections::HashMap;
use std::fmt::{self};
use std::mem;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use self::claim::Permit;
use self::queue::{State, Wait};
use super::group::GroupRef;
use super::task::Cell;
use crate::events::EventKind;
use crate::inspect::{TaskId, TaskState};
use crate::supervisor::{InvalidOption, UNDECLARED_LIMIT};
use crate::sync::lock;

/// The prefix of the description of a named limit.
const NAMED_LIMIT: &str = "limit ";

/// The time after which a task that waits for a permit causes a warning, and is not ready.
const PATIENCE: Duration = Duration::from_secs(10);

/// The limits of a supervisor.
#[derive(Default)]
pub(crate) struct Limits {
    /// The limit of all attempts.
    all: Option<Shared>,
    /// The named limits, in the order of their declaration.
    named: Vec<(Arc<str>, Shared)>,
    /// Creates the claims of a task. Set if there is any limit, including those of groups.
    claim: OnceLock<Claim>,
    /// The limits with waiting tasks for which no warning was published.
    ///
    /// The lock is a leaf: nothing else is locked, and nothing dropped, under it, so it cannot deadlock.
    watched: Mutex<Watched>,
}

#[derive(Default)]
struct Watched {
    limits: Vec<Shared>,
    /// `true` while a [`Recheck`] runs that warns of tasks that wait for long.
    runs: bool,
}

/// Shared permits of one limit. The type is hidden, so that a program without a limit does not contain its drop glue.
pub(super) type Shared = Arc<dyn AsRef<Permits> + Send + Sync>;

/// Returns the claims of a task; `None` if no limit bounds it.
type Claim = fn(&Cell) -> Option<Claimed>;

/// The claims of a task, in one word, because every actor has a field for them.
pub(super) type Claimed = Box<Box<dyn Claims>>;

/// Checks the named limits.
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
    /// Creates the limits of a supervisor. `max_concurrent` is the limit of all attempts; zero means none.
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

    /// Returns the tasks that hold the permits of the limit that the task waits for, the longest holder first.
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

    /// Returns the permits of the supervisor, and those of the named limits.
    fn own(&self) -> impl Iterator<Item = &Shared> {
        self.all.iter().chain(self.named.iter().map(|(_, permits)| permits))
    }

    /// Adds a limit with a waiting task to the watched limits. Returns `true` if the check must be spawned.
    fn watch(&self, permits: &Shared) -> bool {
        let mut watched = lock(&self.watched);
        watched.limits.push(Arc::clone(permits));
        !mem::replace(&mut watched.runs, true)
    }

    /// Warns of the tasks that have waited for long. Returns the time of the next warning; `None` if there was a
    /// warning for every waiting task.
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
        // A limit that was added in the meantime needs no earlier warning.
        next.or_else(|| watched.runs.then(|| Instant::now() + PATIENCE))
    }

    /// Records that the check was lost. The next waiting task spawns another.
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

/// Shows the named limits.
impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.named.iter().map(|(name, permits)| (name, (**permits).as_ref().limit))).finish()
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
