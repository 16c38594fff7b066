//! The requests of the current attempt to its cell, through its context.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::decision::{Ending, Request};
use super::super::helpers::{Helper, Running};
use super::super::machine::{Cut, Stage};
use super::signal::Signal;
use super::{Cell, State};
use crate::events::Reason;
use crate::inspect::TaskOutcome;
use crate::runtime::clock::{Ticks, after};
use crate::runtime::observe::{self, Background, SpanRef};
use crate::runtime::timer::is_never;
use crate::supervisor::has_returned;
use crate::task::{Job, StopKind, StopReason, TaskError};

impl Cell {
    /// Returns the reason of the stop request. For a final attempt it is the reason why no other attempt follows.
    pub(crate) fn stop_reason(&self, attempt: u64) -> Option<StopReason> {
        let mut state = self.lock();
        let why = state.machine.why.filter(|_| state.machine.attempt == attempt);
        if why.is_some() {
            state.machine.hears(attempt);
        }
        drop(state);
        why.map(|why| self.stop_reason_of(why))
    }

    /// Returns the reason why the attempt is canceled.
    pub(super) fn reason_of_end(&self, attempt: u64) -> StopReason {
        let why = self.lock().why_ended(attempt);
        self.reason_of(why)
    }

    /// Returns the reason of a cancellation. Called with no lock held.
    #[inline]
    pub(super) fn reason_of(&self, why: Why) -> StopReason {
        match why {
            Why::Asked(why) => self.stop_reason_of(why),
            // If nothing was requested, code of the running attempt itself has canceled its token.
            Why::Runs => StopReason::Canceled,
            Why::Over => StopReason::Ended,
        }
    }

    #[cfg(any(feature = "tracing", feature = "cron"))]
    pub(in crate::runtime) fn why_stopped(&self) -> Option<StopKind> {
        self.lock().machine.why
    }

    /// Returns the reason why the current or last attempt was requested to stop.
    #[cfg(feature = "tracing")]
    pub(in crate::runtime) fn last_stop_reason(&self) -> Option<StopReason> {
        self.why_stopped().map(|why| self.stop_reason_of(why))
    }

    #[inline]
    pub(in crate::runtime) fn stop_reason_of(&self, why: StopKind) -> StopReason {
        why.plain().unwrap_or_else(|| self.stop_reason_in_group(why))
    }

    #[cold]
    fn stop_reason_in_group(&self, why: StopKind) -> StopReason {
        let group = || self.member().map(|member| &member.group);
        why.reason(
            || group().map(|group| group.first_failed()).unwrap_or_default(),
            || group().and_then(|group| group.failing()),
        )
    }

    /// Returns the outcome of a task that is stopped without a further attempt.
    #[cfg(feature = "controller")]
    pub(in crate::runtime) fn canceled(&self) -> TaskOutcome {
        let why = self.lock().machine.why;
        self.canceled_for(why)
    }

    /// Returns the outcome of a task that is stopped for this reason without a further attempt.
    pub(in crate::runtime) fn canceled_for(&self, why: Option<StopKind>) -> TaskOutcome {
        let why = why.unwrap_or(StopKind::Canceled);
        TaskOutcome::Canceled { error: None, reason: self.stop_reason_of(why), finished: false }
    }

    /// Returns the failure of the attempt before. `None` once this attempt has ended.
    pub(crate) fn error_before(&self, attempt: u64) -> Option<Arc<TaskError>> {
        let state = self.lock();
        let is_own = state.machine.attempt == attempt && state.machine.is_alive();
        if is_own { state.last_error.clone() } else { None }
    }

    /// Sets the time until the next attempt, unless the attempt has ended.
    pub(crate) fn repeat_after(&self, attempt: u64, delay: Duration) {
        let mut state = self.lock();
        if state.machine.attempt == attempt && state.machine.is_alive() {
            state.aside.get_or_insert_default().repeat_after = Some(delay);
        }
    }

    /// Returns the time by which the attempt must have ended after a stop request or an exceeded limit.
    pub(crate) fn stop_deadline(&self, attempt: u64) -> Option<Instant> {
        let state = self.lock();
        let why = state.machine.why.filter(|_| state.machine.attempt == attempt)?;
        let stop_by = if state.machine.is_alive() { state.until } else { Ticks::MAX };
        drop(state);
        // The longest times have an end in ticks, and never elapse.
        let own = (stop_by != Ticks::MAX).then(|| self.core.clock.instant(stop_by)).filter(|own| !is_never(*own));
        // The last layer of a shutdown has no deadline of its own.
        let grace = if why == StopKind::Shutdown { self.core.stop_deadline() } else { None };
        own.into_iter().chain(grace).min()
    }

    pub(crate) fn spawn_helper<F>(self: &Arc<Self>, attempt: u64, span: &SpanRef, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Some((running, abort)) = self.joined(attempt) else { return };
        // The helper already counts as running, so the span of the attempt stays open until the helper ends.
        let helper: Background = Box::pin(Helper::new(future, abort, span.upgrade(), running));
        if let Ok(runtime) = self.core.runtime() {
            observe::spawn(&runtime, helper, |_| Arc::clone(&self.name));
        }
    }

