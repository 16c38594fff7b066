//! What others want of a task: stop, restart, trigger, and how it ended.

use std::future::poll_fn;
use std::sync::MutexGuard;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::super::alarm::deadline;
use super::super::clock::{Ticks, ticks};
use super::super::current::Current;
use super::super::decision::Told;
use super::super::group::Note;
use super::{ABORT, Bound, Cell, Gate, Progress, State, cancel};
use crate::events::EventKind;
use crate::outcome::TaskOutcome;
use crate::panics::drop_caught;
use crate::runtime_error::{RuntimeError, StopLimit};
use crate::status::TaskState;

impl Cell {
    /// Tells the task to stop. Whether this call was the first to do so; `None` if it has ended.
    pub(crate) fn stop(&self, bound: Bound, requested: bool) -> Option<bool> {
        self.stop_at(None, bound, requested)
    }

    /// As `stop`, where many are told at once and the time is known.
    pub(in crate::engine) fn stop_at(&self, now: Option<Ticks>, bound: Bound, requested: bool) -> Option<bool> {
        let mut state = self.lock();
        #[cfg(feature = "controller")]
        if state.phase == TaskState::Queued {
            drop(state);
            if self.core.withdraw(self, requested) {
                return Some(true);
            }
            // Its turn came in the meantime, or it was withdrawn.
            state = self.lock();
        }
        if state.phase == TaskState::Ended {
            return None;
        }
        let first = state.told != Told::Stop;
        if first && requested {
            self.announce(EventKind::TaskRemoveRequested);
        }
        state.tell(Told::Stop, bound);
        self.interrupt_at(now, state, bound);
        Some(first)
    }

    /// Tells the task to stop, and does not wait.
    pub(crate) fn remove(&self) {
        self.stop(self.own_bound(self.stop_bound()), true);
    }

    /// Ends a wait, or the running attempt, and begins anew.
    pub(crate) fn restart(&self) -> bool {
        let mut state = self.lock();
        if state.progress == Progress::Over || state.told == Told::Stop || state.phase == TaskState::Queued {
            return false;
        }
        state.streak = 0;
        if state.progress == Progress::Idle {
            self.skip_wait(state);
        } else {
            state.tell(Told::Restart, self.own_bound(self.stop_bound()));
            self.interrupt(state, Bound::Open);
        }
        true
    }

    /// Ends a wait for an initial delay, an interval or a backoff. Whether there was one.
    pub(crate) fn trigger(&self) -> bool {
        let state = self.lock();
        let waits = matches!(state.phase, TaskState::Delayed | TaskState::Backoff | TaskState::Interval);
        if waits && state.told != Told::Stop {
            self.skip_wait(state);
            return true;
        }
        false
    }

    fn skip_wait(&self, mut state: MutexGuard<'_, State>) {
        state.phase = TaskState::Pending;
        let waits = state.gate == Gate::Shut;
        self.wake(state, None);
        if waits {
            self.report(Note::Skip);
        }
    }

    /// Cancels the token of the running attempt, if there is one, and wakes the actor. It should have stopped within
    /// the bound.
    pub(super) fn interrupt(&self, state: MutexGuard<'_, State>, bound: Bound) {
        self.interrupt_at(None, state, bound);
    }

    fn interrupt_at(&self, now: Option<Ticks>, mut state: MutexGuard<'_, State>, bound: Bound) {
        let token = if matches!(state.progress, Progress::Running | Progress::Joining) {
            let now = now.unwrap_or_else(|| self.core.clock.now());
            if state.phase != TaskState::Stopping {
                state.since = now;
            }
            if let Bound::Within(time, limit) = bound {
                let stop_by = now.saturating_add(ticks(time));
                if stop_by < state.stop_by {
                    (state.stop_by, state.limit) = (stop_by, limit);
                }
            }
            if let Bound::Now(limit) = bound {
                if now < state.stop_by {
                    state.limit = limit;
                }
            }
            state.phase = TaskState::Stopping;
            state.cancelled = true;
            state.token.take()
        } else {
            None
        };
        self.wake(state, token);
    }

