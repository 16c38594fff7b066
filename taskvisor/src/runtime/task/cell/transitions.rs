//! The transitions that the actor makes: an attempt begins, ends, and what follows.

use std::mem;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::super::decision::{Ending, Next, Request};
use super::super::guards::Guards;
use super::super::helpers::Aside;
use super::super::machine::{Cut, Heed, Machine, Ran, Stage, Turn, Wait};
use super::attempt::reason_of_abort;
use super::{Cell, Membership, Signal, State, TimeLeft, shown};
use crate::events::{Event, EventKind, Reason, millis};
use crate::inspect::{TaskOutcome, now};
use crate::panics::drop_caught;
use crate::policy::{self, Critical, Ready};
use crate::runtime::clock::{Ticks, after};
use crate::runtime::group::{End, Epoch, Note};
use crate::runtime::timer::deadline;
use crate::runtime::warnings;
use crate::supervisor::StopLimit;
use crate::sync::WaitList;
use crate::task::{StopKind, StopReason, TaskError, TaskRef};

/// The remaining work when a registration has ended, to be done with no lock held.
pub(in crate::runtime) struct Finished {
    /// The end for its group, if it has one.
    pub(in crate::runtime) end: Option<End>,
    /// The limit that was exceeded, if it was aborted.
    pub(in crate::runtime) aborted: Option<StopLimit>,
    pub(in crate::runtime) unready: bool,
    /// Boxed, because there is mostly none.
    rest: Option<Box<Rest>>,
    waker: Option<Waker>,
    waiting: WaitList,
}

/// What has to be done for few registrations.
struct Rest {
    /// The outcome that is not used, because one was set before.
    spare: Option<TaskOutcome>,
    /// The end of an attempt sends its signal: there is one if the attempt was dropped with its runtime.
    signal: Signal,
}

impl Finished {
    /// Does the remaining work. Called with no lock held.
    #[inline]
    pub(in crate::runtime) fn carry_out(&mut self) {
        if let Some(rest) = self.rest.take() {
            rest.signal.send();
            let _ = drop_caught(rest.spare);
        }
        if !self.waiting.is_empty() {
            self.waiting.take().wake();
        }
        drop(self.waker.take());
    }
}

/// What is left of a submission that does not run, to be dropped and woken with no lock held.
#[cfg(feature = "controller")]
#[must_use = "it holds the user's task"]
pub(in crate::runtime) struct Left {
    task: Option<TaskRef>,
    waiting: WaitList,
}

#[cfg(feature = "controller")]
impl Left {
    /// Drops the task, and wakes the waiters. Called with no lock held.
    #[inline]
    pub(in crate::runtime) fn carry_out(self) {
        let _ = drop_caught(self.task);
        self.waiting.wake();
    }
}

impl State {
    #[cold]
    fn finish_with_rest(&mut self, outcome: TaskOutcome) -> Rest {
        let spare = match &mut self.outcome {
            Some(_) => Some(outcome),
            unset => {
                *unset = Some(outcome);
                None
            }
        };
        Rest { spare, signal: self.take_signal() }
    }

    #[cfg(feature = "controller")]
    #[inline]
    fn end_unstarted(&mut self, outcome: TaskOutcome) -> Option<TaskRef> {
        self.machine.end();
        self.outcome = Some(outcome);
        self.task.take()
    }
}

impl Cell {
    pub(in crate::runtime) fn listen(&self, waker: &Waker) {
        self.lock().waker = Some(waker.clone());
    }

    /// Notes that the task waits.
    pub(in crate::runtime) fn waits(&self) {
        let mut state = self.lock();
        if state.since == Ticks::MAX {
            state.since = self.core.clock.now();
        }
    }

    pub(in crate::runtime) fn has_news(&self) -> bool {
        self.news.is_raised()
    }

    /// Returns the next action of an actor without an attempt, and the reason of a stop request.
    pub(in crate::runtime) fn turn(&self) -> (Turn, Option<StopKind>) {
        let mut state = self.lock();
        self.news.take();
        self.end_pause_if_stopping(&mut state);
        let (turn, note) = state.machine.turn(&self.policy);
        let why = state.machine.why;
        if turn == Turn::Over {
            let task = self.take_task(&mut state, None);
            drop(state);
            let _ = drop_caught(task);
            return (turn, why);
        }
        let epoch = if note.is_some() { self.epoch() } else { 0 };
        if note == Some(Note::Held) {
            state.since = self.core.clock.now();
        }
        drop(state);
        if let Some(note) = note {
            self.tell_group_of(epoch, note);
        }
        (turn, why)
    }

