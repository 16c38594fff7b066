//! The schedules of the tasks of one supervisor. They are not in the cells, so that a task without a schedule uses no
//! memory for one.

use std::collections::{BTreeMap, HashMap};
use std::mem;
#[cfg(feature = "fleet")]
use std::sync::OnceLock;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::core::Core;
#[cfg(feature = "fleet")]
use super::fleet::StoreClock;
use super::task::{Calendar, Cell, Run};
use crate::inspect::{TaskId, now};
use crate::panics::{drop_caught, drop_each};
use crate::policy::{self, ResolvedPolicy};
use crate::sync::lock;
use crate::tree::{Declared, join};

/// The schedules by the path of their tasks.
///
/// Only the locks of lines, which are leaves, are taken under this lock, so it cannot deadlock.
#[derive(Debug, Default)]
pub(in crate::runtime) struct Schedules(Mutex<Lines>);

/// The schedules of declared and of added tasks. A declared task that has ended keeps its schedule, and a task that was
/// added at its path has its own.
#[derive(Debug, Default)]
struct Lines {
    declared: HashMap<Arc<str>, Arc<Line>>,
    added: HashMap<Arc<str>, Arc<Line>>,
}

impl Lines {
    fn of(&mut self, cell: &Cell) -> &mut HashMap<Arc<str>, Arc<Line>> {
        if cell.was_added() { &mut self.added } else { &mut self.declared }
    }
}

/// The schedule of one task. It is kept when the group of the task starts again.
#[derive(Debug)]
pub(in crate::runtime) struct Line {
    /// The policy from which the schedule was made.
    policy: Arc<ResolvedPolicy>,
    /// The shift of each run.
    pub(in crate::runtime) shift: Duration,
    /// The clock of the fleet, once the task has owned its lease.
    #[cfg(feature = "fleet")]
    clock: OnceLock<Arc<StoreClock>>,
    /// The lock is a leaf: nothing else is locked under it, so it cannot deadlock.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    calendar: Calendar,
    /// The time at which the clock was last read.
    read: Instant,
    /// The current or last registration of the task.
    owner: TaskId,
    /// `true` if that registration was ended by name: runs that are due since then are not made up for.
    starts_anew: bool,
}

impl Line {
    /// Calls `act` with the calendar and the time on the clock of the schedule, minus the shift.
    pub(in crate::runtime) fn with<T>(&self, act: impl FnOnce(&mut Calendar, i64) -> T) -> T {
        let now = self.on_its_clock(now()).checked_sub(self.shift).unwrap_or(UNIX_EPOCH);
        let State { calendar, read, .. } = &mut *lock(&self.state);
        let passed = read.elapsed().as_secs();
        *read += Duration::from_secs(passed);
        calendar.pass(i64::try_from(passed).unwrap_or(i64::MAX));
        act(calendar, policy::seconds(now))
    }

    /// Returns the time of the first run that has not begun. It may already be due.
    pub(in crate::runtime) fn next_run(&self) -> Option<SystemTime> {
        let next = lock(&self.state).calendar.next()?;
        self.at(next.at)
    }

    /// Returns the time of the first run that is not due, for display.
    fn upcoming(&self) -> Option<SystemTime> {
        /// Smaller differences between the clocks are not shown, because the clocks are read one after another, and the
        /// store answers with a delay.
        const SAME: Duration = Duration::from_secs(1);
        let next = self.with(|calendar, now| calendar.upcoming(now))?;
        let here = self.at(next.at)?;
        let planned = instant(next.at).checked_add(self.shift)?;
        let apart = here.duration_since(planned).unwrap_or_else(|earlier| earlier.duration());
        Some(if apart < SAME { planned } else { here })
    }

    fn at(&self, scheduled: i64) -> Option<SystemTime> {
        let at = instant(scheduled).checked_add(self.shift)?;
        #[cfg(feature = "fleet")]
        if let Some(clock) = self.clock.get() {
            // Converts to the clock of this host, as if it were not set until then.
            let (here, there) = (now(), clock.now());
            return match at.duration_since(there) {
                Ok(ahead) => here.checked_add(ahead),
                Err(behind) => here.checked_sub(behind.duration()),
            };
        }
        Some(at)
    }

    /// Returns the time on the clock of the fleet, or `now` without a fleet.
    #[cfg_attr(not(feature = "fleet"), expect(clippy::unused_self, reason = "there is one clock"))]
    fn on_its_clock(&self, now: SystemTime) -> SystemTime {
        #[cfg(feature = "fleet")]
        let now = self.clock.get().map_or(now, |clock| clock.now());
        now
    }

    /// Continues the schedule of the fleet, because the task has become the owner.
    #[cfg(feature = "fleet")]
    pub(in crate::runtime) fn take_over(&self, last: Option<i64>, clock: &Arc<StoreClock>) {
        let before = self.on_its_clock(now());
        let clock = self.clock.get_or_init(|| Arc::clone(clock));
        // A `last_run` that the program has stored was not read from the clock of this host.
        let is_stored = self.policy.last_run.is_some();
        let moved = if is_stored { 0 } else { policy::seconds(before).saturating_sub(policy::seconds(clock.now())) };
        self.with(|calendar, now| calendar.take_over(last, moved, now));
    }

    /// Records that the registration was ended by name.
    pub(in crate::runtime) fn starts_anew(&self) {
        lock(&self.state).starts_anew = true;
    }

    fn is_owned_by(&self, cell: &Cell) -> bool {
        lock(&self.state).owner == cell.id()
    }

