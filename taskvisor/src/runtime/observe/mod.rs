//! The hooks for `tracing` and `metrics`.
//!
//! A `tracing` subscriber and a `metrics` recorder are user code: they are called with no lock held, and their panics
//! are caught. If a feature is off, its hooks do nothing.

#[cfg_attr(not(feature = "metrics"), path = "meter_off.rs")]
mod meter;
#[cfg_attr(not(feature = "tracing"), path = "trace_off.rs")]
mod trace;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::task::{Cell, Next};
use super::warnings::{self, of_retries};
use crate::inspect::TaskOutcome;
use crate::task::TaskError;

pub(crate) use meter::lost;
#[cfg(feature = "fleet")]
pub(super) use meter::{Counted, renewed};
pub(super) use meter::{checked, describe, pauses};
pub(super) use trace::RequestLines;
#[cfg(feature = "tracing")]
pub(super) use trace::Told;
pub(crate) use trace::{AttemptSpan, SpanRef};
pub(super) use trace::{
    added, drain_ended, group_ended, group_failed, paused, resumed, shutdown_over, shutdown_requested, shutdown_waits,
    warned,
};

/// The observations of the attempts of one actor.
#[derive(Default)]
pub(super) struct Observed {
    trace: trace::Trace,
    stopwatch: meter::Stopwatch,
}

impl Observed {
    /// Records the begin of an attempt. Returns `true` if the attempt has a span.
    #[inline]
    pub(super) fn begin(&mut self, cell: &Cell, attempt: u32) -> bool {
        self.stopwatch.begin(cell, attempt);
        self.trace.begin(cell, attempt)
    }

    /// Records that the attempt did not end in its first poll.
    pub(super) fn waits(&mut self, now: Instant) {
        self.stopwatch.waits(now);
    }

    /// Returns the span of the attempt, for its helpers.
    #[inline]
    pub(super) fn span(&self) -> SpanRef {
        self.trace.span()
    }

    /// Calls `f` in the span of the attempt, if there is one.
    #[inline]
    pub(super) fn in_span<T>(&self, f: impl FnOnce() -> T) -> T {
        self.trace.in_span(f)
    }

    pub(super) fn timed_out(&self, cell: &Cell, timeout: Duration) {
        self.trace.timed_out(cell, timeout);
    }

    /// Records the end of an attempt and its helpers. If the registration ends too, `ended` follows.
    #[inline]
    pub(super) fn concluded(&mut self, cell: &Cell, next: &Next, aborted: bool) {
        let stopped = self.stopwatch.stop();
        if stopped.is_some() || self.trace.is_heard() {
            self.tell_end(cell, next, aborted, stopped);
        }
    }

    #[inline(never)]
    fn tell_end(&mut self, cell: &Cell, next: &Next, aborted: bool, stopped: Option<meter::Attempt>) {
        if let Some(stopped) = stopped {
            let delay = if let Next::Retry { delay, .. } = next { Some(*delay) } else { None };
            self.stopwatch.tell_end(cell, stopped, attempt_label(next, aborted), delay);
        }
        if !self.trace.is_heard() {
            return;
        }
        self.trace.stopped(cell);
        if matches!(next, Next::End(_)) {
            return;
        }
        self.trace.concluded(cell, next);
        let warned = |warning: &str| self.in_span(|| trace::warned(cell.name(), Some(cell.id()), warning));
        match next {
            Next::Throttle { is_first: true, .. } => warned(warnings::AT_ONCE),
            Next::GiveUp { failures, .. } => warned(&warnings::of_given_up(*failures)),
            Next::Retry { streak, .. } => {
                let is_critical_without_end = cell.policy().is_critical_without_end();
                if let Some(warning) = of_retries(is_critical_without_end, *streak) {
                    warned(warning);
                }
            }
            _ => {}
        }
        self.trace.close();
    }

    /// Records the end of the registration, and of its attempt if there is one.
    pub(super) fn ended(&mut self, cell: &Cell, outcome: &TaskOutcome) {
        if let Some(stopped) = self.stopwatch.stop() {
            self.stopwatch.tell_end(cell, stopped, "aborted", None);
        }
        self.trace.ended(cell, outcome);
        self.trace.close();
    }
}