    /// Returns the next action of an actor with a running attempt, and the time that the attempt has to end.
    pub(in crate::runtime) fn heed(&self, takes_context: bool) -> (Heed, Option<Duration>) {
        let mut state = self.lock();
        // The lease of an attempt is checked before each poll.
        #[cfg(feature = "fleet")]
        let is_watched = state.aside.as_ref().is_some_and(|aside| aside.hold.is_some());
        #[cfg(not(feature = "fleet"))]
        let is_watched = false;
        if !is_watched {
            self.news.take();
        }
        let bound = state.bound.take();
        let (helper_panicked, blocks) =
            state.aside.as_ref().map_or((false, false), |aside| (aside.panic.is_some(), aside.blocks));
        // What blocks a thread of its own is not polled: it hears by its context only.
        if !blocks {
            state.machine.knows();
        }
        (state.machine.heed(takes_context, bound == Some(TimeLeft::ZERO), helper_panicked), bound.map(Duration::from))
    }

    /// Returns the time that the helpers have to end, if a stop was requested since.
    pub(in crate::runtime) fn take_bound(&self) -> Option<Duration> {
        let mut state = self.lock();
        self.news.take();
        let bound = state.bound.take().map(Duration::from)?;
        if state.machine.has_last() {
            // The helpers take from the time of the final attempt.
            if let (Some(aside), Some(stop_by)) = (&mut state.aside, deadline(bound)) {
                aside.last_by = Some(aside.last_by.map_or(stop_by, |before| before.min(stop_by)));
            }
        }
        Some(bound)
    }

    /// Notes that the attempt takes longer than one poll.
    pub(in crate::runtime) fn lasts_since(&self, began: Instant) {
        let mut state = self.lock();
        if state.machine.request == Request::Nothing || state.machine.is_last() {
            state.since = self.core.clock.at(began);
        }
    }

    /// Notes that the wait of the task is over after this time.
    pub(in crate::runtime) fn is_due_in(&self, delay: Duration) {
        let due = after(self.core.clock.now(), delay);
        let mut state = self.lock();
        if state.machine.awaits_its_delay() {
            state.until = due;
        }
    }

    /// Notes that the delay of the wait has elapsed.
    pub(in crate::runtime) fn waited(&self) {
        self.is_due(Machine::waited);
    }

    /// A scheduled task waits for its first time, and is ready.
    pub(in crate::runtime) fn rest(&self) {
        let mut state = self.lock();
        let (unready, note) = state.machine.rest();
        let epoch = self.epoch();
        drop(state);
        self.tell_readiness(epoch, unready, note);
    }

    /// Tells that the task may have become ready: `unready` if its batch waited for it. The epoch is that under the lock,
    /// which is released.
    #[inline]
    fn tell_readiness(&self, epoch: Epoch, unready: bool, note: Option<Note>) {
        if let Some(note) = note {
            self.tell_group_of(epoch, note);
        }
        if unready {
            self.core.one_is_ready();
        }
        self.core.tell_ready();
    }

    /// The next time of the schedule has come.
    pub(in crate::runtime) fn come(&self) {
        self.is_due(Machine::come);
    }

    fn is_due(&self, becomes: impl FnOnce(&mut Machine)) {
        let mut state = self.lock();
        becomes(&mut state.machine);
        state.until = Ticks::MAX;
        if state.machine.is_held_back() {
            // It waits for the end of its pause from now on, and takes its turn for that.
            state.since = self.core.clock.now();
            self.news.raise();
        }
    }

    /// The runs for which an attempt was due are skipped. Returns `false` if it begins all the same.
    pub(in crate::runtime) fn reschedule(&self) -> bool {
        let mut state = self.lock();
        let Some((unready, note)) = state.machine.reschedule() else { return false };
        state.since = self.core.clock.now();
        let epoch = self.epoch();
        drop(state);
        self.tell_readiness(epoch, unready, note);
        true
    }

    /// A new run of the schedule is due: the failures were those of another.
    #[cfg(feature = "cron")]
    pub(in crate::runtime) fn forget_failures(&self) {
        self.lock().machine.forget_failures();
    }

    /// Begins an attempt. Returns the task and the number of the attempt, or `None` if something else was requested.
    pub(in crate::runtime) fn begin(&self) -> Option<(TaskRef, u64)> {
        self.core.bus.start_here();
        let mut state = self.lock();
        let task = state.task.clone()?;
        let by_sibling = state.machine.why == Some(StopKind::SiblingRestart);
        let (unready, note) = state.machine.begin(&self.policy)?;
        debug_assert!(state.until == Ticks::MAX || state.machine.is_last(), "a wait has left its end behind");
        if state.machine.is_last() {
            // The actor must read what is left of the time.
            self.news.raise();
            if state.until != Ticks::MAX {
                let left = self.core.clock.instant(state.until).saturating_duration_since(Instant::now());
                state.bound = state.bound.map(|bound| bound.min(left.into()));
            }
        } else {
            state.bound = None;
        }
        let attempt = state.machine.attempt;
        let epoch = if note.is_some() { self.epoch() } else { 0 };
        #[cfg(feature = "test-util")]
        self.note_fault(&state);
        if self.core.bus.is_active() {
            let event = self.event_of_attempt(&state, EventKind::TaskStarting);
            self.core.bus.publish(Event { routine: !by_sibling && self.is_routine(&state), ..event });
        }
        drop(state);
        self.tell_readiness(epoch, unready, note);
        Some((task, attempt))
    }

