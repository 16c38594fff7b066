//! The end of an attempt, and of the task.

use std::mem;
use std::time::Duration;

use super::attempt::{Joining, Step, violated};

use super::super::decision::{Ending, Next};
use super::super::guards::Guards;
use super::super::machine::{Cut, Ran};
use super::Actor;
use crate::inspect::TaskOutcome;
use crate::panics::drop_caught;
use crate::runtime::group::{Note, RetryIn};

impl Actor {
    /// Drops the future of the attempt and determines its ending.
    pub(super) fn end_attempt(&mut self, mut ending: Ending) {
        let Step::Attempt(attempt) = mem::replace(&mut self.step, Step::New) else { return };
        let lived;
        let mut stop_by = None;
        match attempt.cut {
            Cut::Not => lived = attempt.age(),
            // After a stop request the run time does not count.
            Cut::Requested => lived = None,
            Cut::TimedOut | Cut::HelperPanicked => {
                stop_by = attempt.stop_by();
                (ending, lived) = violated(&attempt, ending);
            }
        }
        let dropped = self.observed.in_span(|| drop_caught(attempt.future));
        if let Err(panic) = dropped {
            ending = ending.with_panic(panic);
        }
        if attempt.cut == Cut::Not {
            self.timer.clear();
        }
        self.attempt_ended(ending, lived, attempt.cut);
        if stop_by.is_some() && matches!(self.step, Step::Join(_)) {
            self.timer.set_sooner(stop_by);
        }
    }

    /// Begins to join the helpers of an attempt.
    fn join(&mut self, ending: Ending, lived: Option<Duration>, cut: Cut) {
        let window = self.cell.window();
        if matches!(ending, Ending::Aborted) || (cut == Cut::Not && window.is_zero()) {
            self.cell.abort_helpers();
        } else if cut == Cut::Not {
            self.timer.set(window);
        }
        self.step = Step::Join(Box::new(Joining { ending, lived }));
    }

    /// Like `attempt_ended`, for attempts that failed before they began, or whose helpers were joined.
    #[cold]
    pub(super) fn ended_apart(&mut self, ending: Ending, lived: Option<Duration>, cut: Cut) {
        self.attempt_ended(ending, lived, cut);
    }

    /// Handles the end of an attempt whose future is dropped: joins its helpers, or decides what follows.
    #[allow(clippy::inline_always, reason = "the compiler leaves 20 instructions of each restart to a call")]
    #[inline(always)]
    fn attempt_ended(&mut self, ending: Ending, lived: Option<Duration>, cut: Cut) {
        let ticks = self.grid.as_mut().map(|grid| {
            grid.ticks.ended = grid.first.elapsed();
            &grid.ticks
        });
        let aborted = matches!(ending, Ending::Aborted);
        // If helpers were joined, the attempt took longer than one poll. The cut is not `Not` then.
        let is_at_once = cut == Cut::Not && lived.is_none();
        let at_once = if is_at_once { self.at_once.saturating_add(1) } else { 0 };
        let mut guards = self.guards.as_deref_mut();
        if let Some(guards) = &mut guards {
            guards.attempt_ended(&self.cell);
        }
        if cut == Cut::Requested {
            if let Some(outcome) = self.cell.conclude_stop(&ending) {
                // Such an ending has nothing to drop.
                mem::forget(ending);
                return self.ends_stopped(outcome);
            }
        }
        let next = match self.cell.conclude(ending, Ran { lived, at_once, successes: self.successes }, ticks, guards) {
            Ok(next) => next,
            Err(ending) => return self.join(ending, lived, cut),
        };
        (self.at_once, self.successes) = match next {
            Next::Repeat(_) | Next::Throttle { .. } => (at_once, self.successes.saturating_add(1)),
            _ => (0, 0),
        };
        self.observed.concluded(&self.cell, &next, aborted);
        self.release();
        let delay = match next {
            Next::End(outcome) => return self.finish(outcome),
            Next::Scheduled => {
                #[cfg(feature = "fleet")]
                self.run_has_succeeded();
                return self.run_is_over();
            }
            Next::GiveUp { error, .. } => {
                let _ = drop_caught(error);
                return self.run_is_over();
            }
            Next::Hold(error) => {
                let _ = drop_caught(error);
                self.run_is_interrupted();
                self.step = Step::Waiting { delay: Duration::ZERO };
                return self.cell.tell_group(Note::Held);
            }
            Next::Retry { delay, is_told, .. } => {
                if is_told {
                    self.guards.get_or_insert_with(Guards::telling);
                }
                if self.cell.awaits_its_group() {
                    self.step = Step::Waiting { delay };
                    let delay = self.backoff_in_group(delay);
                    return self.cell.tell_group(Note::Failed(RetryIn::new(delay, is_told)));
                }
                delay
            }
            Next::Restart(error) => {
                // The error is a user value, and its drop is user code.
                let _ = drop_caught(error);
                self.run_is_interrupted();
                // The run can have been over before the request, and the next one waits for its time. If the lease was
                // lost, the store decides which run is due when it is held again.
                if self.schedule().is_some() {
                    return self.take_turn(Duration::MAX);
                }
                #[cfg(feature = "fleet")]
                if self.cell.stands_by() {
                    return self.take_turn(Duration::ZERO);
                }
                Duration::ZERO
            }
            Next::Repeat(delay) => {
                if let (Some(grid), Some(every)) = (&mut self.grid, self.cell.policy().every) {
                    grid.ticks.due = grid.ticks.next(every);
                }
                delay
            }
            Next::Throttle { pause, .. } => pause,
        };
        // A zero delay does not touch the timer.
        if delay.is_zero() {
            self.enter(Step::Yield);
        } else if self.schedule().is_some() {
            self.take_turn(delay);
        } else {
            self.timer.set(delay);
            self.enter(Step::Waiting { delay });
        }
    }

    /// The attempt has ended as one does that is requested to stop.
    #[inline]
    fn ends_stopped(&mut self, outcome: TaskOutcome) {
        let next = Next::End(outcome);
        self.observed.concluded(&self.cell, &next, false);
        self.release();
        if let Next::End(outcome) = next {
            self.finish(outcome);
        }
    }

    #[inline(never)]
    pub(super) fn finish(&mut self, outcome: TaskOutcome) {
        self.end(outcome, true);
    }

    /// Ends the registration, of which no end of an attempt has told.
    #[cold]
    #[inline(never)]
    pub(super) fn finish_untold(&mut self, outcome: TaskOutcome) {
        self.end(outcome, false);
    }

    fn end(&mut self, outcome: TaskOutcome, is_told: bool) {
        self.enter(Step::Over);
        drop(self.permit.take());
        if let Some(schedule) = self.guards.as_mut().and_then(|guards| guards.schedule.as_ref()) {
            schedule.over(&self.cell, &outcome);
        }
        self.observed.ended(&self.cell, &outcome);
        self.cell.core().remove(&self.cell, outcome, is_told);
    }
}
