//! Commands to a task: stop, restart, trigger, and the wait for its outcome.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use super::super::decision::Request;
use super::super::machine::{Effects, Stage};
use super::signal::Signal;
use super::{ABORT, Bound, Cell, State};
use crate::events::EventKind;
use crate::inspect::TaskOutcome;
use crate::panics::drop_caught;
use crate::policy::Ready;
use crate::runtime::clock::{Ticks, after};
use crate::runtime::group::Member;
use crate::runtime::shutdown::within;
use crate::supervisor::{RuntimeError, StopLimit};
use crate::sync::wait_in;
use crate::task::{StopKind, TaskRef};

impl Cell {
    /// Requests the task to stop. Returns whether this is the first request; `None` if the task has ended.
    pub(crate) fn stop(&self, bound: Bound, why: StopKind) -> Option<bool> {
        self.stop_at(None, bound, why)
    }

    /// Like `stop`, for many requests at the same time.
    pub(in crate::runtime) fn stop_at(&self, now: Option<Ticks>, bound: Bound, why: StopKind) -> Option<bool> {
        let by_name = matches!(why, StopKind::Canceled | StopKind::Removed | StopKind::Replaced);
        let mut state = self.lock();
        #[cfg(feature = "controller")]
        if state.machine.stage == Stage::Queued {
            drop(state);
            if self.core.withdraw(self, by_name) {
                return Some(true);
            }
            // The submission has started in the meantime, or was withdrawn by another call.
            state = self.lock();
        }
        if state.machine.stage == Stage::Ended {
            return None;
        }
        let first = state.machine.request != Request::Stop;
        if first && by_name {
            self.announce(EventKind::TaskRemoveRequested);
        }
        state.tighten(bound, why);
        let effects = state.machine.stop(&self.policy, bound.is_now());
        if state.machine.is_last() && !state.machine.is_alive() {
            self.bound_last(&mut state, bound, first);
        }
        let spare = if state.machine.stage == Stage::Over { self.returns_no_more(&mut state) } else { None };
        self.carry_out_here(now, state, bound, effects);
        if let Some(spare) = spare {
            let _ = drop_caught(spare);
        }
        Some(first)
    }

    /// Takes the task of an added child that its group has stopped and keeps, if it was requested to stop by itself
    /// before its registration has ended.
    #[cold]
    fn returns_no_more(&self, state: &mut State) -> Option<TaskRef> {
        let by_group = matches!(state.machine.why, Some(StopKind::GroupStopped | StopKind::GroupFailed));
        if self.was_added() && !by_group { state.task.take() } else { None }
    }

    /// Sets the deadline of a final attempt that waits for a permit or a turn of the scheduler. Its time counts from
    /// the request on.
    #[cold]
    fn bound_last(&self, state: &mut State, bound: Bound, is_first: bool) {
        let now = self.core.clock.now();
        if is_first {
            (state.since, state.until) = (now, Ticks::MAX);
        }
        if bound != Bound::OPEN {
            state.until = state.until.min(after(now, bound.time.time()));
        }
    }

    /// Restarts the task: ends a wait or the running attempt. Returns `false` if no attempt can follow.
    pub(crate) fn restart(&self) -> bool {
        let mut state = self.lock();
        let Some(effects) = state.machine.restart() else { return false };
        let bound = self.own_bound(self.stop_bound());
        if effects.interrupts {
            state.tighten(bound, StopKind::Restart);
        }
        self.carry_out(None, state, bound, effects);
        true
    }

    /// Ends a wait for an initial delay, an interval or a backoff. If an attempt of a periodic task runs, one more run
    /// becomes due after it. Returns `false` if neither is the case.
    pub(crate) fn trigger(&self) -> bool {
        let mut state = self.lock();
        if state.machine.owe(&self.policy) {
            return true;
        }
        let Some(effects) = state.machine.trigger(&self.policy) else { return false };
        self.carry_out(None, state, Bound::OPEN, effects);
        true
    }

    /// Wakes the actor, which reads the clock again.
    #[cfg(all(feature = "cron", feature = "test-util"))]
    pub(crate) fn look_again(&self) {
        self.wake(self.lock());
    }

