//! Drives the schedule of a task: what its actor waits for, and what begins then.

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

/// The clock is read at least this often, because it can be set, and a suspended host stops timers. In a test the
/// functions that set the clock wake the tasks that wait, so that a year passes in few steps.
const LOOK: Duration = Duration::from_secs(if cfg!(feature = "test-util") { 30 * 24 * 60 * 60 } else { 30 });

/// The schedule of a task, for its actor.
pub(in crate::runtime) struct Schedule {
    line: Arc<Line>,
    /// The end of the backoff, while there is one.
    until: Option<Instant>,
    /// `true` if a run is due and its attempt has not begun.
    is_due: bool,
    /// What comes of the runs that are due, once the attempt has begun.
    verdict: Option<Verdict>,
    /// The same, while the store of the fleet is asked for the run.
    #[cfg(feature = "fleet")]
    asked: Option<Verdict>,
    /// Wakes the task when a test sets the clock.
    #[cfg(feature = "test-util")]
    _watch: Option<crate::test::Watch>,
}

/// What the clock says to a task that waits.
pub(in crate::runtime) enum Look {
    /// A run is due.
    Come,
    /// The backoff is over.
    Elapsed,
    /// Look again after this time.
    Later(Duration),
}

impl Schedule {
    /// Returns `None` if the task has none.
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

    /// Returns what the task waits for: for the next run, and no longer than `delay` from the first call on.
    pub(in crate::runtime) fn look(&mut self, delay: Duration) -> Look {
        if self.line.with(Calendar::observe) {
            (self.is_due, self.until) = (true, None);
            return Look::Come;
        }
        self.until = self.until.or_else(|| deadline(delay));
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

    /// An attempt is about to begin. Returns `false` if it was due for runs that are skipped.
    pub(in crate::runtime) fn may_begin(&mut self, cell: &Cell) -> bool {
        self.until = None;
        self.verdict = None;
        // The next time may have come while a retry, or a run that was interrupted, could not begin.
        self.is_due |= self.line.with(Calendar::observe);
        // What is due in a pause stays due when an attempt is triggered.
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

    /// Decides what comes of the runs that are due, unless the store of the fleet was asked for them.
    fn take_verdict(&mut self) -> Verdict {
        #[cfg(feature = "fleet")]
        if let Some(asked) = self.asked.take() {
            return asked;
        }
        self.line.with(Calendar::judge)
    }

    /// Returns the run that an attempt would begin now, which has to be marked in the store of the fleet before.
    #[cfg(feature = "fleet")]
    pub(in crate::runtime) fn due_run(&mut self, cell: &Cell) -> Option<i64> {
        self.is_due |= self.line.with(Calendar::observe);
        let is_asked = self.is_due && !cell.is_triggered_in_pause();
        self.asked = is_asked.then(|| self.line.with(Calendar::judge));
        self.asked.as_ref()?.run
    }

    /// The runs that are due belong to another owner.
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

    /// The attempt has begun.
    pub(in crate::runtime) fn begun(&mut self, cell: &Cell) {
        match self.verdict.take() {
            Some(verdict) => self.carry_out(cell, &verdict),
            None => self.line.with(Calendar::begin),
        }
    }

    /// The attempt has ended, or its start has failed.
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

    /// The attempt was interrupted: its run is due again.
    pub(in crate::runtime) fn interrupted(&self) {
        self.line.with(|calendar, _| calendar.interrupt());
    }

    /// No attempt follows for the run.
    pub(in crate::runtime) fn run_is_over(&self) {
        self.line.with(|calendar, _| calendar.conclude());
    }

    /// The registration has ended. If its group can start again, the schedule goes on where it was.
    pub(in crate::runtime) fn over(&self, cell: &Cell, outcome: &TaskOutcome) {
        // An added task is kept if it comes back with its group.
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

/// Says what was missed, and what comes of it.
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
