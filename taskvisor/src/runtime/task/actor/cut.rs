//! The early end of an attempt: by its time limits, by a stop request, and by the abort at its deadline.

use std::task::{Context, Poll};

use super::attempt::Step;
use tokio::time::Instant;

use super::super::decision::Ending;
use super::super::limit::Exceeded;
use super::super::machine::Cut;
use super::Actor;

impl Actor {
    /// Starts the clean-up of the attempt.
    pub(super) fn clean_up(&mut self, cut: Cut) {
        let Step::Attempt(attempt) = &mut self.step else { return };
        if cut == Cut::HelperPanicked {
            self.cancel(cut, None);
        } else {
            // The stop request brings its own deadline.
            attempt.cut = cut;
            self.timer.clear();
        }
    }

    /// Gives the attempt its time to clean up after a violation: an exceeded limit, or the panic of a helper.
    fn cancel(&mut self, cut: Cut, exceeded: Option<Exceeded>) {
        let Step::Attempt(attempt) = &mut self.step else { return };
        let lived = attempt.age();
        attempt.cut = cut;
        let aside = attempt.aside.get_or_insert_default();
        (aside.exceeded, aside.lived) = (exceeded, lived);
        self.timer.set(self.cell.window());
        self.timer.set_sooner(attempt.stop_by());
    }

    /// Sets the deadline of the attempt. Called after its poll: most attempts end at once after a request, and need no
    /// timer.
    pub(super) fn limit(&mut self, limit: Option<Instant>) {
        let Some(limit) = limit else { return };
        if let Step::Attempt(attempt) = &mut self.step {
            // An attempt that was requested to stop before this poll has no other deadline.
            if attempt.cut != Cut::Requested {
                attempt.aside.get_or_insert_default().stop_by = Some(limit);
            }
            self.timer.set_sooner(Some(limit));
        } else if let Step::Join(_) = &self.step {
            self.timer.set_sooner(Some(limit));
        }
    }

    /// Handles an elapsed timer of a running attempt: its timeout, or the end of its clean-up.
    pub(super) fn time_is_up(&mut self, cx: &mut Context<'_>) {
        let Step::Attempt(attempt) = &mut self.step else { return };
        if attempt.stop_by().is_some_and(|stop_by| stop_by <= Instant::now()) {
            return self.abort(cx);
        }
        match (attempt.cut, self.cell.policy().timeout) {
            (Cut::Not, Some(timeout)) if attempt.is_granted(&self.timer, timeout) => {
                self.cell.warn_of_late_timer(self.timer.lateness());
                self.timer.set(timeout);
                self.timer.set_sooner(attempt.stop_by());
            }
            (Cut::Not, Some(timeout)) => self.exceeds(Exceeded::Timeout(timeout), cx),
            (Cut::Requested, _) => self.abort(cx),
            // The violation is the ending. It is not replaced if the clean-up takes too long, unless the attempt also
            // exceeds the deadline of a stop.
            (Cut::TimedOut | Cut::HelperPanicked | Cut::Not, _) => {
                self.cell.abort_helpers();
                self.end_attempt(Ending::Dropped);
            }
        }
    }

    /// Handles the end of the time for a stop.
    fn abort(&mut self, cx: &mut Context<'_>) {
        #[cfg(feature = "fleet")]
        if self.is_without_lease() {
            return;
        }
        // Completion wins a tie, as for a timeout.
        let ending = match self.poll_future(cx) {
            Poll::Ready(result) => Ending::Result(result),
            Poll::Pending => Ending::Aborted,
        };
        self.end_attempt(ending);
    }

    /// Handles an exceeded limit: cancels the attempt, which may clean up.
    pub(super) fn exceeds(&mut self, exceeded: Exceeded, cx: &mut Context<'_>) {
        // The lease may have ended since the last check, which was before the last poll.
        #[cfg(feature = "fleet")]
        if self.is_without_lease() {
            return;
        }
        // The attempt may have become ready since its last poll: completion wins a tie.
        if let Poll::Ready(result) = self.poll_future(cx) {
            return self.end_attempt(Ending::Result(result));
        }
        if !matches!(self.step, Step::Attempt(_)) {
            return;
        }
        // Another request came first, and is handled in the next poll.
        if !self.cell.exceed(exceeded.kind(), exceeded.limit()) {
            return;
        }
        self.observed.timed_out(&self.cell, exceeded.limit());
        self.cancel(Cut::TimedOut, Some(exceeded));
        if !self.takes_context || self.cell.window().is_zero() {
            self.end_attempt(Ending::Dropped);
        }
    }
}