    /// Carries out the effects of a command, after releasing the lock. `bound` is the deadline of a running attempt.
    pub(in crate::runtime) fn carry_out(
        &self,
        now: Option<Ticks>,
        state: MutexGuard<'_, State>,
        bound: Bound,
        effects: Effects,
    ) {
        self.carry_out_here(now, state, bound, effects);
    }

    #[allow(clippy::inline_always, reason = "the compiler leaves 40 instructions of each stop to calls")]
    #[inline(always)]
    fn carry_out_here(&self, now: Option<Ticks>, mut state: MutexGuard<'_, State>, bound: Bound, effects: Effects) {
        // Read before the lock is released, so that the note has the epoch of this start or stop.
        let epoch = if effects.note.is_some() { self.epoch() } else { 0 };
        // A final attempt is not interrupted, because it began after the stop request. A later request can leave it
        // less time.
        let is_final = state.machine.is_last() && state.machine.is_alive();
        if effects.interrupts || is_final {
            let now = now.unwrap_or_else(|| self.core.clock.now());
            if effects.is_first {
                state.since = now;
            }
            if bound != Bound::OPEN {
                let stop_by = after(now, bound.time.time());
                // The time to clean up after a violation may be over when the first request comes.
                if stop_by < state.until || (effects.is_first && state.until <= now) {
                    if !bound.is_now() {
                        state.until = stop_by;
                    }
                    state.machine.limit = bound.limit;
                }
            }
        } else {
            state.leaves_its_wait();
        }
        let signal = if effects.interrupts { state.take_signal() } else { Signal::default() };
        self.wake_here(state, signal);
        if let Some(note) = effects.note {
            self.tell_group_of(epoch, note);
        }
    }

    /// Sets the news flag, and wakes the actor after the lock is released.
    #[inline]
    pub(in crate::runtime) fn wake(&self, state: MutexGuard<'_, State>) {
        self.wake_and_send(state, Signal::default());
    }

    /// Like `wake`, but sends the signal of the attempt first.
    #[inline]
    pub(in crate::runtime) fn wake_and_send(&self, state: MutexGuard<'_, State>, signal: Signal) {
        self.wake_here(state, signal);
    }

