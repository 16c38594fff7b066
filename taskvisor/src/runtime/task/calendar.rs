//! The progress of a task in its schedule. Pure: the wall-clock time is passed in, in seconds since
//! 1970-01-01T00:00:00Z.

use std::time::Duration;

use taskvisor_parse::cron::Occurrence;

use crate::policy::{Missed, TimeZone, Times};

/// If the clock is set back by less than this, no run repeats. Otherwise the schedule is computed anew, as in Vixie
/// cron.
const SET_BACK: i64 = 3 * 3_600;

/// The largest number of missed runs that is counted.
pub(in crate::runtime) const COUNTED: usize = 1_000;

/// The progress of a task in its schedule.
#[derive(Debug)]
pub(in crate::runtime) struct Calendar {
    pattern: Times,
    zone: TimeZone,
    missed: Missed,
    /// The largest lateness of a missed run, in seconds.
    late: Option<i64>,
    /// Runs up to this time have begun, were made up for, or were reported as missed.
    settled: i64,
    /// The last time that was read.
    last: i64,
    /// The latest time that the clock has shown.
    seen: i64,
    /// The time at which the last attempt began.
    begun: i64,
    /// The end of the last attempt during which a run became due. A run that was due up to this time is not on time.
    busy: i64,
    /// The first run after `settled`.
    next: Option<Occurrence>,
    run: Run,
    /// The run of this time was interrupted, and is due again.
    again: Option<i64>,
}

/// The run that the attempts are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runtime) enum Run {
    /// No run.
    Over,
    /// A run outside the schedule, which was triggered.
    Beside,
    /// The run that was due at this time.
    Of(i64),
}

/// The decision about the runs that are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runtime) struct Verdict {
    /// The run that begins. `None` if all are skipped, or if no run is due anymore.
    pub(in crate::runtime) run: Option<i64>,
    pub(in crate::runtime) missed: Option<MissedRuns>,
    /// The latest run that is due, and the run after it. `None` if only an interrupted run is due.
    due: Option<(i64, Option<Occurrence>)>,
}

impl Verdict {
    /// Returns `true` if a new run is due, so that earlier runs and their failures no longer count.
    pub(in crate::runtime) fn is_of_new_runs(&self) -> bool {
        self.due.is_some()
    }
}

/// The runs that did not begin on time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runtime) struct MissedRuns {
    /// Their number. [`COUNTED`] means that number or more.
    pub(in crate::runtime) count: usize,
    /// The time of the latest.
    pub(in crate::runtime) latest: i64,
    /// `true` if the run that begins makes up for them.
    pub(in crate::runtime) made_up: bool,
}

impl Calendar {
    /// Creates the calendar of a task that waits for its first run after `last_run`, or after now.
    pub(in crate::runtime) fn new(
        (pattern, zone): (Times, TimeZone),
        (missed, late): (Missed, Option<Duration>),
        last_run: Option<i64>,
        now: i64,
    ) -> Self {
        let late = late.map(|late| i64::try_from(late.as_secs()).unwrap_or(i64::MAX));
        let settled = last_run.filter(|last| *last < now.saturating_add(SET_BACK)).unwrap_or(now);
        let next = pattern.next(settled, &zone);
        Self {
            pattern,
            zone,
            missed,
            late,
            settled,
            last: now,
            seen: now,
            begun: now,
            busy: i64::MIN,
            next,
            run: Run::Over,
            again: None,
        }
    }

    /// Returns the first run that has not begun. It may already be due.
    pub(in crate::runtime) fn next(&self) -> Option<Occurrence> {
        self.next
    }

    /// Returns the first run that is not due.
    pub(in crate::runtime) fn upcoming(&self, now: i64) -> Option<Occurrence> {
        let next = self.next?;
        if next.at > now { Some(next) } else { self.pattern.next(now, &self.zone) }
    }

    /// Starts anew after the task was ended by name: runs that were due meanwhile are not made up for.
    pub(in crate::runtime) fn start_anew(&mut self, now: i64) {
        self.observe(now);
        self.settle(now.max(self.settled));
        (self.run, self.again) = (Run::Over, None);
    }

    /// Continues the schedule of the fleet when the task becomes the owner. `last` is the time of the last run that any
    /// owner has begun; runs that were due since then are missed. If it is `None`, no owner has begun a run, and runs
    /// before the registration are not due. `ahead` is the lead of the local clock over the clock of the store at the
    /// registration.
    #[cfg(feature = "fleet")]
    pub(in crate::runtime) fn take_over(&mut self, last: Option<i64>, ahead: i64, now: i64) {
        // A run that this owner has begun and that was not marked as done is due again.
        let begun = self.again.or(if let Run::Of(run) = self.run { Some(run) } else { None });
        let unmarked = || begun.map_or(self.settled.saturating_sub(ahead), |run| run.saturating_sub(1));
        let last = last.unwrap_or_else(unmarked);
        (self.seen, self.last, self.begun) = (now, now, now);
        self.settle(if last < now.saturating_add(SET_BACK) { last } else { now });
        (self.run, self.again, self.busy) = (Run::Over, None, i64::MIN);
    }

