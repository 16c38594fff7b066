//! The end of an attempt, and what follows from it.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::super::decision::{Ending, Next};
use super::super::guards::Guards;
use super::super::helpers::Aside;
use super::super::machine::{Cut, Ran, Stage, Wait};
use super::attempt::reason_of_abort;
use super::signal::Signal;
use super::{Cell, State, TimeLeft, shown};
use crate::events::{Event, EventKind, Reason, millis};
use crate::inspect::{TaskOutcome, now};
use crate::panics::drop_caught;
use crate::policy::{self, Ready};
use crate::runtime::clock::{Ticks, after};
use crate::runtime::warnings;
use crate::task::{StopReason, TaskError};

impl Cell {
    /// Decides what follows the end of an attempt, under the same lock as the check for requests. If helpers of the
    /// attempt still run, returns the ending, to be concluded when they have ended. `guards` count a failure.
    pub(in crate::runtime) fn conclude(
        &self,
        mut ending: Ending,
        ran: Ran,
        ticks: Option<&policy::Ticks>,
        mut guards: Option<&mut Guards>,
    ) -> Result<Next, Ending> {
        let mut state = self.lock();
        let has_last = state.machine.has_last() && self.weighs_last(&mut state, &ending, ran.lived);
        if state.aside.as_ref().is_some_and(|aside| aside.running > 0) {
            let signal = state.take_signal();
            state.note_return(&ending);
            state.machine.join(&self.policy, &ending, ran.lived);
            drop(state);
            signal.send();
            return Err(ending);
        }
        // If the outcome was set because the attempt could not be stopped, the result is not used.
        let unheard = (!state.fate.is_open()).then(|| mem::replace(&mut ending, Ending::Aborted));
        let mut left = 0;
        let mut signal = Signal::to(state.token.take());
        if let Some(mut aside) = state.aside.take() {
            left = aside.left;
            signal.and_to(aside.waiting.take());
            if let Some(panic) = aside.panic {
                ending = ending.with_panic(panic);
            }
            if let Some(delay) = aside.repeat_after {
                ending = ending.tell(delay);
            }
        }
        let aborted = matches!(ending, Ending::Aborted);
        let mut stopped = state.machine.why.map(|why| self.stop_reason_of(why));
        // With subscribers, the last error is usually shared, so its allocation cannot be reused.
        let shares = matches!(ending, Ending::Result(Err(_))) && !self.core.bus.is_active();
        let before = if shares { ending.share(&mut state.last_error) } else { None };
        let mut next = state.machine.decide(&self.policy, ending, ran, ticks, stopped.as_ref());
        if let Some(guards) = &mut guards {
            next = guards.judge(next, &self.policy.backoff);
        }
        if next.excuse(|| self.core.is_stopping()) {
            stopped = Some(StopReason::Shutdown);
        }
        #[cfg(feature = "test-util")]
        {
            let told = guards.map(|guards| guards.told).unwrap_or_default();
            let attempt = shown(state.machine.attempt);
            next = self.core.test_hooks.redrawn(next, &self.policy.backoff, told, &self.name, attempt);
        }
        state.machine.remove_wait(&mut next);
        if let Next::End(TaskOutcome::Aborted { error }) = &mut next {
            error.clone_from(&state.last_error);
            if left > 0 {
                // For the result of the shutdown.
                state.aside = Some(Box::new(Aside { left, ..Aside::default() }));
            }
        }
        self.publish_end(&state, &next, aborted.then_some(left), stopped, ran.successes);
        let note = state.machine.conclude(&self.policy, &next, self.is_managed());
        let note = note.map(|note| (self.epoch(), note));
        let last = match &next {
            Next::Retry { error, .. } | Next::GiveUp { error, .. } => state.last_error.replace(Arc::clone(error)),
            Next::Scheduled | Next::Repeat(_) | Next::Throttle { .. } => state.last_error.take(),
            Next::Hold(error) | Next::Restart(error) => mem::replace(&mut state.last_error, error.clone()),
            Next::End(outcome) => outcome.error().cloned().and_then(|error| state.last_error.replace(error)),
        };
        state.until = Ticks::MAX;
        let waits = matches!(state.machine.stage, Stage::Waiting(wait) if wait != Wait::Due);
        if waits || matches!(next, Next::Hold(_)) {
            state.since = self.core.clock.now();
            if waits {
                state.until = after(state.since, next.delay());
            }
        }
        if has_last {
            self.comes_to_last(&mut state);
        }
        if state.machine.is_paused() {
            self.begins_to_rest(&mut state);
        }
        // The task is dropped before its outcome is published. Handles do not keep it alive.
        let task = match &next {
            Next::End(outcome) => self.take_task(&mut state, Some(outcome)),
            _ => None,
        };
        drop(state);
        signal.send();
        if let Some((epoch, note)) = note {
            self.tell_group_of(epoch, note);
        }
        if task.is_some() {
            let _ = drop_caught(task);
        }
        // The errors are user values, and their drop is user code.
        if last.is_some() {
            let _ = drop_caught(last);
        }
        if before.is_some() {
            let _ = drop_caught(before);
        }
        if unheard.is_some() {
            let _ = drop_caught(unheard);
        }
        Ok(next)
    }

    /// Returns `true` if the run of the schedule was over before the request.
    #[cfg(feature = "cron")]
    pub(in crate::runtime) fn was_run_over(&self, ending: &Ending, ran: Ran) -> bool {
        self.lock().machine.was_run_over(&self.policy, ending, ran)
    }

