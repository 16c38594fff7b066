//! The end of a registration.

use std::task::Waker;

use super::super::decision::Request;
use super::super::machine::Stage;
use super::signal::Signal;
use super::{Cell, Membership, State};
use crate::events::{Event, EventKind, Reason};
use crate::inspect::TaskOutcome;
use crate::panics::drop_caught;
use crate::policy::Critical;
use crate::runtime::group::End;
use crate::supervisor::StopLimit;
use crate::sync::WaitList;
use crate::task::{StopKind, StopReason, TaskRef};

/// The remaining work when a registration has ended, to be done with no lock held.
pub(in crate::runtime) struct Finished {
    /// The kind of its end for its group, if it is in one.
    pub(in crate::runtime) end: Option<End>,
    /// The limit that was exceeded, if it was aborted.
    pub(in crate::runtime) aborted: Option<StopLimit>,
    pub(in crate::runtime) unready: bool,
    pub(in crate::runtime) left: Listeners,
}

/// Those who wait for the end of a registration, and the waker of its actor.
#[must_use = "they are woken and dropped with no lock held"]
pub(in crate::runtime) struct Listeners {
    /// Boxed, because few registrations need it.
    rest: Option<Box<Rest>>,
    waker: Option<Waker>,
    waiting: WaitList,
}

/// The remaining work that few registrations have.
struct Rest {
    /// The unused outcome, because another was set before.
    spare: Option<TaskOutcome>,
    /// The signal of an attempt that was dropped with its runtime. Any other attempt sends its signal at its end.
    signal: Signal,
    /// The limit that was exceeded, if the task was aborted.
    aborted: Option<StopLimit>,
}

impl Rest {
    #[cold]
    fn carry_out(self) {
        self.signal.send();
        let _ = drop_caught(self.spare);
    }
}

impl Listeners {
    /// Returns the limit that was exceeded, if the outcome was set to *aborted* before the end.
    #[inline]
    pub(in crate::runtime) fn declared_aborted(&self) -> Option<StopLimit> {
        self.rest.as_ref()?.aborted
    }

    /// Does the remaining work. Called with no lock held.
    #[allow(clippy::inline_always, reason = "the compiler leaves 20 instructions of each end to a call")]
    #[inline(always)]
    pub(in crate::runtime) fn carry_out(self) {
        if let Some(rest) = self.rest {
            rest.carry_out();
        }
        self.waiting.wake_any();
        drop(self.waker);
    }
}

/// The task and the waiters of a submission that does not run, to be dropped and woken with no lock held.
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
        if let Some(task) = self.task {
            let _ = drop_caught(task);
        }
        self.waiting.wake_any();
    }
}

impl State {
    /// Sets the outcome, unless it is set.
    #[inline]
    fn finish(&mut self, outcome: TaskOutcome) -> Listeners {
        let has_rest = !self.fate.is_open() || self.token.is_some() || self.aside.is_some();
        let (waiting, rest) = if has_rest {
            let (waiting, rest) = self.finish_with_rest(outcome);
            (waiting, Some(Box::new(rest)))
        } else {
            (self.fate.end(outcome), None)
        };
        Listeners { rest, waker: self.waker.take(), waiting }
    }

    /// Returns the limit that was exceeded, if the outcome is *aborted*.
    #[inline]
    fn exceeded(&self) -> Option<StopLimit> {
        matches!(self.outcome(), Some(TaskOutcome::Aborted { .. })).then_some(self.machine.limit)
    }

    #[cold]
    fn finish_with_rest(&mut self, outcome: TaskOutcome) -> (WaitList, Rest) {
        let (waiting, spare) = self.fate.end_once(outcome);
        (waiting, Rest { spare, signal: self.take_signal(), aborted: self.exceeded() })
    }

    #[cfg(feature = "controller")]
    #[inline]
    fn end_unstarted(&mut self, outcome: TaskOutcome) -> Left {
        self.machine.end();
        Left { waiting: self.fate.end(outcome), task: self.task.take() }
    }
}

impl Cell {
    /// Ends the registration. The caller holds the registry's lock and has freed the name. `is_told` if an event of an
    /// attempt has told of it.
    pub(in crate::runtime) fn finish(&self, outcome: TaskOutcome, is_told: bool) -> Finished {
        let mut state = self.lock();
        if self.core.bus.is_active() {
            self.tell_end(&outcome, is_told);
        }
        let unready = state.machine.end();
        if !self.was_added() {
            // Snapshots show when a task at a place of the tree has ended.
            state.since = self.core.clock.now();
        }
        let left = state.finish(outcome);
        Finished {
            end: self.member().map(|member| self.end_in(member, &state)),
            aborted: state.exceeded(),
            unready,
            left,
        }
    }

