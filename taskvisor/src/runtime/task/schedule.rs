//! Drives the schedule of a task: the waits of its actor, and the runs that begin.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::observe;
use super::super::schedules::Line;
use super::super::timer::deadline;
use super::calendar::{COUNTED, Calendar, MissedRuns, Verdict};
use super::cell::{Cell, shown};
use crate::events::{Event, EventKind};
use crate::inspect::{TaskOutcome, now};
use crate::task::StopKind;

/// The clock is read at least this often, because it can be set, and a suspended host stops timers. In a test, the
/// functions that set the clock wake the waiting tasks, so that a year passes in few steps.
const LOOK: Duration = Duration::from_secs(if cfg!(feature = "test-util") { 30 * 24 * 60 * 60 } else { 30 });

/// The schedule of a task, for its actor.
pub(in crate::runtime) struct Schedule {
    line: Arc<Line>,
    /// The end of the backoff, while there is one.
    until: Option<Instant>,
    /// `true` if a run is due and its attempt has not begun.
    is_due: bool,
    /// The decision about the due runs, which is carried out when the attempt has begun.
    verdict: Option<Verdict>,
    /// The decision about the due runs, while the store of the fleet has not confirmed the run.
    #[cfg(feature = "fleet")]
    asked: Option<Verdict>,
    /// Wakes the task when a test sets the clock.
    #[cfg(feature = "test-util")]
    _watch: Option<crate::test::Watch>,
}

/// The result of reading the clock for a waiting task.
pub(in crate::runtime) enum Look {
    /// A run is due.
    Come,
    /// The backoff is over.
    Elapsed,
    /// The clock must be read again after this time.
    Later(Duration),
}

impl Schedule {
    /// Returns `None` if the task has no schedule.
    pub(in crate::runtime) fn of(cell: &Arc<Cell>) -> Option<Self> {
        if !cell.policy().is_scheduled() {
            return None;
        }
        // The schedule was checked when the task was registered.
        let line = cell.core().schedules.enter(cell)?;
        Some(Self {
            line,
            until: None,
            is_due: false,
            verdict: None,
            #[cfg(feature = "fleet")]
            asked: None,
            #[cfg(feature = "test-util")]
            _watch: crate::test::watch_clock(cell),
        })
    }

