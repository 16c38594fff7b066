//! Replaces `trace` if the feature `tracing` is off.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;

use super::super::core::Core;
use super::super::group::GroupCell;
use super::super::shutdown::Waiting;
use super::super::task::{Cell, Next};
#[cfg(feature = "fleet")]
use super::LeaseChange;
use crate::inspect::{TaskId, TaskOutcome};
use crate::panics::Fenced;
use crate::supervisor::RuntimeError;
use crate::task::TaskError;

/// Replaces the span of an attempt, the reference to it, and the traces of attempts.
#[derive(Clone, Default)]
pub(crate) struct NoSpan;
pub(crate) type AttemptSpan = NoSpan;
pub(crate) type SpanRef = NoSpan;
pub(super) type Trace = NoSpan;

/// Replaces the announced lines about the requests of a shutdown, and one of them.
#[derive(Default)]
pub(in crate::runtime) struct RequestLines;
pub(in crate::runtime) struct RequestLine;

#[expect(clippy::unused_self, reason = "it has the shape of the real one")]
impl RequestLines {
    pub(in crate::runtime) fn announce(&self) -> RequestLine {
        RequestLine
    }

    pub(in crate::runtime) fn write_apart(_: &Arc<Core>, _: impl Fn() + Send + Sync + 'static) {}

    pub(in crate::runtime) fn are_written(&self) -> bool {
        true
    }

    pub(in crate::runtime) fn written(&self) -> Ready<()> {
        ready(())
    }
}

#[expect(clippy::unused_self, reason = "it has the shape of the real one")]
impl NoSpan {
    pub(super) fn is_heard(&self) -> bool {
        false
    }

    pub(super) fn span(&self) -> Self {
        Self
    }

    pub(crate) fn upgrade(&self) -> Self {
        Self
    }

    pub(crate) fn enter(&self) -> Option<Fenced<()>> {
        None
    }

    pub(super) fn in_span<T>(&self, f: impl FnOnce() -> T) -> T {
        f()
    }

    pub(super) fn close(&mut self) {}

    pub(super) fn begin(&mut self, _: &Cell, _: u32) -> bool {
        false
    }

    pub(super) fn stopped(&self, _: &Cell) {}

    pub(super) fn timed_out(&self, _: &Cell, _: Duration) {}

    pub(super) fn concluded(&mut self, _: &Cell, _: &Next) {}

    pub(super) fn ended(&mut self, _: &Cell, _: &TaskOutcome) {}
}

pub(in crate::runtime) fn added(_: &Cell) {}

pub(super) fn removed(_: &Cell) {}

#[cfg(feature = "controller")]
pub(super) fn not_run(_: &Cell) {}

pub(in crate::runtime) fn group_failed(_: &GroupCell, _: &Arc<TaskError>, _: u32, _: Duration) {}

pub(in crate::runtime) fn group_ended(_: &GroupCell, _: &TaskOutcome) {}

#[cfg(feature = "fleet")]
pub(super) fn lease(_: &str, _: &str, _: LeaseChange<'_>) {}

#[cfg(feature = "fleet")]
pub(super) fn fleet(_: &str, _: Option<&str>) {}

#[cfg(feature = "cron")]
pub(super) fn runs_missed(_: &Cell, _: u64, _: &str) {}

pub(in crate::runtime) fn warned(_: &str, _: Option<TaskId>, _: &str) {}

pub(in crate::runtime) fn paused(_: Option<&str>, _: Option<&str>) {}

pub(in crate::runtime) fn resumed(_: Option<&str>, _: Option<&str>) {}

pub(in crate::runtime) fn shutdown_requested(_: &str) {}

pub(in crate::runtime) fn shutdown_waits(_: &Waiting) {}

pub(in crate::runtime) fn drain_ended(_: &str) {}

pub(in crate::runtime) fn shutdown_over(_: &Result<(), RuntimeError>) {}