    /// Like [`finish`](Self::finish), for a registration that [is alone](Self::is_alone).
    #[inline]
    pub(in crate::runtime) fn finish_alone(&self, outcome: TaskOutcome, is_told: bool) -> Listeners {
        let mut state = self.lock();
        if self.core.bus.is_active() {
            self.tell_end(&outcome, is_told);
        }
        state.machine.end();
        state.finish(outcome)
    }

    /// Publishes the end of a registration, under the lock of the cell.
    #[inline(never)]
    fn tell_end(&self, outcome: &TaskOutcome, is_told: bool) {
        let event = if is_told { self.event(EventKind::TaskRemoved) } else { self.ends_untold(outcome) };
        self.core.bus.publish(event);
    }

    /// Creates the event about the end of a registration that says why it has ended.
    #[cold]
    fn ends_untold(&self, outcome: &TaskOutcome) -> Event {
        let (reason, stop) = match outcome {
            TaskOutcome::Canceled { reason, .. } => (self.told_of(reason), Some(reason.clone())),
            _ => (Reason::from("its runtime ended"), None),
        };
        Event { reason: Some(reason), stop, ..self.event(EventKind::TaskRemoved) }
    }

    /// Returns the reason of a stop request as text.
    pub(super) fn told_of(&self, stop: &StopReason) -> Reason {
        match (stop, self.slot()) {
            (StopReason::Replaced, Some(_)) => Reason::from("replaced in its slot"),
            _ => stop.to_string().into(),
        }
    }

    fn end_in(&self, member: &Membership, state: &State) -> End {
        let is_undue = self.policy.critical == Critical::AnyEnd
            && match (state.outcome(), state.machine.request) {
                (Some(TaskOutcome::Completed), request) => request != Request::Stop,
                (Some(TaskOutcome::Canceled { .. }), request) => request == Request::Nothing,
                _ => false,
            };
        let is_stopping = || self.core.is_stopping() || member.group.is_stopping();
        if is_undue && !is_stopping() { End::Undue } else { End::of(state.outcome()) }
    }

    /// Ends a submission that does not run. The caller holds the registry's lock, and carries out the remaining work
    /// after releasing it.
    #[cfg(feature = "controller")]
    #[inline]
    pub(in crate::runtime) fn finish_unstarted(&self, outcome: TaskOutcome, publish: impl FnOnce()) -> Left {
        let mut state = self.lock();
        publish();
        state.end_unstarted(outcome)
    }

    /// Ends a new submission that does not run. No caller has its handle yet, so none waits for it. Returns its task,
    /// to be dropped with no lock held.
    #[cfg(feature = "controller")]
    #[inline]
    pub(in crate::runtime) fn finish_new(&self, outcome: TaskOutcome, publish: impl FnOnce()) -> Option<TaskRef> {
        let mut state = self.lock();
        publish();
        state.machine.end();
        state.fate.end_unseen(outcome);
        state.task.take()
    }

    /// Takes the task of a registration that ends, unless the task is kept: at its place for
    /// [`ChildHandle::restart`](crate::ChildHandle::restart), or because its group stops it and registers it again.
    /// `outcome` is `None` if the task was stopped before an attempt.
    #[inline]
    pub(super) fn take_task(&self, state: &mut State, outcome: Option<&TaskOutcome>) -> Option<TaskRef> {
        if self.is_alone() { state.task.take() } else { self.take_task_of_place(state, outcome) }
    }

    #[inline(never)]
    fn take_task_of_place(&self, state: &mut State, outcome: Option<&TaskOutcome>) -> Option<TaskRef> {
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

    /// Takes the task of a registration that has ended, if it is kept. The caller drops it with no lock held.
    pub(in crate::runtime) fn take_kept(&self) -> Option<TaskRef> {
        let mut state = self.lock();
        if state.machine.stage == Stage::Ended { state.task.take() } else { None }
    }

    /// Drops the task. Called with no lock held.
    pub(in crate::runtime) fn drop_task(&self) {
        let task = self.lock().task.take();
        let _ = drop_caught(task);
    }
}
