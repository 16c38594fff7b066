//! Joins the helpers of an attempt that has ended.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::super::super::timer::deadline;
use super::super::decision::Ending;
use super::super::machine::Cut;
use super::Actor;
use super::attempt::{Joining, Step};
use crate::panics::drop_caught;

impl Actor {
    pub(in crate::runtime) fn poll_join(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.cell.has_news() {
            match self.cell.take_bound() {
                Some(Duration::ZERO) => self.abort_helpers(),
                Some(time) => self.timer.set_sooner(deadline(time)),
                None => {}
            }
        }
        if self.cell.has_helpers() {
            ready!(self.timer.poll(cx));
            self.abort_helpers();
        } else if let Step::Join(joining) = std::mem::replace(&mut self.step, Step::New) {
            // No helper is added after the future of the attempt is dropped, so this concludes the attempt.
            let Joining { ending, lived } = *joining;
            #[cfg(feature = "cron")]
            self.run_was_over(&ending, lived);
            self.ended_apart(ending, lived, Cut::Requested);
        }
        Poll::Ready(())
    }

    fn abort_helpers(&mut self) {
        let is_aborted = self.cell.abort_helpers();
        if let (Step::Join(joining), true) = (&mut self.step, is_aborted) {
            let _ = drop_caught(std::mem::replace(&mut joining.ending, Ending::Aborted));
        }
    }
}
