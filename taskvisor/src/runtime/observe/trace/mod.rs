//! Spans and log events for `tracing`.
//!
//! Without an interested subscriber, a span or event costs one comparison: nothing is formatted or allocated. The span
//! of an attempt is entered for its code, and for the log events about it.

use std::borrow::Cow;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tracing::field::{DisplayValue, Empty, display};
use tracing::level_filters::LevelFilter;
use tracing::span::Entered;
use tracing::{Level, Span};

use super::super::core::Core;
use super::super::task::{Cell, Next};
use crate::events::{Often, Repeated, Repeats, Tell};
use crate::inspect::{TaskOutcome, now, one_line, text_of};
use crate::panics::{catch, drop_caught};
use crate::policy::SpanScope;
use crate::sync::lock;
use crate::task::{StopKind, StopReason, TaskError};

const TARGET: &str = "taskvisor";

/// The number of consecutive failures that are logged as warnings. Later failures are logged as errors.
const WARNED: u32 = 3;

/// The traces of the attempts of one actor.
#[derive(Default)]
pub(super) struct Trace {
    span: AttemptSpan,
    failures: Repeated,
}

/// The failures in a tree that repeat, of its groups and of tasks that end with a group.
#[derive(Default)]
pub(crate) struct Told {
    /// `true` once a group has failed.
    has_groups: AtomicBool,
    /// The lock is a leaf: nothing else is locked, and no user code runs, under it.
    repeats: Mutex<Repeats<Arc<str>>>,
    /// The rejections of each slot; a leaf as well.
    #[cfg(feature = "controller")]
    rejections: Mutex<Repeats<Arc<str>>>,
}

/// Returns `true` if this is in a group that keeps failing with the same error: its begin and its end are not logged. What
/// a shutdown ends does not begin again.
fn is_within_quiet(core: &Core, path: &str) -> bool {
    let told = &core.told;
    told.has_groups.load(Ordering::Relaxed) && !core.is_stopping() && lock(&told.repeats).is_within_quiet(path, now())
}

/// The span of an attempt, if a subscriber is interested. It stays open while the actor or a helper holds it.
#[derive(Default)]
pub(crate) struct AttemptSpan(Option<Arc<Span>>);

/// A reference to the span of an attempt that does not keep it open.
#[derive(Clone, Default)]
pub(crate) struct SpanRef(Weak<Span>);

/// The span of an attempt, entered on this thread.
pub(crate) struct InSpan<'a>(Option<Entered<'a>>);

impl AttemptSpan {
    /// Enters the span on this thread until the returned guard is dropped. The guard is never held across an await.
    /// Enters nothing if there is no span, or if the subscriber panics.
    pub(crate) fn enter(&self) -> InSpan<'_> {
        InSpan(self.0.as_deref().and_then(|span| catch(|| span.enter()).ok()))
    }

    /// Calls `f` in the span. Without a span, this costs one comparison.
    #[inline]
    fn in_span<T>(&self, f: impl FnOnce() -> T) -> T {
        if self.0.is_none() { f() } else { self.entered(f) }
    }

    #[inline(never)]
    fn entered<T>(&self, f: impl FnOnce() -> T) -> T {
        let _in_span = self.enter();
        f()
    }

    fn downgrade(&self) -> SpanRef {
        SpanRef(self.0.as_ref().map(Arc::downgrade).unwrap_or_default())
    }

    fn open(&mut self, span: Span) {
        match self.0.as_mut().and_then(Arc::get_mut) {
            Some(place) => *place = span,
            None => self.0 = Some(Arc::new(span)),
        }
    }

    /// Closes the span, unless a helper holds it. If nothing else refers to it, its allocation is kept for the next
    /// span.
    fn close(&mut self) {
        let _ = match self.0.as_mut().map(Arc::get_mut) {
            Some(Some(span)) => drop_caught(mem::replace(span, Span::none())),
            Some(None) => drop_caught(self.0.take()),
            None => return,
        };
    }
}

impl Drop for AttemptSpan {
    #[inline]
    fn drop(&mut self) {
        if let Some(span) = self.0.take() {
            let _ = drop_caught(span);
        }
    }
}

impl Drop for InSpan<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(entered) = self.0.take() {
            let _ = drop_caught(entered);
        }
    }
}

