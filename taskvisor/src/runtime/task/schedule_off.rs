//! Replaces `schedule` if the feature `cron` is off: no task has a schedule.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::cell::Cell;
use crate::inspect::TaskOutcome;

pub(in crate::runtime) struct Schedule(Infallible);

#[expect(dead_code, reason = "no schedule says so")]
pub(in crate::runtime) enum Look {
    Come,
    Elapsed,
    Later(Duration),
}

impl Cell {
    #[expect(clippy::unused_self, reason = "it has the shape of the real one")]
    pub(in crate::runtime) fn next_run(&self) -> Option<SystemTime> {
        None
    }

    #[expect(clippy::unused_self, reason = "it has the shape of the real one")]
    pub(in crate::runtime) fn next_run_or_due(&self) -> Option<SystemTime> {
        None
    }
}

impl Schedule {
    pub(in crate::runtime) fn of(_: &Arc<Cell>) -> Option<Self> {
        None
    }

    pub(in crate::runtime) fn look(&mut self, _: Duration) -> Look {
        match self.0 {}
    }

    pub(in crate::runtime) fn may_begin(&mut self, _: &Cell) -> bool {
        match self.0 {}
    }

    pub(in crate::runtime) fn begun(&mut self, _: &Cell) {
        match self.0 {}
    }

    pub(in crate::runtime) fn ended(&mut self, _: &Cell) {
        match self.0 {}
    }

    pub(in crate::runtime) fn interrupted(&self) {
        match self.0 {}
    }

    pub(in crate::runtime) fn backoff_left(&self) -> Option<Duration> {
        match self.0 {}
    }

    pub(in crate::runtime) fn until_next(&self) -> Duration {
        match self.0 {}
    }

    pub(in crate::runtime) fn run_is_over(&self) {
        match self.0 {}
    }

    pub(in crate::runtime) fn over(&self, _: &Cell, _: &TaskOutcome) {
        match self.0 {}
    }
}
