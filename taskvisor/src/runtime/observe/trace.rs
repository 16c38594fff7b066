//! Spans and log events for `tracing`.
//!
//! Without an interested subscriber, a span or event costs one comparison: nothing is formatted or allocated.

use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tracing::field::{DisplayValue, display};
use tracing::level_filters::LevelFilter;
use tracing::span::Entered;
use tracing::{Level, Span};

use super::super::group::GroupCell;
use super::super::task::{Cell, Next};
#[cfg(feature = "controller")]
use crate::inspect::RejectReason;
use crate::inspect::{TaskId, TaskOutcome, one_line};
use crate::panics::{catch, drop_caught};
use crate::supervisor::RuntimeError;
use crate::task::TaskError;

const TARGET: &str = "taskvisor";

/// The number of consecutive failures that are logged as warnings. Later failures are logged as errors.
const WARNED: u32 = 3;

/// The span of an attempt, if a subscriber is interested. It stays open while the actor or a helper has it.
#[derive(Default)]
pub(crate) struct AttemptSpan(Option<Arc<Span>>);

/// A guard: the span is entered until it is dropped.
pub(crate) struct InSpan<'a>(Option<Entered<'a>>);

/// A reference to the span of an attempt that does not keep it open.
#[derive(Clone, Default)]
pub(crate) struct SpanRef(Weak<Span>);

impl AttemptSpan {
    pub(super) fn downgrade(&self) -> SpanRef {
        SpanRef(self.0.as_ref().map(Arc::downgrade).unwrap_or_default())
    }

    /// Enters the span on this thread until the returned guard is dropped. Never held across an await.
    pub(crate) fn enter(&self) -> InSpan<'_> {
        InSpan(self.0.as_deref().and_then(enter))
    }

    pub(crate) fn close(&mut self) {
        if let Some(span) = self.0.take() {
            let _ = drop_caught(span);
        }
    }
}

/// Returns `None` if the subscriber panics.
#[cold]
fn enter(span: &Span) -> Option<Entered<'_>> {
    catch(|| span.enter()).ok()
}

impl Drop for InSpan<'_> {
    fn drop(&mut self) {
        if let Some(entered) = self.0.take() {
            let _ = drop_caught(entered);
        }
    }
}

impl Drop for AttemptSpan {
    fn drop(&mut self) {
        self.close();
    }
}

impl SpanRef {
    pub(crate) fn upgrade(&self) -> AttemptSpan {
        AttemptSpan(self.0.upgrade())
    }
}

/// Returns `true` if there can be an interested subscriber.
fn is_listened_to() -> bool {
    LevelFilter::current() != LevelFilter::OFF
}

/// Calls the subscriber, if there is one.
fn tell(f: impl FnOnce()) {
    #[cold]
    fn call(f: impl FnOnce()) {
        let _ = catch(f);
    }
    if is_listened_to() {
        call(f);
    }
}

/// Creates an event whose level is known only at run time.
macro_rules! event_at {
    ($level:expr, $($what:tt)+) => {
        match $level {
            Level::ERROR => tracing::error!(target: TARGET, $($what)+),
            Level::WARN => tracing::warn!(target: TARGET, $($what)+),
            Level::INFO => tracing::info!(target: TARGET, $($what)+),
            _ => tracing::debug!(target: TARGET, $($what)+),
        }
    };
}

/// Formats the error in one line before the subscriber is called: inside `panics::catch`, and not under a lock of the
/// subscriber.
fn shown(error: &Arc<TaskError>) -> DisplayValue<String> {
    display(one_line(&**error))
}

fn level_of_failure(failures: u32) -> Level {
    if failures > WARNED { Level::ERROR } else { Level::WARN }
}

fn level_of_end(outcome: &TaskOutcome) -> Level {
    match outcome {
        TaskOutcome::Completed | TaskOutcome::Canceled { error: None } | TaskOutcome::Rejected { .. } => Level::INFO,
        TaskOutcome::Canceled { error: Some(_) } | TaskOutcome::Aborted { .. } => Level::WARN,
        _ => Level::ERROR,
    }
}

pub(super) fn begin(cell: &Cell, attempt: u32) -> AttemptSpan {
    if is_listened_to() { open(cell, attempt) } else { AttemptSpan::default() }
}

#[cold]
fn open(cell: &Cell, attempt: u32) -> AttemptSpan {
    // The span is a root, and not a child of the span that is entered on this thread.
    let span = catch(|| {
        tracing::info_span!(
            target: TARGET,
            parent: None,
            "attempt",
            task = cell.own_name(),
            path = &**cell.name(),
            id = %cell.id(),
            attempt
        )
    });
    let span = AttemptSpan(span.ok().filter(|span| !span.is_disabled()).map(Arc::new));
    let entered = span.enter();
    tell(|| tracing::debug!(target: TARGET, path = &**cell.name(), id = %cell.id(), "attempt started"));
    drop(entered);
    span
}

