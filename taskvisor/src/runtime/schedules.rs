//! The schedules of the tasks of one supervisor, beside their cells: a task without one has no memory for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::core::Core;
use super::task::{Calendar, Cell, Run};
use crate::inspect::now;
use crate::panics::{drop_caught, drop_each};
use crate::policy::{self, ResolvedPolicy};
use crate::sync::lock;
use crate::tree::{Declared, join};

/// The schedules by the path of their tasks.
///
/// The lock is a leaf: nothing else is locked under it, so it cannot deadlock.
#[derive(Debug, Default)]
pub(in crate::runtime) struct Schedules(Mutex<HashMap<Arc<str>, Arc<Line>>>);

/// The schedule of one task, which it keeps when its group starts again.
#[derive(Debug)]
pub(in crate::runtime) struct Line {
    /// What it was made from.
    policy: Arc<ResolvedPolicy>,
    /// How much each run is shifted.
    pub(in crate::runtime) shift: Duration,
    /// The lock is a leaf: nothing else is locked under it, so it cannot deadlock.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    calendar: Calendar,
    /// When the clock was read last.
    read: Instant,
}

impl Line {
    /// Calls `act` with the calendar, and with the time on the clock of the schedule, which its shift sets back.
    pub(in crate::runtime) fn with<T>(&self, act: impl FnOnce(&mut Calendar, i64) -> T) -> T {
        let now = now().checked_sub(self.shift).unwrap_or(UNIX_EPOCH);
        let State { calendar, read } = &mut *lock(&self.state);
        let passed = read.elapsed().as_secs();
        *read += Duration::from_secs(passed);
        calendar.pass(i64::try_from(passed).unwrap_or(i64::MAX));
        act(calendar, policy::seconds(now))
    }

    /// Returns the time of the next run.
    pub(in crate::runtime) fn next_run(&self) -> Option<SystemTime> {
        let next = lock(&self.state).calendar.next()?;
        instant(next.at).checked_add(self.shift)
    }

    fn is_of(&self, policy: &ResolvedPolicy) -> bool {
        let before = &self.policy;
        (&before.cron, &before.zone, before.splay) == (&policy.cron, &policy.zone, policy.splay)
            && (before.missed, before.late) == (policy.missed, policy.late)
    }
}

impl Schedules {
    /// Returns the schedule of a task that is registered; that of the registration before, if it was kept.
    pub(in crate::runtime) fn enter(&self, cell: &Cell) -> Option<Arc<Line>> {
        let policy = cell.policy();
        if let Some(kept) = lock(&self.0).get(cell.name()).filter(|line| line.is_of(policy)) {
            return Some(Arc::clone(kept));
        }
        let shift = policy::shift_of(policy.splay, cell.name(), &cell.core().config);
        let at = policy::seconds(now().checked_sub(shift).unwrap_or(UNIX_EPOCH));
        let last_run = policy.last_run.map(policy::seconds);
        let calendar = Calendar::new(policy.timetable()?, (policy.missed, policy.late), last_run, at);
        let state = Mutex::new(State { calendar, read: Instant::now() });
        let line = Arc::new(Line { policy: Arc::clone(policy), shift, state });
        let before = lock(&self.0).insert(Arc::clone(cell.name()), Arc::clone(&line));
        drop(before);
        Some(line)
    }

    /// Drops the schedule of a task that has ended.
    pub(in crate::runtime) fn leave(&self, path: &str, line: &Arc<Line>) {
        let mut lines = lock(&self.0);
        let is_this = lines.get(path).is_some_and(|other| Arc::ptr_eq(other, line));
        let gone = if is_this { lines.remove(path) } else { None };
        drop(lines);
        drop(gone);
    }

    pub(in crate::runtime) fn get(&self, path: &str) -> Option<Arc<Line>> {
        lock(&self.0).get(path).cloned()
    }
}

impl Cell {
    /// Returns the time of the next run of its schedule.
    pub(in crate::runtime) fn next_run(&self) -> Option<SystemTime> {
        if !self.policy().is_scheduled() {
            return None;
        }
        self.core().schedules.get(self.name())?.next_run()
    }

    /// Returns the time of the schedule that the attempt is for, without the shift.
    pub(crate) fn scheduled_for(&self, attempt: u64) -> Option<SystemTime> {
        let is_current = || {
            let state = self.lock();
            state.machine().attempt == attempt && state.machine().is_alive()
        };
        if !self.policy().is_scheduled() || !is_current() {
            return None;
        }
        let line = self.core().schedules.get(self.name())?;
        match line.with(|calendar, _| calendar.run()) {
            Run::Of(at) => Some(instant(at)),
            Run::Over | Run::Beside => None,
        }
    }
}

impl Core {
    /// Returns the tasks of the tree that have a schedule, with their paths: those that are registered, and those that
    /// are declared and have not started.
    pub(crate) fn scheduled(&self, root: &Arc<Declared>) -> Vec<(Arc<str>, Arc<ResolvedPolicy>)> {
        let mut found: Vec<(Arc<str>, Arc<ResolvedPolicy>)> = Vec::new();
        let cells = self.cells();
        for cell in &cells {
            found.push((Arc::clone(cell.name()), Arc::clone(cell.policy())));
        }
        drop_each(cells);
        let mut open = vec![(Arc::from(""), Arc::clone(root))];
        while let Some((path, group)) = open.pop() {
            for (place, child) in group.children.iter().enumerate() {
                let path = join(&path, &child.name);
                match (&child.group, group.task(place)) {
                    (Some(group), _) => open.push((path, Arc::clone(group))),
                    (None, Some(spec)) if !self.has_started(&path) => {
                        let policy = Arc::new(spec.overrides().resolve(&self.config));
                        found.push((path, policy));
                        let _ = drop_caught(spec);
                    }
                    (None, spec) => {
                        let _ = drop_caught(spec);
                    }
                }
            }
        }
        found.retain(|(_, policy)| policy.is_scheduled());
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        found
    }

    /// Returns `true` if there is or was a task at this place.
    fn has_started(&self, path: &str) -> bool {
        self.place(path).map(drop_caught).is_some()
    }
}

/// Returns the time of these seconds since 1970-01-01T00:00:00Z.
pub(crate) fn instant(seconds: i64) -> SystemTime {
    let time = Duration::from_secs(seconds.unsigned_abs());
    let at = if seconds < 0 { UNIX_EPOCH.checked_sub(time) } else { UNIX_EPOCH.checked_add(time) };
    at.unwrap_or(UNIX_EPOCH)
}