/// Returns a label for the end of an attempt.
fn attempt_label(next: &Next, aborted: bool) -> &'static str {
    let failed = |error: &TaskError| {
        let label = error.as_label();
        label.strip_prefix("task_").unwrap_or(label)
    };
    match next {
        _ if aborted => "aborted",
        Next::Scheduled | Next::Repeat(_) | Next::Throttle { .. } => "completed",
        Next::Restart(_) | Next::Hold(_) => "canceled",
        Next::Retry { error, .. } | Next::GiveUp { error, .. } => failed(error),
        Next::End(outcome @ (TaskOutcome::Canceled { .. } | TaskOutcome::Aborted { .. })) => outcome.as_label(),
        Next::End(outcome) => outcome.error().map_or("completed", |error| failed(error)),
    }
}

/// Records missed runs of a schedule.
#[cfg(feature = "cron")]
pub(super) fn runs_missed(cell: &Cell, count: u64, text: &str) {
    trace::runs_missed(cell, count, text);
    meter::runs_missed(cell, count);
}

/// Records a change of a lease. `label` is the label of its metrics.
#[cfg(feature = "fleet")]
pub(super) fn lease(path: &str, key: &str, label: &Arc<str>, change: LeaseChange<'_>, counted: &mut Counted) {
    trace::lease(path, key, change);
    let (change, is_held) = match change {
        LeaseChange::Acquired(_) => ("acquired", true),
        LeaseChange::Lost(_) => ("lost", false),
        LeaseChange::Released(_) => ("released", false),
        LeaseChange::Overrun => ("overrun", false),
    };
    meter::lease(label, change, is_held, counted);
}

/// A change of a lease.
#[cfg(feature = "fleet")]
#[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "metrics have no tokens and reasons"))]
#[derive(Clone, Copy)]
pub(super) enum LeaseChange<'a> {
    Acquired(u64),
    Lost(&'a str),
    Released(u64),
    Overrun,
}

/// Records that the store of the fleet does not answer, or answers again.
#[cfg(feature = "fleet")]
pub(super) fn fleet(name: &Arc<str>, failure: Option<&str>) {
    trace::fleet(name, failure);
}

/// Records the end of a registration.
pub(super) fn removed(cell: &Cell) {
    trace::removed(cell);
    #[cfg(feature = "controller")]
    meter::slot(cell, -1.0);
}

/// Records an accepted submission, which may be rejected later.
#[cfg(feature = "controller")]
pub(super) fn submitted(cell: &Cell, waits: bool) {
    meter::slot(cell, 1.0);
    if waits {
        meter::queued(1.0);
    }
}

/// Records a submission that has ended without an attempt.
#[cfg(feature = "controller")]
pub(super) fn not_run(cell: &Cell) {
    trace::not_run(cell);
    meter::slot(cell, -1.0);
}

/// Records that submissions no longer wait.
#[cfg(feature = "controller")]
pub(super) fn wait_no_more(count: usize) {
    #[expect(clippy::cast_precision_loss, reason = "there is no memory for so many")]
    meter::queued(-(count as f64));
}

/// A future that the library spawns besides the actors. Boxed, to avoid monomorphizing `spawn` for each future.
pub(crate) type Background = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Spawns a future as a Tokio task, with that name if Tokio supports names. A runtime that accepts no more tasks drops
/// the future. Returns `true` if the future is already completed or dropped.
pub(super) fn spawn<F>(runtime: &Handle, future: F, name: impl FnOnce(&F) -> Arc<str>) -> bool
where
    F: Future<Output = ()> + Send + 'static,
{
    #[cfg(all(tokio_unstable, feature = "tracing"))]
    {
        let name = name(&future);
        let spawned = tokio::task::Builder::new().name(&name).spawn_on(future, runtime);
        spawned.map_or(true, |task| task.is_finished())
    }
    #[cfg(not(all(tokio_unstable, feature = "tracing")))]
    {
        let _ = name;
        runtime.spawn(future).is_finished()
    }
}