pub(super) fn timed_out(cell: &Cell, timeout: Duration) {
    tell(|| tracing::info!(target: TARGET, path = &**cell.name(), id = %cell.id(), ?timeout, "timeout hit"));
}

/// Logs the end of an attempt whose registration continues.
pub(super) fn concluded(cell: &Cell, next: &Next) {
    let (path, id) = (&**cell.name(), cell.id());
    tell(|| match next {
        Next::Retry { error, delay, streak } => {
            event_at!(
                level_of_failure(*streak),
                path,
                %id,
                error = shown(error),
                kind = error.as_label(),
                failures = streak,
                "attempt failed"
            );
            tracing::debug!(target: TARGET, path, %id, ?delay, "backoff");
        }
        Next::Repeat(delay) => tracing::debug!(target: TARGET, path, %id, ?delay, "attempt completed"),
        Next::Restart(error) | Next::Hold(error) => {
            let level = if error.is_some() { Level::WARN } else { Level::DEBUG };
            let error = error.as_ref().map(shown);
            event_at!(level, path, %id, error, "attempt stopped, to start again");
        }
        // `ended` logs this.
        Next::End(_) => {}
    });
}

pub(super) fn ended(cell: &Cell, outcome: &TaskOutcome) {
    let (path, id) = (&**cell.name(), cell.id());
    let failures = if let TaskOutcome::Exhausted { failures, .. } = outcome { Some(*failures) } else { None };
    tell(|| {
        event_at!(
            level_of_end(outcome),
            path,
            %id,
            outcome = outcome.as_label(),
            error = outcome.error().map(shown),
            failures,
            "task ended"
        );
    });
}

pub(in crate::runtime) fn added(cell: &Cell) {
    tell(|| tracing::debug!(target: TARGET, path = &**cell.name(), id = %cell.id(), "task added"));
}

pub(super) fn removed(cell: &Cell) {
    tell(|| tracing::debug!(target: TARGET, path = &**cell.name(), id = %cell.id(), "task removed"));
}

#[cfg(feature = "controller")]
pub(super) fn not_run(cell: &Cell) {
    tell(|| {
        let slot = cell.slot().map(|slot| &**slot);
        let outcome = cell.try_outcome();
        let reason = match &outcome {
            Some(TaskOutcome::Rejected { reason }) => RejectReason::as_label(reason),
            _ => "canceled",
        };
        tracing::info!(target: TARGET, path = &**cell.name(), id = %cell.id(), slot, reason, "submission not run");
    });
}

pub(in crate::runtime) fn group_failed(group: &GroupCell, error: &Arc<TaskError>, failures: u32, delay: Duration) {
    tell(|| {
        event_at!(
            level_of_failure(failures),
            path = &**group.shown_path(),
            error = shown(error),
            failures,
            ?delay,
            "group failed"
        );
    });
}

pub(in crate::runtime) fn group_ended(group: &GroupCell, outcome: &TaskOutcome) {
    tell(|| {
        event_at!(
            level_of_end(outcome),
            path = &**group.shown_path(),
            outcome = outcome.as_label(),
            error = outcome.error().map(shown),
            "group ended"
        );
    });
}

pub(in crate::runtime) fn warned(path: &str, id: Option<TaskId>, reason: &str) {
    tell(|| tracing::warn!(target: TARGET, path, id = id.map(display), reason, "warning"));
}

pub(in crate::runtime) fn shutdown_requested(why: &str) {
    tell(|| tracing::info!(target: TARGET, reason = why, "shutdown requested"));
}

pub(in crate::runtime) fn shutdown_over(result: &Result<(), RuntimeError>) {
    tell(|| match result {
        Ok(()) => tracing::info!(target: TARGET, "shutdown complete"),
        Err(error) => {
            tracing::error!(target: TARGET, error = %one_line(error), kind = error.as_label(), "shutdown failed");
        }
    });
}

/// A runtime that accepts no more tasks drops the future in both cases.
pub(in crate::runtime) fn spawn<F>(runtime: &Handle, future: F, name: impl FnOnce(&F) -> Arc<str>)
where
    F: Future<Output = ()> + Send + 'static,
{
    #[cfg(tokio_unstable)]
    {
        let name = name(&future);
        let _ = tokio::task::Builder::new().name(&name).spawn_on(future, runtime);
    }
    #[cfg(not(tokio_unstable))]
    {
        let _ = name;
        runtime.spawn(future);
    }
}
