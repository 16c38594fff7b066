//! Replaces `meter` if the feature `metrics` is off.

use std::time::Duration;

use tokio::time::Instant;

use super::super::task::Cell;
use crate::inspect::Health;

#[derive(Default)]
pub(super) struct Stopwatch;

#[expect(clippy::unused_self, reason = "it has the shape of the real one")]
impl Stopwatch {
    pub(super) fn begin(&mut self, _: &Cell, _: u32) {}

    pub(super) fn waits(&mut self, _: Instant) {}

    pub(super) fn stop(&mut self) -> Option<Attempt> {
        None
    }

    pub(super) fn tell_end(&mut self, _: &Cell, attempt: Attempt, _: &'static str, _: Option<Duration>) {
        match attempt {}
    }
}

/// Without metrics, no attempt is recorded.
#[derive(Clone, Copy)]
pub(super) enum Attempt {}

pub(in crate::runtime) fn describe() {}

#[cfg(feature = "cron")]
pub(super) fn runs_missed(_: &Cell, _: u64) {}

pub(in crate::runtime) fn pauses(_: usize, _: usize) {}

pub(in crate::runtime) fn checked(_: &Health) {}

#[cfg(feature = "controller")]
pub(super) fn queued(_: f64) {}

#[cfg(feature = "controller")]
pub(super) fn slot(_: &Cell, _: f64) {}

/// Without metrics, no lease is counted.
#[cfg(feature = "fleet")]
#[derive(Default)]
pub(in crate::runtime) struct Counted(());

#[cfg(feature = "fleet")]
pub(super) fn lease(_: &std::sync::Arc<str>, _: &'static str, _: bool, _: &mut Counted) {}

#[cfg(feature = "fleet")]
pub(in crate::runtime) fn renewed(_: Option<Duration>, _: Duration) {}

pub(crate) fn lost(_: &std::sync::Arc<str>, _: u64) {}
