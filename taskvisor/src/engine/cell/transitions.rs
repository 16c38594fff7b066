//! What the actor makes of an attempt: its begin, its end, and what follows.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use tokio_util::sync::CancellationToken;

use super::super::clock::Ticks;
use super::super::decision::{Ending, Facts, Next, Told, decide};
use super::super::group::{End, Note};
use super::{Bound, Cell, Gate, Progress, State, cancel};
use crate::error::TaskError;
use crate::events::{Event, EventKind, millis};
use crate::outcome::TaskOutcome;
use crate::panics::drop_caught;
use crate::ready::Ready;
use crate::runtime_error::StopLimit;
use crate::status::TaskState;

/// What an actor finds when it looks for news.
pub(in crate::engine) struct News {
    pub(in crate::engine) told: Told,
    pub(in crate::engine) bound: Option<Bound>,
    /// The next attempt is due, whatever it waits for.
    pub(in crate::engine) due: bool,
    pub(in crate::engine) helper_panicked: bool,
}

/// What the actor knows of the attempt that has ended.
pub(in crate::engine) struct Concluded {
    pub(in crate::engine) lived: Option<Duration>,
    pub(in crate::engine) ticks: Option<(Duration, Duration)>,
    /// Its helpers were waited for since, and it had been told nothing before that.
    pub(in crate::engine) untold: bool,
}

/// A wait that is over at once is none.
fn waits(phase: TaskState, delay: Duration) -> TaskState {
    if delay.is_zero() { TaskState::Pending } else { phase }
}

/// What is left to do, or to drop, when the registration has ended.
pub(in crate::engine) struct Finished {
    pub(in crate::engine) end: End,
    /// If it was aborted, by which bound.
    pub(in crate::engine) aborted: Option<StopLimit>,
    pub(in crate::engine) unready: bool,
    /// What the outcome would have been, had it not been declared before.
    spare: Option<TaskOutcome>,
    _waker: Option<Waker>,
    token: Option<CancellationToken>,
}

impl Cell {
    pub(in crate::engine) fn listen(&self, waker: &Waker) {
        self.lock().waker = Some(waker.clone());
    }

    /// It is not about to begin, but waits.
    pub(in crate::engine) fn waits(&self) {
        let mut state = self.lock();
        if state.since == Ticks::MAX {
            state.since = self.core.clock.now();
        }
    }

    pub(in crate::engine) fn has_news(&self) -> bool {
        self.news.load(Ordering::Acquire)
    }

    pub(in crate::engine) fn take_news(&self) -> News {
        let mut state = self.lock();
        self.news.store(false, Ordering::Relaxed);
        News {
            told: state.told,
            bound: state.bound.take().map(|bound| bound.with(state.limit)),
            due: state.phase == TaskState::Pending,
            helper_panicked: state.helpers.as_ref().is_some_and(|helpers| helpers.panic.is_some()),
        }
    }

    /// The attempt takes longer than one poll.
    pub(in crate::engine) fn lasts_since(&self, began: Instant) {
        let mut state = self.lock();
        if state.told == Told::Nothing {
            state.since = self.core.clock.at(began);
        }
    }

    /// The wait is over.
    pub(in crate::engine) fn due(&self) {
        self.lock().phase = TaskState::Pending;
    }

    /// Begins an attempt and gives its number, unless the task was told otherwise.
    pub(in crate::engine) fn begin(&self) -> Result<u32, Told> {
        self.core.bus.start_here();
        let mut state = self.lock();
        if state.told >= Told::Hold || state.gate == Gate::Shut {
            return Err(state.told);
        }
        state.told = Told::Nothing;
        state.bound = None;
        state.progress = Progress::Running;
        state.cancelled = false;
        state.attempt = state.attempt.saturating_add(1);
        state.ready = self.settings.ready == Ready::Start;
        let passes = state.ready && state.gate == Gate::Open;
        if passes {
            state.gate = Gate::Passed;
        }
        state.phase = TaskState::Running;
        let ready = std::mem::take(&mut state.unready);
        let (attempt, epoch) = (state.attempt, if passes { self.epoch() } else { 0 });
        #[cfg(feature = "test-util")]
        self.note_fault(&state);
        if self.core.bus.is_active() {
            self.core.bus.publish(self.event_of_attempt(&state, EventKind::TaskStarting));
        }
        drop(state);
        if passes {
            self.report_of(epoch, Note::Ready);
        }
        if ready {
            self.core.one_is_ready();
        }
        Ok(attempt)
    }