    /// Creates a job that is joined when the attempt ends. It cannot be aborted once it runs.
    pub(crate) fn job(
        self: &Arc<Self>,
        attempt: u64,
        span: &SpanRef,
        work: impl FnOnce() -> Result<(), TaskError> + Send + 'static,
    ) -> Job {
        let Some((running, _)) = self.joined(attempt) else { return Box::new(|| Err(TaskError::Canceled)) };
        if let Some(aside) = &mut self.lock().aside {
            aside.blocks = true;
        }
        // Dropped in this order, even if the job never runs: the actor closes the span when the last helper no longer
        // counts as running.
        let parts = (work, span.upgrade(), running);
        Box::new(move || {
            let (work, span, running) = parts;
            running.run(move || {
                let _in_span = span.enter();
                work()
            })
        })
    }

    /// Counts one more helper, unless the attempt has ended.
    fn joined(self: &Arc<Self>, attempt: u64) -> Option<(Running, CancellationToken)> {
        let mut state = self.lock();
        if !state.machine.is_running(attempt) {
            return None;
        }
        let aside = state.aside.get_or_insert_default();
        aside.running += 1;
        let abort = aside.abort.get_or_insert_default().clone();
        #[cfg(feature = "fleet")]
        let hold = aside.hold.clone();
        let running = Running(
            Arc::clone(self),
            #[cfg(feature = "fleet")]
            hold,
        );
        Some((running, abort))
    }

    pub(in crate::runtime) fn has_helpers(&self) -> bool {
        self.lock().aside.as_ref().is_some_and(|aside| aside.running > 0)
    }

    /// Returns the number of helpers that keep a task from its end, or kept it until they were aborted, although its
    /// function has returned.
    pub(in crate::runtime) fn left_helpers(&self) -> usize {
        self.lock().aside.as_ref().map_or(0, |aside| aside.left_helpers())
    }

    /// Aborts the helpers. Returns `true` if the attempt had no result before something was requested. A result from
    /// before the request stands. An attempt that was ended for a violation, such as one on a thread, has not stopped
    /// in time for a stop either.
    pub(in crate::runtime) fn abort_helpers(&self) -> bool {
        let mut state = self.lock();
        let is_stop = state.machine.request == Request::Stop && !state.machine.has_last();
        let is_stuck = is_stop && state.aside.as_ref().is_some_and(|aside| aside.violated);
        let has_result = matches!(state.machine.stage, Stage::Joining { unasked: true, .. }) && !is_stuck;
        let is_asked = state.machine.request != Request::Nothing;
        let abort = state.aside.as_mut().and_then(|aside| {
            aside.left = aside.left_helpers();
            aside.abort.clone()
        });
        drop(state);
        if let Some(abort) = abort {
            abort.cancel();
        }
        is_asked && !has_result
    }

    pub(in crate::runtime) fn helper_panicked(&self, panic: TaskError) {
        let mut state = self.lock();
        let Some(aside) = &mut state.aside else { return };
        if aside.panic.is_some() {
            return;
        }
        aside.panic = Some(panic);
        let effects = state.machine.helper_panicked();
        state.until = state.until.min(after(self.core.clock.now(), self.window()));
        let signal = if effects.interrupts { state.take_signal() } else { Signal::default() };
        self.wake_and_send(state, signal);
    }

    pub(in crate::runtime) fn helper_ended(&self) {
        let mut state = self.lock();
        let Some(aside) = &mut state.aside else { return };
        aside.running -= 1;
        if aside.running == 0 && matches!(state.machine.stage, Stage::Joining { .. }) {
            self.wake(state);
        }
    }
}

/// Why a canceled attempt is to end.
#[derive(Clone, Copy)]
pub(super) enum Why {
    /// By a request.
    Asked(StopKind),
    /// By no request, and it runs.
    Runs,
    /// It has ended.
    Over,
}

impl State {
    /// Returns why the attempt is canceled.
    #[inline]
    pub(super) fn why_ended(&self, attempt: u64) -> Why {
        match self.machine.why {
            Some(why) if self.machine.attempt == attempt => Why::Asked(why),
            _ if self.machine.is_running(attempt) => Why::Runs,
            _ => Why::Over,
        }
    }

    /// Records whether the function of an attempt has returned by itself. Called before its helpers are joined.
    pub(super) fn note_return(&mut self, ending: &Ending) {
        let is_cut = matches!(self.machine.stage, Stage::Running(Cut::TimedOut | Cut::HelperPanicked));
        let is_panic = matches!(ending, Ending::Result(Err(TaskError::Panicked(_))));
        if let Some(aside) = &mut self.aside {
            aside.returned = matches!(ending, Ending::Result(_)) && !is_cut && !is_panic;
            aside.violated = is_cut;
        }
    }
}

/// Returns the reason of an abort of an attempt, whose function had left this many helpers.
pub(super) fn reason_of_abort(left: usize) -> Reason {
    match left {
        0 => "aborted: did not stop in time".into(),
        _ => format!("aborted: did not stop in time: {}", has_returned(left)).into(),
    }
}
