//! The waits and begins of a task with a schedule.

use std::time::Duration;

use super::super::schedule::{Look, Schedule};
use super::Actor;
use super::attempt::Step;

impl Actor {
    pub(in crate::runtime) fn schedule(&mut self) -> Option<&mut Schedule> {
        self.guards.as_mut()?.schedule.as_mut()
    }

    /// Waits for the next run, and for no longer than this delay: the backoff, or without end.
    pub(in crate::runtime) fn await_schedule(&mut self, delay: Duration) {
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

    /// No attempt follows for the run. A trigger, a hold or a stop may have come, or the next run is due.
    #[cold]
    pub(in crate::runtime) fn run_is_over(&mut self) {
        if let Some(schedule) = self.schedule() {
            schedule.run_is_over();
        }
        self.take_turn(Duration::MAX);
    }

    /// A sibling, its group or a command interrupted the attempt, and the task comes back.
    #[cold]
    pub(in crate::runtime) fn run_is_interrupted(&mut self) {
        if let Some(schedule) = self.schedule() {
            schedule.interrupted();
        }
    }

    /// Returns the backoff that the group waits for: the next time of the schedule ends it.
    #[cold]
    pub(in crate::runtime) fn backoff_in_group(&mut self, delay: Duration) -> Duration {
        self.schedule().map_or(delay, |schedule| delay.min(schedule.until_next()))
    }

    /// Returns `false` if the runs for which the attempt is due were missed and are skipped: the task waits again.
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