    /// Notes that the attempt exceeded a limit. Returns `false` if something was requested of it before.
    pub(in crate::runtime) fn exceed(&self, limit: StopKind, timeout: Duration) -> bool {
        let mut state = self.lock();
        if !state.machine.exceed(limit) {
            return false;
        }
        state.until = state.until.min(after(self.core.clock.now(), self.window()));
        if self.core.bus.is_active() {
            let timeout_ms = Some(millis(timeout));
            self.core.bus.publish(Event { timeout_ms, ..self.event_of_attempt(&state, EventKind::TimeoutHit) });
        }
        let signal = state.take_signal();
        drop(state);
        signal.send();
        true
    }

    /// Decides what follows the end of an attempt, in one step with the check for requests. If the attempt has helpers,
    /// the ending is returned, and is concluded when they have ended. `guards` count a failure.
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
        // If the outcome was set while the attempt could not be stopped, its result is not used.
        let unheard = state.outcome.is_some().then(|| mem::replace(&mut ending, Ending::Aborted));
        let mut left = 0;
        let mut signal = Signal::to(state.token.take());
        if let Some(mut aside) = state.aside.take() {
            left = aside.left;
            signal.and_to(aside.waiting.take());
            if let Some(panic) = aside.panic {
                ending = ending.with_panic(panic);
            }
        }
        let aborted = matches!(ending, Ending::Aborted);
        let stopped = state.machine.why.map(|why| self.stop_reason_of(why));
        // Subscribers have the last error, as a rule.
        let shares = matches!(ending, Ending::Result(Err(_))) && !self.core.bus.is_active();
        let before = if shares { ending.share(&mut state.last_error) } else { None };
        let mut next = state.machine.decide(&self.policy, ending, ran, ticks, stopped.as_ref());
        if let Some(guards) = &mut guards {
            next = guards.judge(next, &self.policy.backoff);
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
        self.publish_end(&state, &next, aborted.then_some(left), stopped);
        let note = state.machine.conclude(&self.policy, &next, self.is_managed());
        let epoch = if note.is_some() { self.epoch() } else { 0 };
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
        // The task is dropped before its outcome is known, and handles do not keep it.
        let task = match &next {
            Next::End(outcome) => self.take_task(&mut state, Some(outcome)),
            _ => None,
        };
        drop(state);
        signal.send();
        if let Some(note) = note {
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

    /// An attempt has ended that the final attempt is to follow. Returns whether it does: the result does not end the
    /// registration, and time is left, which is set as its bound.
    #[cold]
    fn weighs_last(&self, state: &mut State, ending: &Ending, lived: Option<Duration>) -> bool {
        if state.machine.ends_with(&self.policy, ending, lived) {
            state.machine.gives_up_last();
            return false;
        }
        let stop_by = match state.machine.stage {
            Stage::Joining { .. } => state.aside.as_ref().and_then(|aside| aside.last_by),
            // Its end is that of its clean-up.
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

    /// The attempt before the final one is concluded. Its group is not asked, and the actor has to hear of the request.
    #[cold]
    fn comes_to_last(&self, state: &mut State) {
        self.news.raise();
        state.machine.comes_to_last();
        let bound = state.bound.filter(|bound| *bound != TimeLeft::MAX);
        state.until = bound.map_or(Ticks::MAX, |bound| after(self.core.clock.now(), bound.into()));
    }

    /// Publishes the end of an attempt, in the step of the transition, and just before it. `aborted` is the number of
    /// helpers that an aborted attempt had after its function had returned.
    fn publish_end(&self, state: &State, next: &Next, aborted: Option<usize>, stopped: Option<StopReason>) {
        let bus = &self.core.bus;
        if !bus.is_active() {
            return;
        }
        // This is one step, with one time for all its events.
        let at = now();
        let event = |kind| Event { attempt: Some(shown(state.machine.attempt)), ..self.event_at(kind, at) };
        let tell = |kind, why: Option<Reason>| {
            let routine = kind == EventKind::TaskStopped && self.is_routine(state);
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
                let told = || match (&stop, self.slot()) {
                    (StopReason::Replaced, Some(_)) => Reason::from("replaced in its slot"),
                    _ => stop.to_string().into(),
                };
                let reason = error.as_ref().map_or_else(told, |error| Arc::clone(error).into());
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
                    tell(error.map_or(EventKind::TaskStopped, |_| EventKind::TaskFailed), error.and_then(of));
                }
                let is_fatal = matches!(outcome, TaskOutcome::Fatal { .. });
                tell(if is_fatal { EventKind::ActorDead } else { EventKind::ActorExhausted }, error.and_then(of));
            }
        }
    }

    /// Returns the time until the next run of its schedule.
    fn until_next_run(&self, at: SystemTime) -> Duration {
        self.next_run_or_due().and_then(|next| next.duration_since(at).ok()).unwrap_or_default()
    }

    /// Ends the registration. The caller holds the registry's lock and has freed the name.
    pub(in crate::runtime) fn finish(&self, outcome: TaskOutcome) -> Finished {
        let mut state = self.lock();
        self.announce(EventKind::TaskRemoved);
        let unready = state.machine.end();
        if !self.was_added() {
            // Snapshots show when the task at a place has ended.
            state.since = self.core.clock.now();
        }
        let has_rest = state.outcome.is_some() || state.token.is_some() || state.aside.is_some();
        let rest = if has_rest {
            Some(Box::new(state.finish_with_rest(outcome)))
        } else {
            state.outcome = Some(outcome);
            None
        };
        Finished {
            end: self.member().map(|member| self.end_in(member, &state)),
            aborted: matches!(state.outcome, Some(TaskOutcome::Aborted { .. })).then_some(state.machine.limit),
            rest,
            unready,
            waker: state.waker.take(),
            waiting: state.waiting.take(),
        }
    }

    fn end_in(&self, member: &Membership, state: &State) -> End {
        let is_undue = self.policy.critical == Critical::AnyEnd
            && match (&state.outcome, state.machine.request) {
                (Some(TaskOutcome::Completed), request) => request != Request::Stop,
                (Some(TaskOutcome::Canceled { .. }), request) => request == Request::Nothing,
                _ => false,
            };
        let is_stopping = || self.core.is_stopping() || member.group.is_stopping();
        if is_undue && !is_stopping() { End::Undue } else { End::of(state.outcome.as_ref()) }
    }

    /// Ends a submission that does not run. The caller holds the registry's lock, and carries out what is left after
    /// releasing it.
    #[cfg(feature = "controller")]
    #[inline]
    pub(in crate::runtime) fn finish_unstarted(&self, outcome: TaskOutcome, publish: impl FnOnce()) -> Left {
        let mut state = self.lock();
        publish();
        Left { task: state.end_unstarted(outcome), waiting: state.waiting.take() }
    }

    /// Ends a new submission that does not run. No caller has its handle yet, so none waits for it. Returns its task, to be
    /// dropped with no lock held.
    #[cfg(feature = "controller")]
    #[inline]
    pub(in crate::runtime) fn finish_new(&self, outcome: TaskOutcome, publish: impl FnOnce()) -> Option<TaskRef> {
        let mut state = self.lock();
        publish();
        state.end_unstarted(outcome)
    }

    /// Takes the task of a registration that ends, unless it is kept: at its place, for
    /// [`ChildHandle::restart`](crate::ChildHandle::restart), or because its group stops it and registers it again.
    /// Without an outcome the task was stopped before an attempt.
    pub(super) fn take_task(&self, state: &mut State, outcome: Option<&TaskOutcome>) -> Option<TaskRef> {
        if self.was_added() {
            let by_group = matches!(state.machine.why, Some(StopKind::GroupStopped | StopKind::GroupFailed));
            let is_stopped =
                || matches!(outcome, None | Some(TaskOutcome::Canceled { .. } | TaskOutcome::Aborted { .. }));
            let returns = by_group && is_stopped() && self.member().is_some_and(|member| member.group.keeps_added());
            return if returns && self.core.keeps() { None } else { state.task.take() };
        }
        let is_completed = outcome.is_some_and(TaskOutcome::is_completed);
        // A group keeps the tasks of its declared children itself.
        let has_own_place = self.member().is_none_or(|member| member.group.position.is_none());
        let has_fields = state.task.as_ref().is_some_and(|task| size_of_val(&**task) > 0);
        let is_kept = has_own_place && !(is_completed && has_fields) && self.core.keeps();
        if is_kept { None } else { state.task.take() }
    }

    /// Drops the task if the registration has ended. Called with no lock held.
    pub(in crate::runtime) fn drop_kept_task(&self) {
        let mut state = self.lock();
        let is_over = matches!(state.machine.stage, Stage::Over | Stage::Ended);
        let task = if is_over { state.task.take() } else { None };
        drop(state);
        let _ = drop_caught(task);
    }

    /// Drops the task. Called with no lock held.
    pub(in crate::runtime) fn drop_task(&self) {
        let task = self.lock().task.take();
        let _ = drop_caught(task);
    }
}