    /// Continues the schedule with this registration.
    fn passes_to(&self, cell: &Cell) {
        let starts_anew = {
            let mut state = lock(&self.state);
            state.owner = cell.id();
            mem::take(&mut state.starts_anew)
        };
        if starts_anew {
            self.with(Calendar::start_anew);
        }
    }

    fn is_of(&self, policy: &ResolvedPolicy) -> bool {
        let before = &self.policy;
        #[cfg(feature = "fleet")]
        if (&before.singleton, before.every) != (&policy.singleton, policy.every) {
            return false;
        }
        (&before.cron, &before.zone, before.splay) == (&policy.cron, &policy.zone, policy.splay)
            && (before.missed, before.late) == (policy.missed, policy.late)
    }
}

impl Schedules {
    /// Returns the schedule of a task that is registered: that of the previous registration if it was kept, or a new
    /// one.
    pub(in crate::runtime) fn enter(&self, cell: &Cell) -> Option<Arc<Line>> {
        let policy = cell.policy();
        let is_kept = |line: &Line| if cell.was_added() { line.is_owned_by(cell) } else { line.is_of(policy) };
        let kept = lock(&self.0).of(cell).get(cell.name()).filter(|line| is_kept(line)).cloned();
        if let Some(kept) = kept {
            kept.passes_to(cell);
            return Some(kept);
        }
        let shift = policy::shift_of(policy.splay, cell.name(), &cell.core().config);
        let at = policy::seconds(now().checked_sub(shift).unwrap_or(UNIX_EPOCH));
        let last_run = policy.last_run.map(policy::seconds);
        let calendar = Calendar::new(policy.timetable()?, (policy.missed, policy.late), last_run, at);
        let state = State { calendar, read: Instant::now(), owner: cell.id(), starts_anew: false };
        let line = Arc::new(Line {
            policy: Arc::clone(policy),
            shift,
            #[cfg(feature = "fleet")]
            clock: OnceLock::new(),
            state: Mutex::new(state),
        });
        let before = lock(&self.0).of(cell).insert(Arc::clone(cell.name()), Arc::clone(&line));
        drop(before);
        Some(line)
    }

    /// Continues the schedule of an added task that is registered again with its group.
    pub(in crate::runtime) fn hand_on(&self, before: &Cell, cell: &Cell) {
        if let Some(line) = self.get(before).filter(|line| line.is_owned_by(before)) {
            line.passes_to(cell);
        }
    }

    /// Drops the schedule of a task that has ended and is not registered again.
    pub(in crate::runtime) fn leave(&self, cell: &Cell) {
        let mut lines = lock(&self.0);
        let of_its_kind = lines.of(cell);
        let is_its_own = of_its_kind.get(cell.name()).is_some_and(|line| line.is_owned_by(cell));
        let gone = if is_its_own { of_its_kind.remove(cell.name()) } else { None };
        drop(lines);
        drop(gone);
    }

    pub(in crate::runtime) fn get(&self, cell: &Cell) -> Option<Arc<Line>> {
        lock(&self.0).of(cell).get(cell.name()).cloned()
    }
}

impl Cell {
    /// Returns the time of the next run of the schedule that is not due.
    pub(in crate::runtime) fn next_run(&self) -> Option<SystemTime> {
        self.line()?.upcoming()
    }

    /// Returns the time of the next run of the schedule. It may already be due.
    pub(in crate::runtime) fn next_run_or_due(&self) -> Option<SystemTime> {
        self.line()?.next_run()
    }

    fn line(&self) -> Option<Arc<Line>> {
        if self.policy().is_scheduled() { self.core().schedules.get(self) } else { None }
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
        let line = self.core().schedules.get(self)?;
        match line.with(|calendar, _| calendar.run()) {
            Run::Of(at) => Some(instant(at)),
            Run::Over | Run::Beside => None,
        }
    }
}

impl Core {
    /// Returns the tasks of the tree that have a schedule, with their paths: those that are registered, those that are
    /// declared and have not started, and those that their group starts again.
    pub(crate) fn scheduled(&self, root: &Arc<Declared>) -> Vec<(Arc<str>, Arc<ResolvedPolicy>)> {
        let mut found: BTreeMap<Arc<str>, Arc<ResolvedPolicy>> = BTreeMap::new();
        let cells = self.cells();
        for cell in &cells {
            found.insert(Arc::clone(cell.name()), Arc::clone(cell.policy()));
        }
        drop_each(cells);
        let mut open = vec![(Arc::from(""), Arc::clone(root), false)];
        while let Some((path, group, above_starts_again)) = open.pop() {
            let mut starts_again = above_starts_again;
            if let Some(cell) = self.group_place(&path) {
                starts_again |= cell.starts_again();
                if starts_again {
                    found.extend(cell.returning_policies());
                }
                let added = cell.added_groups().into_values();
                open.extend(added.map(|it| (Arc::clone(it.path()), Arc::clone(&it.declared), starts_again)));
                let _ = drop_caught(cell);
            }
            for (place, child) in group.children.iter().enumerate() {
                let path = join(&path, &child.name);
                match (&child.group, group.task(place)) {
                    (Some(group), _) => open.push((path, Arc::clone(group), starts_again)),
                    (None, Some(spec)) => {
                        if starts_again || !self.has_started(&path) {
                            found.entry(path).or_insert_with(|| Arc::new(spec.overrides().resolve(&self.config)));
                        }
                        let _ = drop_caught(spec);
                    }
                    (None, None) => {}
                }
            }
        }
        found.retain(|_, policy| policy.is_scheduled());
        found.into_iter().collect()
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