    /// Reads the clock for a task that waits for the next run, and at most for `delay` from the first call on.
    pub(in crate::runtime) fn look(&mut self, delay: Duration) -> Look {
        if self.line.with(Calendar::observe) {
            (self.is_due, self.until) = (true, None);
            return Look::Come;
        }
        self.until = self.until.filter(|_| delay != Duration::MAX).or_else(|| deadline(delay));
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            self.until = None;
            return Look::Elapsed;
        }
        Look::Later(self.until_next().min(LOOK).min(left.unwrap_or(LOOK)))
    }

    /// Returns the time until the end of the backoff, while there is one.
    pub(in crate::runtime) fn backoff_left(&self) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(Instant::now()))
    }

    /// Returns the time until the next run.
    pub(in crate::runtime) fn until_next(&self) -> Duration {
        self.line.next_run().map_or(Duration::MAX, |next| next.duration_since(now()).unwrap_or_default())
    }

    /// Checks the due runs before an attempt begins. Returns `false` if the attempt was due for runs that are skipped.
    pub(in crate::runtime) fn may_begin(&mut self, cell: &Cell) -> bool {
        self.until = None;
        self.verdict = None;
        // The next time may have come while a retry or an interrupted run could not begin.
        self.is_due |= self.line.with(Calendar::observe);
        // An attempt that is triggered in a pause does not use up the runs that are due.
        if !self.is_due || cell.is_triggered_in_pause() {
            return true;
        }
        let verdict = self.take_verdict();
        if verdict.is_of_new_runs() {
            cell.forget_failures();
        }
        if verdict.run.is_some() {
            self.verdict = Some(verdict);
            return true;
        }
        self.carry_out(cell, &verdict);
        false
    }

    /// Decides about the due runs, or returns the decision that the store of the fleet has confirmed.
    fn take_verdict(&mut self) -> Verdict {
        #[cfg(feature = "fleet")]
        if let Some(asked) = self.asked.take() {
            return asked;
        }
        self.line.with(Calendar::judge)
    }

    /// Returns the run that an attempt would begin now. It must be marked in the store of the fleet first.
    #[cfg(feature = "fleet")]
    pub(in crate::runtime) fn due_run(&mut self, cell: &Cell) -> Option<i64> {
        self.is_due |= self.line.with(Calendar::observe);
        let is_asked = self.is_due && !cell.is_triggered_in_pause();
        self.asked = is_asked.then(|| self.line.with(Calendar::judge));
        self.asked.as_ref()?.run
    }

    /// Skips the due runs, which belong to another owner.
    #[cfg(feature = "fleet")]
    pub(in crate::runtime) fn pass_over(&mut self) {
        let Some(verdict) = self.asked.take() else { return };
        (self.is_due, self.until) = (false, None);
        self.line.with(|calendar, now| calendar.pass_over(&verdict, now));
    }

    /// Returns the run that the attempts are for.
    #[cfg(feature = "fleet")]
    pub(in crate::runtime) fn current_run(&self) -> Option<i64> {
        match self.line.with(|calendar, _| calendar.run()) {
            super::calendar::Run::Of(run) => Some(run),
            super::calendar::Run::Over | super::calendar::Run::Beside => None,
        }
    }

    /// Records that the attempt has begun.
    pub(in crate::runtime) fn begun(&mut self, cell: &Cell) {
        match self.verdict.take() {
            Some(verdict) => self.carry_out(cell, &verdict),
            None => self.line.with(Calendar::begin),
        }
    }

    /// Records that the attempt has ended, or that its start has failed.
    pub(in crate::runtime) fn ended(&mut self, cell: &Cell) {
        if let Some(verdict) = self.verdict.take() {
            self.carry_out(cell, &verdict);
        }
        self.until = None;
        self.line.with(Calendar::ended);
    }

    fn carry_out(&mut self, cell: &Cell, verdict: &Verdict) {
        self.is_due = false;
        self.line.with(|calendar, now| calendar.carry_out(verdict, now));
        if let Some(missed) = &verdict.missed {
            self.tell(cell, missed);
        }
    }

    /// Records that the attempt was interrupted: its run is due again.
    pub(in crate::runtime) fn interrupted(&self) {
        self.line.with(|calendar, _| calendar.interrupt());
    }

    /// Ends the run: no attempt follows for it.
    pub(in crate::runtime) fn run_is_over(&self) {
        self.line.with(|calendar, _| calendar.conclude());
    }

    /// Handles the end of the registration. The schedule is kept if the task can start again, for example with its
    /// group.
    pub(in crate::runtime) fn over(&self, cell: &Cell, outcome: &TaskOutcome) {
        // An added task is kept if it starts again with its group.
        let is_kept = (!cell.was_added() || cell.has_task()) && !cell.core().is_stopping();
        if !is_kept {
            return cell.core().schedules.leave(cell);
        }
        let why = cell.why_stopped();
        if matches!(why, Some(StopKind::Canceled | StopKind::Removed | StopKind::Replaced)) {
            return self.line.starts_anew();
        }
        let is_interrupted = matches!(outcome, TaskOutcome::Canceled { .. } | TaskOutcome::Aborted { .. });
        self.line.with(|calendar, _| if is_interrupted { calendar.interrupt() } else { calendar.conclude() });
    }

    fn tell(&self, cell: &Cell, missed: &MissedRuns) {
        let latest = self.line.with(|calendar, _| calendar.zone().local(missed.latest));
        let text = text_of(missed, &latest);
        let state = cell.lock();
        if cell.core().bus.is_active() {
            let count = Some(missed.count as u64);
            let attempt = Some(shown(state.machine().attempt));
            let event = Event { attempt, count, ..cell.event(EventKind::RunsMissed).because(text.clone()) };
            cell.core().bus.publish(event);
        }
        drop(state);
        observe::runs_missed(cell, missed.count as u64, &text);
    }
}

/// Describes the missed runs, and whether they are made up for.
fn text_of(missed: &MissedRuns, latest: &str) -> String {
    let (count, at_least) = (missed.count, if missed.count < COUNTED { "" } else { "at least " });
    let (runs, comes) = match (count, missed.made_up) {
        (1, true) => ("run was missed, that", "this attempt makes up for it"),
        (1, false) => ("run was missed, that", "it is skipped"),
        (_, true) => ("runs were missed, the latest that", "this attempt makes up for them"),
        (_, false) => ("runs were missed, the latest that", "they are skipped"),
    };
    format!("{at_least}{count} {runs} of {latest}; {comes}")
}