    /// Skips the due runs, which belong to another owner.
    #[cfg(feature = "fleet")]
    pub(in crate::runtime) fn pass_over(&mut self, verdict: &Verdict, now: i64) {
        self.carry_out(&Verdict { run: None, ..*verdict }, now);
    }

    pub(in crate::runtime) fn run(&self) -> Run {
        self.run
    }

    pub(in crate::runtime) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Advances the clock by these seconds since the last reading.
    pub(in crate::runtime) fn pass(&mut self, seconds: i64) {
        self.last = self.last.saturating_add(seconds);
        self.seen = self.seen.max(self.last);
    }

    /// Records a reading of the clock. Returns `true` if a run is due.
    pub(in crate::runtime) fn observe(&mut self, now: i64) -> bool {
        if now <= self.seen.saturating_sub(SET_BACK) {
            self.settle(now);
            (self.seen, self.busy) = (now, i64::MIN);
            self.begun = self.begun.min(now);
        }
        self.last = now;
        self.seen = self.seen.max(now);
        self.again.is_some() || self.next.is_some_and(|next| next.at <= now)
    }

    /// Decides about the runs that are due. Nothing changes until the decision is [carried out](Self::carry_out).
    pub(in crate::runtime) fn judge(&mut self, now: i64) -> Verdict {
        self.observe(now);
        let (due, next) = self.due(now);
        let is_all = due.len() < COUNTED;
        let last_until = |until| {
            if is_all {
                return due.iter().rev().find(|run| **run <= until).copied();
            }
            self.pattern.latest(self.settled, until, &self.zone).map(|run| run.at)
        };
        let Some(latest) = last_until(now) else {
            // Only an interrupted run can be due. If there is none, the clock was set back after a run was due.
            return Verdict { run: self.again, missed: None, due: None };
        };
        let lateness = now.saturating_sub(latest);
        let may_be_late = self.late.unwrap_or(i64::MAX);
        let is_on_time = lateness <= self.pattern.on_time().min(may_be_late) && latest > self.busy;
        let makes_up = self.missed == Missed::Once && lateness <= may_be_late;
        // The latest run replaces an interrupted run, which counts as missed.
        let count = (due.len() + usize::from(self.again.is_some())).min(COUNTED);
        let missed = if is_on_time {
            let before = last_until(latest - 1).or(self.again);
            let count = count - usize::from(is_all);
            before.map(|latest| MissedRuns { count, latest, made_up: self.missed == Missed::Once })
        } else {
            Some(MissedRuns { count, latest, made_up: makes_up })
        };
        let next = if is_all { next } else { self.pattern.next(latest, &self.zone) };
        Verdict { run: (is_on_time || makes_up).then_some(latest), missed, due: Some((latest, next)) }
    }

    /// Carries out the decision: the attempt of the run has begun, or the runs are skipped.
    pub(in crate::runtime) fn carry_out(&mut self, verdict: &Verdict, now: i64) {
        if let Some((latest, next)) = verdict.due {
            (self.settled, self.next) = (latest, next);
        }
        self.again = None;
        self.run = verdict.run.map_or(Run::Over, Run::Of);
        self.begun = now;
    }

    /// Records the begin of an attempt that starts no run of the schedule: a retry, or a triggered attempt.
    pub(in crate::runtime) fn begin(&mut self, now: i64) {
        if self.run == Run::Over {
            self.run = Run::Beside;
        }
        self.begun = now;
    }

    /// Records the end of an attempt.
    pub(in crate::runtime) fn ended(&mut self, now: i64) {
        self.observe(now);
        let is_due = |run: Option<Occurrence>| run.is_some_and(|run| run.at <= now);
        if is_due(self.next) && is_due(self.pattern.next(self.begun, &self.zone)) {
            self.busy = now;
        }
    }

    /// Ends the run: no attempt follows for it.
    pub(in crate::runtime) fn conclude(&mut self) {
        self.run = Run::Over;
    }

    /// Interrupts the attempt: its run is due again.
    pub(in crate::runtime) fn interrupt(&mut self) {
        if let Run::Of(run) = self.run {
            self.again = Some(run);
        }
        self.run = Run::Over;
    }

    fn settle(&mut self, at: i64) {
        self.settled = at;
        self.next = self.pattern.next(at, &self.zone);
    }

    /// Returns the runs that are due, at most [`COUNTED`], and the run after them.
    fn due(&self, now: i64) -> (Vec<i64>, Option<Occurrence>) {
        let (mut due, mut next) = (Vec::new(), self.next);
        while let Some(run) = next.filter(|run| run.at <= now && due.len() < COUNTED) {
            due.push(run.at);
            next = self.pattern.next(run.at, &self.zone);
        }
        (due, next)
    }
}

#[cfg(test)]
#[path = "calendar_test.rs"]
mod tests;