    /// The attempt exceeded its timeout, unless it was told to stop before.
    pub(in crate::engine) fn time_out(&self, timeout: Duration) -> bool {
        let mut state = self.lock();
        if state.told != Told::Nothing {
            return false;
        }
        if self.core.bus.is_active() {
            let timeout_ms = Some(millis(timeout));
            self.core.bus.publish(Event { timeout_ms, ..self.event_of_attempt(&state, EventKind::TimeoutHit) });
        }
        state.cancelled = true;
        let token = state.token.take();
        drop(state);
        cancel(token);
        true
    }

    pub(in crate::engine) fn is_told(&self) -> bool {
        self.lock().told != Told::Nothing
    }

    pub(in crate::engine) fn has_helpers(&self) -> bool {
        self.lock().helpers.as_ref().is_some_and(|helpers| helpers.running > 0)
    }

    pub(in crate::engine) fn abort_helpers(&self) {
        let abort = self.lock().helpers.as_ref().map(|helpers| helpers.abort.clone());
        if let Some(abort) = abort {
            abort.cancel();
        }
    }

    /// The attempt's future is gone: decides what follows, in one step with looking at what the task was told. While
    /// the attempt has helpers the ending is given back, to be concluded when they are gone.
    pub(in crate::engine) fn conclude(&self, ending: Ending, attempt: &Concluded) -> Result<Next, (Ending, bool)> {
        let mut state = self.lock();
        state.cancelled = true;
        let token = state.token.take();
        if state.helpers.as_ref().is_some_and(|helpers| helpers.running > 0) {
            state.progress = Progress::Joining;
            let untold = attempt.untold || state.told == Told::Nothing;
            drop(state);
            cancel(token);
            return Err((ending, untold));
        }
        // The outcome was declared while the attempt could not be stopped: what it came to is no news.
        let (ending, unheard) = match ending {
            ending if state.outcome.is_some() => (Ending::Aborted, Some(ending)),
            ending => (ending, None),
        };
        let ending = match state.helpers.take().and_then(|helpers| helpers.panic) {
            Some(panic) => ending.with_panic(panic),
            None => ending,
        };
        let aborted = matches!(ending, Ending::Aborted);
        let Concluded { lived, ticks, untold: late } = *attempt;
        let (told, streak) = (state.told, state.streak);
        let mut next = decide(&Facts { settings: &self.settings, told, late, streak, lived, ticks }, ending);
        #[cfg(feature = "test-util")]
        {
            next = self.core.kit.redrawn(next, &self.settings.backoff, &self.name, state.attempt);
        }
        if let Next::End(TaskOutcome::Aborted { error }) = &mut next {
            error.clone_from(&state.last_error);
        }
        self.publish_end(&state, &next, aborted);
        let over = matches!(next, Next::End(_));
        state.progress = if over { Progress::Over } else { Progress::Idle };
        let last = match &next {
            Next::Retry { error, streak, delay } => {
                state.ready = false;
                if self.is_managed() {
                    state.gate = Gate::Shut;
                }
                state.phase = if self.is_managed() { TaskState::Backoff } else { waits(TaskState::Backoff, *delay) };
                state.streak = *streak;
                state.last_error.replace(Arc::clone(error))
            }
            Next::Repeat(delay) => {
                state.phase = waits(TaskState::Interval, *delay);
                state.streak = 0;
                state.last_error.take()
            }
            Next::Hold(error) => {
                state.phase = TaskState::Pending;
                state.ready = false;
                state.told = Told::Nothing;
                std::mem::replace(&mut state.last_error, error.clone())
            }
            Next::Restart(error) => {
                state.phase = TaskState::Pending;
                state.ready = false;
                state.streak = 0;
                std::mem::replace(&mut state.last_error, error.clone())
            }
            Next::End(outcome) => outcome.error().cloned().and_then(|error| state.last_error.replace(error)),
        };
        if matches!(state.phase, TaskState::Backoff | TaskState::Interval) {
            state.since = self.core.clock.now();
        }
        state.stop_by = Ticks::MAX;
        drop(state);
        cancel(token);
        if last.is_some() || unheard.is_some() {
            // The errors are the user's, and so is their drop.
            let _ = drop_caught((last, unheard));
        }
        Ok(next)
    }