    #[allow(clippy::inline_always, reason = "the compiler leaves 20 instructions of each stop to a call")]
    #[inline(always)]
    pub(super) fn wake_here(&self, state: MutexGuard<'_, State>, signal: Signal) {
        self.news.raise();
        let waker = state.waker.clone();
        drop(state);
        signal.send();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Returns the time that a stop by name or handle waits.
    pub(crate) fn stop_bound(&self) -> Duration {
        self.policy.stop_timeout.unwrap_or(self.core.config.grace)
    }

    /// Returns the deadline of a stop by name or handle.
    pub(in crate::runtime) fn own_bound(&self, within: Duration) -> Bound {
        let is_own = self.policy.stop_timeout.is_some();
        Bound::within(within, if is_own { StopLimit::StopTimeout } else { StopLimit::Grace })
    }

    /// Returns the time of the clean-up after a timeout.
    pub(in crate::runtime) fn window(&self) -> Duration {
        const WINDOW: Duration = Duration::from_secs(5);
        self.policy.cleanup.or(self.policy.stop_timeout).unwrap_or(WINDOW.min(self.core.config.grace))
    }

    /// Requests the task to stop and waits until it has ended, unless the task itself calls. Returns `true` for the
    /// first request.
    pub(crate) async fn cancel(self: &Arc<Self>, within: Duration) -> Result<bool, RuntimeError> {
        let Some(first) = self.stop(self.own_bound(within), StopKind::Canceled) else { return Ok(false) };
        let Some(_wait) = self.core.enter_wait(|| Member::Task(Arc::clone(self))) else { return Ok(first) };
        if self.ended_within(within).await || self.ends_late(StopKind::Canceled).await {
            return Ok(first);
        }
        Err(RuntimeError::TaskRemoveTimeout { name: self.name.to_string(), timeout: within })
    }

    /// Waits until a task that was requested to stop has ended, and aborts it after this time. Returns `false` if the
    /// task blocks its thread; its outcome is then *aborted*.
    pub(in crate::runtime) async fn ended_or_aborted_within(&self, within: Duration, why: StopKind) -> bool {
        self.ended_within(within).await || self.ends_late(why).await
    }

    /// Aborts a task that was requested to stop and has used up its time. Returns `false` if it blocks its thread.
    async fn ends_late(&self, why: StopKind) -> bool {
        // The deadline of the attempt can be slightly later, or can be the end of its clean-up.
        self.stop(Bound::now(StopLimit::Grace), why);
        let has_ended = self.ended_within(ABORT).await;
        if !has_ended {
            self.declare_aborted();
        }
        has_ended
    }

    /// Returns `true` if the registration is about to end, by a request or by itself.
    pub(in crate::runtime) fn leaves(&self) -> bool {
        let machine = *self.lock().machine();
        machine.request == Request::Stop || matches!(machine.stage, Stage::Over | Stage::Ended)
    }

    /// Sets the outcome to *aborted*, unless it is set: the deadline is past, and the attempt cannot be stopped.
    pub(in crate::runtime) fn declare_aborted(&self) {
        let mut state = self.lock();
        if !state.fate.is_open() {
            return;
        }
        let error = state.last_error.clone();
        let waiting = state.fate.declare(TaskOutcome::Aborted { error });
        drop(state);
        self.stop(Bound::now(StopLimit::Grace), StopKind::Canceled);
        waiting.wake();
    }

    pub(crate) fn try_outcome(&self) -> Option<TaskOutcome> {
        self.lock().outcome().cloned()
    }

    pub(crate) async fn outcome(&self) -> TaskOutcome {
        wait_in(self, || self.try_outcome()).await
    }

    /// Returns the number of attempts that have begun.
    pub(crate) fn attempts(&self) -> u64 {
        self.lock().machine.attempt
    }

    /// Waits until an attempt after this one is ready, unless the task itself calls. Returns `false` if the task has
    /// ended before.
    pub(crate) async fn ready_after(self: &Arc<Self>, attempt: u64) -> bool {
        let Some(_wait) = self.core.enter_wait(|| Member::Task(Arc::clone(self))) else { return true };
        let look = || {
            let state = self.lock();
            let machine = &state.machine;
            let has_completed = matches!(state.outcome(), Some(TaskOutcome::Completed));
            // With `Ready::Start` each attempt was ready, also one that has failed since.
            let was_ready = machine.ready || has_completed || self.policy.ready == Ready::Start;
            let is_ready = machine.attempt > attempt && was_ready;
            if is_ready { Some(true) } else { (machine.stage == Stage::Ended).then_some(false) }
        };
        self.core.await_ready(look).await
    }

    /// Waits until the registration has ended, so that its name is free.
    pub(in crate::runtime) async fn is_gone(&self) {
        wait_in(self, || (self.lock().machine.stage == Stage::Ended).then_some(())).await;
    }

    async fn ended_within(&self, time: Duration) -> bool {
        // Most tasks end in the next turn of the scheduler, and need no timer.
        let ends_now = poll_fn(|_| match self.lock().machine.stage {
            Stage::Ended => Poll::Ready(()),
            _ => Poll::Pending,
        });
        if within(1, pin!(ends_now)).await.is_some() {
            return true;
        }
        // If a shutdown no longer waits for the task, this call does not wait either.
        let ended = wait_in(self, || {
            let state = self.lock();
            let is_given_up = || !state.fate.is_open() && self.core.has_given_up();
            if state.machine.stage == Stage::Ended { Some(true) } else { is_given_up().then_some(false) }
        });
        self.core.timeout(time, ended).await.unwrap_or(false)
    }
}

impl State {
    /// Clears the recorded end of a wait: the wait is over, or begins anew when the actor sets its timer.
    pub(in crate::runtime) fn leaves_its_wait(&mut self) {
        if !self.machine.is_alive() && !self.machine.is_last() {
            self.until = Ticks::MAX;
        }
    }

    pub(in crate::runtime) fn tighten(&mut self, bound: Bound, why: StopKind) {
        self.machine.because(why);
        self.bound = Some(self.bound.map_or(bound.time, |before| before.min(bound.time)));
    }
}
