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

use super::task::{Cell, Next};
use super::warnings::{self, of_retries};
use crate::inspect::TaskOutcome;
use crate::task::TaskError;

pub(crate) use meter::lost;
#[cfg(feature = "fleet")]
pub(super) use meter::renewed;
pub(super) use meter::{checked, describe, pauses};
#[cfg(feature = "tracing")]
pub(crate) use trace::Told;
pub(crate) use trace::{AttemptSpan, SpanRef};
pub(super) use trace::{
    added, drain_ended, group_ended, group_failed, paused, resumed, shutdown_over, shutdown_requested, shutdown_waits,
    warned,
};

/// The observations of the attempts of one actor.
#[derive(Default)]
pub(super) struct Observed {
    span: AttemptSpan,
    stopwatch: meter::Stopwatch,
}

impl Observed {
    pub(super) fn begin(&mut self, cell: &Cell, attempt: u32) {
        self.stopwatch.begin(cell, attempt);
        self.span = trace::begin(cell, attempt);
    }

    /// Returns the span of the attempt, for its helpers.
    pub(super) fn span(&self) -> SpanRef {
        self.span.downgrade()
    }

    /// Enters the span of the attempt, if there is one, until the returned guard is dropped.
    pub(super) fn in_span(&self) -> impl Sized + '_ {
        self.span.enter()
    }

    pub(super) fn timed_out(&self, cell: &Cell, timeout: Duration) {
        let _in_span = self.in_span();
        trace::timed_out(cell, timeout);
    }

    /// Notes the end of an attempt and its helpers. If the registration ends too, `ended` follows.
    pub(super) fn concluded(&mut self, cell: &Cell, next: &Next, aborted: bool) {
        self.stopwatch.stop(cell, || attempt_label(next, aborted));
        trace::stopped(&self.span, cell);
        if let Next::Retry { delay, .. } = next {
            self.stopwatch.backoff(cell, *delay);
        }
        if !matches!(next, Next::End(_)) {
            let in_span = self.in_span();
            trace::concluded(cell, next);
            if let Next::Throttle { is_first: true, .. } = next {
                trace::warned(cell.name(), Some(cell.id()), warnings::AT_ONCE);
            }
            if let Next::GiveUp { failures, .. } = next {
                trace::warned(cell.name(), Some(cell.id()), &warnings::of_given_up(*failures));
            }
            if let Next::Retry { streak, .. } = next {
                let policy = cell.policy();
                if let Some(warning) = of_retries(policy.is_critical_without_end(), *streak) {
                    trace::warned(cell.name(), Some(cell.id()), warning);
                }
            }
            drop(in_span);
            self.span = AttemptSpan::default();
        }
    }

    /// Notes the end of the registration, and of its attempt if there is one.
    pub(super) fn ended(&mut self, cell: &Cell, outcome: &TaskOutcome) {
        self.stopwatch.stop(cell, || "aborted");
        let in_span = self.in_span();
        trace::ended(cell, outcome);
        drop(in_span);
        self.span = AttemptSpan::default();
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

/// Notes runs of a schedule that were missed.
#[cfg(feature = "cron")]
pub(super) fn runs_missed(cell: &Cell, count: u64, text: &str) {
    trace::runs_missed(cell, count, text);
    meter::runs_missed(cell, count);
}

/// Notes a change of a lease. `label` is that of its metrics.
#[cfg(feature = "fleet")]
pub(super) fn lease(path: &str, key: &str, label: &Arc<str>, change: LeaseChange<'_>) {
    trace::lease(path, key, change);
    let (change, is_held) = match change {
        LeaseChange::Acquired(_) => ("acquired", true),
        LeaseChange::Lost(_) => ("lost", false),
        LeaseChange::Released(_) => ("released", false),
        LeaseChange::Overrun => ("overrun", false),
    };
    meter::lease(label, change, is_held);
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

/// Notes that the store of the fleet does not answer, or answers again.
#[cfg(feature = "fleet")]
pub(super) fn fleet(name: &Arc<str>, failure: Option<&str>) {
    trace::fleet(name, failure);
}

/// Notes the end of a registration.
pub(super) fn removed(cell: &Cell) {
    trace::removed(cell);
    #[cfg(feature = "controller")]
    meter::slot(cell, -1.0);
}

/// Notes an accepted submission, which may be rejected later.
#[cfg(feature = "controller")]
pub(super) fn submitted(cell: &Cell, waits: bool) {
    meter::slot(cell, 1.0);
    if waits {
        meter::queued(1.0);
    }
}

/// Notes a submission that has ended without an attempt.
#[cfg(feature = "controller")]
pub(super) fn not_run(cell: &Cell) {
    trace::not_run(cell);
    meter::slot(cell, -1.0);
}

/// Notes that submissions no longer wait.
#[cfg(feature = "controller")]
pub(super) fn wait_no_more(count: usize) {
    #[expect(clippy::cast_precision_loss, reason = "there is no memory for so many")]
    meter::queued(-(count as f64));
}

/// A future that the runtime spawns beside the actors. Boxed, to avoid monomorphizing `spawn` for each future.
pub(crate) type Background = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Spawns a future, as a Tokio task of that name where Tokio has names. A runtime that accepts no more tasks drops the
/// future. Returns `true` if the future is done or dropped by now.
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