impl SpanRef {
    /// Returns the span while it is open, or a disabled span.
    pub(crate) fn span(&self) -> Span {
        self.0.upgrade().map_or_else(Span::none, |span| (*span).clone())
    }

    pub(crate) fn upgrade(&self) -> AttemptSpan {
        AttemptSpan(self.0.upgrade())
    }
}

/// Returns `true` if a subscriber can be interested in anything.
#[inline]
fn is_heard() -> bool {
    LevelFilter::current() != LevelFilter::OFF
}

/// Calls the subscriber, if there can be an interested one.
fn tell<T: Default>(f: impl FnOnce() -> T) -> T {
    if is_heard() { catch(f).unwrap_or_default() } else { T::default() }
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

// Declared after the macro that it uses.
mod lines;
mod request_lines;
pub(in crate::runtime) use lines::*;
pub(in crate::runtime) use request_lines::RequestLines;

/// Formats the error in one line before the subscriber is called, so that user code runs inside `panics::catch` and not
/// under a lock of the subscriber.
fn shown(error: &Arc<TaskError>) -> DisplayValue<String> {
    display(one_line(&**error))
}

fn level_of_failure(failures: u32) -> Level {
    if failures > WARNED { Level::ERROR } else { Level::WARN }
}

fn level_of_end(outcome: &TaskOutcome) -> Level {
    match outcome {
        TaskOutcome::Completed | TaskOutcome::Canceled { error: None, .. } | TaskOutcome::Rejected { .. } => {
            Level::INFO
        }
        TaskOutcome::Canceled { error: Some(_), .. } | TaskOutcome::Aborted { .. } => Level::WARN,
        _ => Level::ERROR,
    }
}

impl Trace {
    /// Returns `true` if the end of an attempt may have to be logged or its span closed.
    #[inline]
    pub(super) fn is_heard(&self) -> bool {
        is_heard() || self.span.0.is_some()
    }

    pub(super) fn span(&self) -> SpanRef {
        self.span.downgrade()
    }

    #[inline]
    pub(super) fn in_span<T>(&self, f: impl FnOnce() -> T) -> T {
        self.span.in_span(f)
    }

    #[inline]
    pub(super) fn close(&mut self) {
        self.span.close();
    }

    /// Opens the span of an attempt. Returns `true` if there is one.
    #[inline]
    pub(super) fn begin(&mut self, cell: &Cell, attempt: u32) -> bool {
        is_heard() && self.tell_begin(cell, attempt)
    }

    #[inline(never)]
    fn tell_begin(&mut self, cell: &Cell, attempt: u32) -> bool {
        // The span is a root span, not a child of the span that is entered on this thread.
        let span = catch(|| {
            if cell.policy().span == SpanScope::None {
                return None;
            }
            Some(tracing::info_span!(
                target: TARGET,
                parent: None,
                "attempt",
                task = cell.own_name(),
                path = &**cell.name(),
                id = %cell.id(),
                attempt,
                stop = Empty,
                failed = Empty
            ))
        });
        if let Some(span) = span.ok().flatten().filter(|span| !span.is_disabled()) {
            self.span.open(span);
        }
        let is_shown = LevelFilter::current() >= LevelFilter::DEBUG && !self.failures.is_quiet();
        if is_shown && !is_within_quiet(cell.core(), cell.name()) {
            let _in_span = self.span.enter();
            tell(|| tracing::debug!(target: TARGET, path = &**cell.name(), id = %cell.id(), "attempt started"));
        }
        self.span.0.is_some()
    }

    /// Records the reason of the stop request in the span of the attempt.
    pub(super) fn stopped(&self, cell: &Cell) {
        let (Some(span), Some(reason)) = (&self.span.0, cell.last_stop_reason()) else { return };
        tell(|| {
            span.record("stop", reason.as_label());
            if let StopReason::SiblingRestart { failed } = reason {
                span.record("failed", failed.as_str());
            }
        });
    }

    pub(super) fn timed_out(&self, cell: &Cell, timeout: Duration) {
        if self.failures.is_quiet() {
            return;
        }
        let _in_span = self.span.enter();
        tell(|| tracing::info!(target: TARGET, path = &**cell.name(), id = %cell.id(), ?timeout, "timeout hit"));
    }

    /// Logs the end of an attempt whose registration continues.
    pub(super) fn concluded(&mut self, cell: &Cell, next: &Next) {
        let (path, id) = (&**cell.name(), cell.id());
        match next {
            Next::Retry { error, delay, streak, .. } => self.failed(cell, error, *delay, *streak),
            Next::Repeat(delay) | Next::Throttle { pause: delay, .. } => {
                let _in_span = self.span.enter();
                tell(|| tracing::debug!(target: TARGET, path, %id, ?delay, "attempt completed"));
                recovered(cell, self.failures.over());
            }
            Next::Scheduled => {
                let _in_span = self.span.enter();
                tell(|| tracing::debug!(target: TARGET, path, %id, "attempt completed"));
                recovered(cell, self.failures.over());
            }
            Next::GiveUp { error, failures } => {
                let _in_span = self.span.enter();
                tell(|| {
                    let (kind, error) = (error.as_label(), shown(error));
                    event_at!(level_of_failure(*failures), path, %id, error, kind, failures, "attempt failed");
                });
            }
            Next::Restart(error) | Next::Hold(error) => {
                self.failures.stopped(now());
                if error.is_none() && is_within_quiet(cell.core(), cell.name()) {
                    return;
                }
                let _in_span = self.span.enter();
                tell(|| {
                    let level = if error.is_some() { Level::WARN } else { Level::DEBUG };
                    let error = error.as_ref().map(shown);
                    event_at!(level, path, %id, error, "attempt stopped, to start again");
                });
            }
            // `ended` logs this.
            Next::End(_) => {}
        }
    }

    /// Logs a failure that is retried, unless it repeats many failures before it.
    fn failed(&mut self, cell: &Cell, error: &Arc<TaskError>, delay: Duration, streak: u32) {
        let (path, id) = (&**cell.name(), cell.id());
        let known = text_of(error);
        // Nothing is formatted or counted if the subscriber does not accept errors. The rest of a series needs no look.
        let is_rest = known.is_some() && self.failures.is_quiet();
        if !is_rest && !matches!(catch(|| tracing::enabled!(target: TARGET, Level::ERROR)), Ok(true)) {
            return;
        }
        let Self { span, failures } = self;
        let told = &cell.core().told;
        if failures.is_empty() && told.has_groups.load(Ordering::Relaxed) {
            *failures = lock(&told.repeats).take(cell.name());
        }
        let mut in_span = None;
        let text = if let Some(text) = known {
            Cow::Borrowed(text)
        } else {
            // Other errors are formatted by user code, inside the span.
            in_span = Some(span.enter());
            Cow::Owned(one_line(&**error))
        };
        let repeated = match failures.failed(&text, now()) {
            Tell::Whole => None,
            Tell::Again(often) => Some(often.to_string()),
            Tell::Nothing => return,
        };
        let _in_span = in_span.unwrap_or_else(|| span.enter());
        tell(|| {
            event_at!(
                level_of_failure(streak),
                path,
                %id,
                error = display(text),
                kind = error.as_label(),
                failures = streak,
                repeated,
                "attempt failed"
            );
            if LevelFilter::current() >= LevelFilter::DEBUG && !failures.is_quiet() {
                tracing::debug!(target: TARGET, path, %id, ?delay, "backoff");
            }
        });
    }

    pub(super) fn ended(&mut self, cell: &Cell, outcome: &TaskOutcome) {
        let failures = mem::take(&mut self.failures);
        let told = &cell.core().told;
        if !failures.is_empty() && cell.why_stopped() == Some(StopKind::GroupFailed) {
            lock(&told.repeats).keep(cell.name(), failures, now());
        } else if told.has_groups.load(Ordering::Relaxed) {
            lock(&told.repeats).ended(cell.name(), now());
        }
        if matches!(outcome, TaskOutcome::Canceled { error: None, .. }) && is_within_quiet(cell.core(), cell.name()) {
            return;
        }
        let (path, id) = (&**cell.name(), cell.id());
        let failures = if let TaskOutcome::Exhausted { failures, .. } = outcome { Some(*failures) } else { None };
        let _in_span = self.span.enter();
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
}

/// Logs a success after failures that were not logged one by one.
fn recovered(cell: &Cell, often: Option<Often>) {
    if let Some(often) = often {
        let path = &**cell.name();
        tell(|| tracing::info!(target: TARGET, path, id = %cell.id(), after = often.recovered(), "recovered"));
    }
}
