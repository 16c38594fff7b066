//! The waits of a task with a schedule, and the begin of its attempts.

use std::time::Duration;

#[cfg(feature = "cron")]
use super::super::decision::Ending;
#[cfg(feature = "cron")]
use super::super::machine::Ran;
use super::super::schedule::{Look, Schedule};
use super::Actor;
use super::attempt::Step;

impl Actor {
    pub(in crate::runtime) fn schedule(&mut self) -> Option<&mut Schedule> {
        self.guards.as_mut()?.schedule.as_mut()
    }

    /// Waits for the next run, and at most for `delay`: the backoff, or [`Duration::MAX`].
    pub(in crate::runtime) fn await_schedule(&mut self, delay: Duration) {
        // A backoff ends with the lease: the store decides which run is due when it is held again.
        let delay = if self.cell.awaits_schedule() { Duration::MAX } else { delay };
        let Some(schedule) = self.schedule() else { return };
        match schedule.look(delay) {
            Look::Come => self.cell.come(),
            Look::Elapsed => self.cell.waited(),
            Look::Later(time) => {
                let backoff = schedule.backoff_left();
                self.timer.set(time);
                if let Some(backoff) = backoff {
                    self.cell.is_due_in(backoff);
                }
                self.step = Step::Waiting { delay };
                return;
            }
        }
        self.timer.clear();
        self.step = Step::Yield;
    }

    /// Ends the run, for which no attempt follows, and takes a turn: a trigger, a hold or a stop may have come, or the
    /// next run may be due.
    #[cold]
    pub(in crate::runtime) fn run_is_over(&mut self) {
        if let Some(schedule) = self.schedule() {
            schedule.run_is_over();
        }
        self.take_turn(Duration::MAX);
    }

    /// Ends the run if it was over before the request: only helpers of its attempt still ran when that came.
    #[cfg(feature = "cron")]
    #[cold]
    pub(in crate::runtime) fn run_was_over(&mut self, ending: &Ending, lived: Option<Duration>) {
        if self.schedule().is_none() || !self.cell.was_run_over(ending, Ran { lived, ..Ran::default() }) {
            return;
        }
        #[cfg(feature = "fleet")]
        if matches!(ending, Ending::Result(Ok(()))) {
            self.run_has_succeeded();
        }
        if let Some(schedule) = self.schedule() {
            schedule.run_is_over();
        }
    }

    /// Records that a sibling, the group or a command interrupted the attempt. The task starts again.
    #[cold]
    pub(in crate::runtime) fn run_is_interrupted(&mut self) {
        if let Some(schedule) = self.schedule() {
            schedule.interrupted();
        }
    }

    /// Returns the backoff that the group waits for: `delay`, but at most until the next time of the schedule.
    #[cold]
    pub(in crate::runtime) fn backoff_in_group(&mut self, delay: Duration) -> Duration {
        self.schedule().map_or(delay, |schedule| delay.min(schedule.until_next()))
    }

    /// Returns `false` if the due runs were missed and are skipped. The task then waits again.
    #[inline]
    pub(in crate::runtime) fn may_begin(&mut self) -> bool {
        let Some(guards) = &mut self.guards else { return true };
        let Some(schedule) = &mut guards.schedule else { return true };
        if schedule.may_begin(&self.cell) || !self.cell.reschedule() {
            return true;
        }
        self.release();
        self.take_turn(Duration::MAX);
        false
    }
}