    pub(super) fn wake(&self, state: MutexGuard<'_, State>, token: Option<CancellationToken>) {
        self.news.store(true, Ordering::Release);
        let waker = state.waker.clone();
        drop(state);
        cancel(token);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// How long a stop by name or handle waits.
    pub(crate) fn stop_bound(&self) -> Duration {
        self.settings.stop_timeout.unwrap_or(self.core.config.grace)
    }

    /// A stop by name or handle, which has as much time as it says.
    fn own_bound(&self, within: Duration) -> Bound {
        let is_own = self.settings.stop_timeout.is_some();
        Bound::within(within, if is_own { StopLimit::StopTimeout } else { StopLimit::Grace })
    }

    /// How long the clean-up after a timeout may take.
    pub(in crate::engine) fn window(&self) -> Duration {
        const WINDOW: Duration = Duration::from_secs(5);
        self.settings.stop_timeout.unwrap_or(WINDOW.min(self.core.config.grace))
    }

    /// Tells the task to stop and waits until it has ended, unless it is the task itself that asks. Whether this call
    /// was the first to tell it.
    pub(crate) async fn cancel(&self, within: Duration) -> Result<bool, RuntimeError> {
        let Some(first) = self.stop(self.own_bound(within), true) else { return Ok(false) };
        if Current::is(self) {
            return Ok(first);
        }
        if !self.ended_within(within).await {
            // The bound may have been counted from a bit later, or the attempt keeps the deadline of its clean-up.
            self.stop(Bound::Now(StopLimit::Grace), false);
            if !self.ended_within(ABORT).await {
                self.declare_aborted();
                return Err(RuntimeError::TaskRemoveTimeout { name: self.name.to_string(), timeout: within });
            }
        }
        Ok(first)
    }

    /// The time is up, and the attempt cannot be ended: the outcome is settled, unless it was before.
    pub(in crate::engine) fn declare_aborted(&self) {
        let mut state = self.lock();
        if state.outcome.is_some() {
            return;
        }
        state.outcome = Some(TaskOutcome::Aborted { error: state.last_error.clone() });
        state.tell(Told::Stop, Bound::Now(StopLimit::Grace));
        self.interrupt(state, Bound::Now(StopLimit::Grace));
        self.tell_over();
    }

    pub(crate) fn try_outcome(&self) -> Option<TaskOutcome> {
        self.lock().outcome.clone()
    }

    pub(crate) async fn outcome(&self) -> TaskOutcome {
        self.when(|state| state.outcome.clone()).await
    }

    async fn ended_within(&self, time: Duration) -> bool {
        // Most end in the next turn of the scheduler: a timer is made for those only that do not.
        if self.ends_in_this_turn().await {
            return true;
        }
        match deadline(time) {
            None => {
                self.ended().await;
                true
            }
            Some(deadline) => self.core.timeout_at(deadline, self.ended()).await.is_ok(),
        }
    }

    async fn ends_in_this_turn(&self) -> bool {
        let mut turns = 0;
        poll_fn(|cx| {
            turns += 1;
            let ended = self.lock().phase == TaskState::Ended;
            if ended || turns > 1 {
                return Poll::Ready(ended);
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }

    pub(in crate::engine) async fn ended(&self) {
        self.when(|state| (state.phase == TaskState::Ended).then_some(())).await;
    }

    async fn when<T>(&self, look: impl Fn(&State) -> Option<T>) -> T {
        let mut place = Waiting { cell: self, id: None };
        poll_fn(|cx| {
            // Cloned without the lock: the waker is the user's.
            let waker = cx.waker().clone();
            let mut state = self.lock();
            if let Some(found) = look(&state) {
                drop(state);
                return Poll::Ready(found);
            }
            let replaced = state.waiting.register(&mut place.id, waker);
            drop(state);
            drop(replaced);
            Poll::Pending
        })
        .await
    }
}

/// One that waits for something of a cell; it is forgotten when this is dropped.
struct Waiting<'a> {
    cell: &'a Cell,
    id: Option<u32>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            let gone = self.cell.lock().waiting.deregister(id);
            let _ = drop_caught(gone);
        }
    }
}

impl State {
    pub(super) fn tell(&mut self, told: Told, bound: Bound) {
        self.told = self.told.max(told);
        let tighter = self.bound.map_or(bound, |other| other.with(self.limit).tighter(bound));
        self.bound = Some(tighter.into());
    }
}
