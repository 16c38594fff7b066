//! The next runs of the schedules of a tree.

use std::collections::BinaryHeap;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use taskvisor_parse::cron::{Civil, Occurrence};

use super::Tree;
use crate::inspect::{Rfc3339, now};
use crate::policy::{self, TimeZone, Times};
use crate::runtime::instant;
use crate::supervisor::RuntimeError;

/// A run of a schedule that is to come; see [`Tree::schedule`].
///
/// `Display` formats the time in the zone of the schedule, the path, and the effect of a change of the clock:
///
/// ```text
/// 2026-03-29T03:00:00+02:00 nightly, for 02:30 which the clock skips
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScheduledRun {
    /// The path of the task.
    pub path: String,
    /// The time at which it begins.
    pub at: SystemTime,
    /// The time of the pattern: `at` without the shift of the [splay](crate::TaskSpec::with_splay).
    pub scheduled_for: SystemTime,
    /// `scheduled_for` on the local clock, with its offset: `2026-03-29T03:00:00+02:00`.
    pub local: String,
    /// The first local time that it is for and that a change of the clock skips, such as `2026-03-29T02:30:00`; `None`
    /// otherwise.
    pub skipped: Option<String>,
}

impl fmt::Display for ScheduledRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.local, self.path)?;
        if self.at != self.scheduled_for {
            write!(f, ", shifted to {:.0}", Rfc3339(self.at))?;
        }
        let skipped = self.skipped.as_deref().and_then(|time| time.split_once('T'));
        if let Some((_, time)) = skipped {
            write!(f, ", for {} which the clock skips", time.strip_suffix(":00").unwrap_or(time))?;
        }
        Ok(())
    }
}

/// The largest number of runs in a list.
const MOST: usize = 10_000;

impl Tree {
    /// Returns the next runs of all schedules of the tree, at most `count` and no more than 10,000, in the order of
    /// their times. The tree need not have started. Once it has, the list covers the registered tasks, added ones
    /// included, and the tasks that a group that is down will start again.
    ///
    /// # Errors
    /// [`InvalidOption`](RuntimeError::InvalidOption) for a schedule that is not valid,
    /// [`InvalidOverrides`](RuntimeError::InvalidOverrides).
    ///
    /// # Examples
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use taskvisor::{RestartPolicy, RuntimeError, Schedule, SupervisorConfig, TaskContext, TaskFn, TaskSpec, Tree};
    ///
    /// # fn main() -> Result<(), RuntimeError> {
    /// let report = TaskFn::arc("report", |_: TaskContext| async { Ok(()) });
    /// let report = TaskSpec::inherit(report)
    ///     .with_restart(RestartPolicy::Always { interval: None })
    ///     .with_schedule(Schedule::cron("30 2 * * *").zone("Europe/Berlin"));
    /// let tree = Tree::builder(SupervisorConfig::default()).task(report).build();
    ///
    /// let day = UNIX_EPOCH + Duration::from_secs(1_774_656_000); // 2026-03-28
    /// let runs: Vec<String> = tree.schedule_after(day, 3)?.iter().map(ToString::to_string).collect();
    /// assert_eq!(
    ///     runs,
    ///     [
    ///         "2026-03-28T02:30:00+01:00 report",
    ///         "2026-03-29T03:00:00+02:00 report, for 02:30 which the clock skips",
    ///         "2026-03-30T02:30:00+02:00 report",
    ///     ]
    /// );
    /// # Ok(())
    /// # }
    /// ```
    pub fn schedule(&self, count: usize) -> Result<Vec<ScheduledRun>, RuntimeError> {
        self.schedule_after(now(), count)
    }

    /// Returns the runs of all schedules of the tree after this time; see [`schedule`](Self::schedule).
    ///
    /// # Errors
    /// [`InvalidOption`](RuntimeError::InvalidOption) for a schedule that is not valid,
    /// [`InvalidOverrides`](RuntimeError::InvalidOverrides).
    pub fn schedule_after(&self, after: SystemTime, count: usize) -> Result<Vec<ScheduledRun>, RuntimeError> {
        let core = &self.supervisor().core;
        core.check()?;
        let mut lines = Vec::new();
        for (path, policy) in core.scheduled(&self.root) {
            policy.check(&path)?;
            let Some((pattern, zone)) = policy.timetable() else { continue };
            let shift = policy::shift_of(policy.splay, &path, &core.config);
            lines.push(Line { path: path.to_string(), pattern, zone, shift });
        }
        // The next run of each line; the earliest is taken first.
        let mut next = BinaryHeap::new();
        for (index, line) in lines.iter().enumerate() {
            let from = policy::seconds(after.checked_sub(line.shift).unwrap_or(UNIX_EPOCH));
            next.extend(line.next(from, index));
        }
        let mut runs = Vec::new();
        while let (true, Some(Next { index, occurrence, .. })) = (runs.len() < count.min(MOST), next.pop()) {
            let line = &lines[index];
            runs.push(line.run(&occurrence));
            next.extend(line.next(occurrence.at, index));
        }
        Ok(runs)
    }
}

/// The schedule of one task.
struct Line {
    path: String,
    pattern: Times,
    zone: TimeZone,
    shift: Duration,
}

impl Line {
    fn next(&self, after: i64, index: usize) -> Option<Next> {
        let occurrence = self.pattern.next(after, &self.zone)?;
        Some(Next { at: self.at(&occurrence), index, occurrence })
    }

    /// Returns when the run begins. A shift that would exceed the range of times has no effect.
    fn at(&self, occurrence: &Occurrence) -> SystemTime {
        let at = instant(occurrence.at);
        at.checked_add(self.shift).unwrap_or(at)
    }

    fn run(&self, occurrence: &Occurrence) -> ScheduledRun {
        let scheduled_for = instant(occurrence.at);
        ScheduledRun {
            path: self.path.clone(),
            at: self.at(occurrence),
            scheduled_for,
            local: self.zone.local(occurrence.at),
            skipped: occurrence.is_shifted().then(|| Civil::to_string(&occurrence.due)),
        }
    }
}

/// The next run of a line. Its order is reversed, because a heap returns the largest.
struct Next {
    at: SystemTime,
    index: usize,
    occurrence: Occurrence,
}

impl Ord for Next {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at, other.index).cmp(&(self.at, self.index))
    }
}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Next {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.index) == (other.at, other.index)
    }
}

impl Eq for Next {}