    fn publish_end(&self, state: &State, next: &Next, aborted: bool) {
        let bus = &self.core.bus;
        if !bus.is_active() {
            return;
        }
        // It is one step, and has one time.
        let at = SystemTime::now();
        let event = |kind| Event { attempt: Some(state.attempt), ..self.event_at(kind, at) };
        let failed = |error: &Arc<TaskError>| event(EventKind::TaskFailed).because(Arc::clone(error));
        let wait = |delay| Event { delay_ms: Some(millis(delay)), ..event(EventKind::BackoffScheduled) };
        match next {
            _ if aborted => bus.publish(event(EventKind::TaskFailed).because("aborted: did not stop in time")),
            Next::Restart(error) | Next::Hold(error) | Next::End(TaskOutcome::Canceled { error }) => {
                // With a reason, so that it can be told from a success.
                let stopped = event(EventKind::TaskStopped);
                bus.publish(match error {
                    Some(error) => stopped.because(Arc::clone(error)),
                    None => stopped.because("canceled"),
                });
            }
            Next::Repeat(delay) => {
                bus.publish(event(EventKind::TaskStopped));
                bus.publish(wait(*delay));
            }
            Next::Retry { error, delay, .. } => {
                bus.publish(failed(error));
                bus.publish(wait(*delay));
            }
            Next::End(TaskOutcome::Completed) => {
                bus.publish(event(EventKind::TaskStopped));
                bus.publish(event(EventKind::ActorExhausted));
            }
            Next::End(outcome) => {
                let fatal = matches!(outcome, TaskOutcome::Fatal { .. });
                let over = event(if fatal { EventKind::ActorDead } else { EventKind::ActorExhausted });
                match outcome.error() {
                    Some(error) => {
                        bus.publish(failed(error));
                        bus.publish(over.because(Arc::clone(error)));
                    }
                    None => bus.publish(over),
                }
            }
        }
    }

    /// The registration is over. The caller holds the registry's lock and has freed the name.
    pub(in crate::engine) fn finish(&self, outcome: TaskOutcome) -> Finished {
        let mut state = self.lock();
        self.announce(EventKind::TaskRemoved);
        state.phase = TaskState::Ended;
        state.progress = Progress::Over;
        if !self.was_added() {
            // Of a place in a tree it is shown since when it has ended.
            state.since = self.core.clock.now();
        }
        state.cancelled = true;
        let spare = if state.outcome.is_some() { Some(outcome) } else { state.outcome.replace(outcome) };
        Finished {
            end: End::of(state.outcome.as_ref()),
            aborted: matches!(state.outcome, Some(TaskOutcome::Aborted { .. })).then_some(state.limit),
            spare,
            unready: std::mem::take(&mut state.unready),
            _waker: state.waker.take(),
            token: state.token.take(),
        }
    }

    /// Tells those who wait that the registration has ended. Called with no lock held.
    pub(in crate::engine) fn finished(&self, finished: Finished) {
        cancel(finished.token);
        if finished.spare.is_some() {
            let _ = drop_caught(finished.spare);
        }
        self.tell_over();
    }

    /// A submission that waits in its slot will not run. The caller holds the registry's lock, and calls `tell_over`
    /// without.
    #[cfg(feature = "controller")]
    pub(in crate::engine) fn finish_unstarted(&self, outcome: TaskOutcome, publish: impl FnOnce()) {
        let mut state = self.lock();
        publish();
        state.phase = TaskState::Ended;
        state.progress = Progress::Over;
        state.cancelled = true;
        state.outcome = Some(outcome);
    }

    pub(in crate::engine) fn tell_over(&self) {
        let waiting = self.lock().waiting.take();
        waiting.wake();
    }
}