    /// Returns `true` if the final attempt follows the attempt that has ended: the result does not end the
    /// registration, and time is left. That time becomes the bound of the final attempt.
    #[cold]
    fn weighs_last(&self, state: &mut State, ending: &Ending, lived: Option<Duration>) -> bool {
        if state.machine.ends_with(&self.policy, ending, lived) {
            state.machine.gives_up_last();
            return false;
        }
        let stop_by = match state.machine.stage {
            Stage::Joining { .. } => state.aside.as_ref().and_then(|aside| aside.last_by),
            // `until` is the end of the clean-up here, not of the stop.
            Stage::Running(Cut::TimedOut | Cut::HelperPanicked) => None,
            _ => Some(state.until).filter(|until| *until != Ticks::MAX).map(|until| self.core.clock.instant(until)),
        };
        let Some(stop_by) = stop_by else { return true };
        let left = stop_by.saturating_duration_since(Instant::now());
        if left.is_zero() {
            state.machine.gives_up_last();
            return false;
        }
        state.bound = Some(state.bound.map_or(left.into(), |bound| bound.min(left.into())));
        true
    }

    /// Makes the final attempt due after the attempt before it is concluded, without its group. The news flag makes the
    /// actor read the request.
    #[cold]
    fn comes_to_last(&self, state: &mut State) {
        self.news.raise();
        state.machine.comes_to_last();
        let bound = state.bound.filter(|bound| *bound != TimeLeft::MAX);
        state.until = bound.map_or(Ticks::MAX, |bound| after(self.core.clock.now(), bound.time()));
    }

    /// Publishes the end of an attempt, under the lock of the transition and just before it. `aborted` is the number of
    /// helpers that an aborted attempt had left after its function had returned.
    fn publish_end(
        &self,
        state: &State,
        next: &Next,
        aborted: Option<usize>,
        stopped: Option<StopReason>,
        successes: u8,
    ) {
        let bus = &self.core.bus;
        if !bus.is_active() {
            return;
        }
        // All events of this step have the same time.
        let at = now();
        let event = |kind| Event { attempt: Some(shown(state.machine.attempt)), ..self.event_at(kind, at) };
        let tell = |kind, why: Option<Reason>| {
            let routine = kind == EventKind::TaskStopped && state.machine.is_routine(&self.policy, successes);
            bus.publish(Event { reason: why, routine, ..event(kind) });
        };
        let ready = || {
            if self.policy.ready == Ready::FirstSuccess && !state.machine.ready {
                tell(EventKind::TaskReady, None);
            }
        };
        let of = |error: &Arc<TaskError>| Some(Reason::from(Arc::clone(error)));
        let wait = |delay: Duration, why: Option<Reason>| {
            // A pause of zero is not reported.
            if !delay.is_zero() {
                let delay_ms = Some(millis(delay));
                bus.publish(Event { delay_ms, reason: why, ..event(EventKind::BackoffScheduled) });
            }
        };
        if let Some(left) = aborted {
            return tell(EventKind::TaskFailed, Some(reason_of_abort(left)));
        }
        match next {
            Next::Restart(error) | Next::Hold(error) | Next::End(TaskOutcome::Canceled { error, .. }) => {
                // With a reason, to distinguish it from a success.
                let stop = stopped.unwrap_or(StopReason::Canceled);
                let reason = error.as_ref().map_or_else(|| self.told_of(&stop), |error| Arc::clone(error).into());
                bus.publish(Event { reason: Some(reason), stop: Some(stop), ..event(EventKind::TaskStopped) });
            }
            Next::Repeat(delay) => {
                tell(EventKind::TaskStopped, None);
                ready();
                wait(*delay, Some("interval".into()));
            }
            Next::Scheduled => {
                tell(EventKind::TaskStopped, None);
                wait(self.until_next_run(at), Some("schedule".into()));
            }
            Next::GiveUp { error, failures } => {
                tell(EventKind::TaskFailed, of(error));
                tell(EventKind::Warning, Some(warnings::of_given_up(*failures).into()));
                wait(self.until_next_run(at), Some("schedule".into()));
            }
            Next::Throttle { pause, is_first } => {
                tell(EventKind::TaskStopped, None);
                ready();
                if *is_first {
                    tell(EventKind::Warning, Some(warnings::AT_ONCE.into()));
                }
                wait(*pause, Some("throttled".into()));
            }
            Next::Retry { error, delay, streak, .. } => {
                tell(EventKind::TaskFailed, of(error));
                if let Some(warning) = warnings::of_retries(self.policy.is_critical_without_end(), *streak) {
                    tell(EventKind::Warning, Some(warning.into()));
                }
                wait(*delay, of(error));
            }
            Next::End(outcome) => {
                let error = outcome.error();
                if error.is_some() || matches!(outcome, TaskOutcome::Completed) {
                    let kind = error.map_or(EventKind::TaskStopped, |_| EventKind::TaskFailed);
                    bus.publish(Event { reason: error.and_then(of), last: true, ..event(kind) });
                }
                let is_fatal = matches!(outcome, TaskOutcome::Fatal { .. });
                tell(if is_fatal { EventKind::ActorDead } else { EventKind::ActorExhausted }, error.and_then(of));
            }
        }
    }

    /// Returns the time until the next run of the schedule.
    fn until_next_run(&self, at: SystemTime) -> Duration {
        self.next_run_or_due().and_then(|next| next.duration_since(at).ok()).unwrap_or_default()
    }
}
