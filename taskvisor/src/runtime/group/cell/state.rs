//! The observable state of a group: its state, its failures and its outcome.

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::super::children::{ByKey, Key};
use super::super::member::Member;
use super::super::plan::End;
use super::{GroupCell, Inbox};
use crate::events::{Event, EventKind, Reason, millis};
use crate::inspect::{OutcomeKind, Problem, TaskOutcome, TaskState, one_line};
use crate::panics::Fenced;
use crate::policy::Critical;
use crate::runtime::clock::{Ticks, after};
use crate::sync::lock;
use crate::task::{StopKind, StopReason, TaskError};
use crate::tree::FailureChain;

/// The contents of a group that has ended, to be dropped with no lock held.
pub(in crate::runtime) struct Gone {
    #[expect(dead_code, reason = "it is only dropped")]
    members: (ByKey<Member>, BTreeMap<Key, Member>),
    #[expect(dead_code, reason = "it is only dropped")]
    runtimes: HashMap<Key, Handle>,
    /// The children that were added too late to run.
    late: Vec<Member>,
    #[expect(dead_code, reason = "it is only dropped")]
    spare: Option<Fenced<TaskOutcome>>,
}

/// The state of a group at one moment.
pub(in crate::runtime) struct SeenGroup {
    pub(in crate::runtime) state: TaskState,
    pub(in crate::runtime) restarts: u32,
    pub(in crate::runtime) failures: u32,
    /// `true` if its current run has been ready.
    pub(in crate::runtime) is_ready: bool,
    /// `true` while the function of a fresh group makes its children.
    pub(in crate::runtime) is_making: bool,
    pub(in crate::runtime) due: Option<Ticks>,
    pub(in crate::runtime) failure: Option<FailureChain>,
    pub(in crate::runtime) outcome: Option<OutcomeKind>,
}

impl GroupCell {
    /// Returns `true` if other starts hold all permits of `max_starting` of the group, or of a group around it.
    pub(in crate::runtime) fn has_no_place(&self) -> bool {
        let is_full = |group: &Self| group.starting.as_ref().is_some_and(|places| places.available_permits() == 0);
        self.limits_starts && self.with_parents().any(is_full)
    }

    /// Returns `true` if the parent decides what follows a failure of the group.
    pub(in crate::runtime::group) fn is_managed(&self) -> bool {
        self.position.as_ref().is_some_and(|position| position.parent.declared.manages())
    }

    /// Records that the current run is ready.
    pub(in crate::runtime::group) fn set_ready(&self) {
        let mut inbox = self.lock();
        (inbox.ready, inbox.ready_run) = (true, inbox.runs);
        drop(inbox);
        self.core.tell_ready();
    }

    pub(crate) fn state(&self) -> TaskState {
        let state = self.lock().state;
        self.shown(state)
    }

    /// Returns the public state for its own state.
    #[cfg_attr(not(feature = "fleet"), expect(clippy::unused_self, reason = "there are no leases"))]
    pub(in crate::runtime) fn shown(&self, state: TaskState) -> TaskState {
        #[cfg(feature = "fleet")]
        if matches!(state, TaskState::Running | TaskState::Pending) && self.stands_by() {
            return TaskState::Standby;
        }
        state
    }

    /// Returns the state that a snapshot shows, as of one moment.
    pub(in crate::runtime) fn seen(&self) -> SeenGroup {
        let inbox = self.lock();
        let is_ready = inbox.ready && inbox.state == TaskState::Running;
        SeenGroup {
            state: inbox.state,
            restarts: inbox.runs.saturating_sub(1),
            failures: inbox.failures,
            is_ready,
            is_making: inbox.making,
            due: (inbox.due > 0).then_some(inbox.due),
            failure: inbox.failure.clone(),
            outcome: inbox.outcome.as_deref().filter(|_| inbox.state == TaskState::Ended).map(TaskOutcome::kind),
        }
    }

    /// Returns the time at which the driver starts the group or its children again, if there is one.
    pub(in crate::runtime) fn due(&self) -> Option<Ticks> {
        let due = self.lock().due;
        (due > 0).then_some(due)
    }

    /// Records the failure of a group that starts again after `delay`. `failures` is the number of failures in a row.
    /// `due` is the time of the start, unless the parent decides when it begins.
    pub(in crate::runtime::group) fn fails(
        &self,
        error: &Arc<TaskError>,
        failures: u32,
        delay: Duration,
        due: Option<Duration>,
    ) {
        let mut inbox = self.lock();
        inbox.failures = failures;
        self.publish_failure(error, failures, Some(delay));
        self.rests_as(&mut inbox, TaskState::Backoff, due);
    }

    /// Records the failure of a group that does not start again.
    pub(in crate::runtime::group) fn fails_for_good(&self, error: &Arc<TaskError>, failures: u32) {
        let _in_order = self.lock();
        self.publish_failure(error, failures, None);
    }

    /// Publishes a failure, and the delay that follows. Called under the lock of the mailbox.
    fn publish_failure(&self, error: &Arc<TaskError>, failures: u32, delay: Option<Duration>) {
        if self.core.bus.is_active() {
            let (count, delay_ms) = (Some(u64::from(failures)), delay.map(millis));
            let event = Event { delay_ms, count, ..self.event(EventKind::GroupFailed) };
            self.core.bus.publish(event.because(Arc::clone(error)));
        }
    }

    /// Publishes the end. Called under the lock of the mailbox.
    fn publish_end(&self, outcome: &TaskOutcome) {
        if self.position.is_none() || !self.core.bus.is_active() {
            return;
        }
        let stop = if let TaskOutcome::Canceled { reason, .. } = outcome { Some(reason.clone()) } else { None };
        let error = outcome.error().map(|error| Reason::from(Arc::clone(error)));
        let reason = error.or_else(|| Some(stop.as_ref()?.to_string().into()));
        self.core.bus.publish(Event { reason, stop, ..self.event(EventKind::GroupEnded) });
    }

    fn event(&self, kind: EventKind) -> Event {
        Event::about(kind, &self.path)
    }

    /// Records the time at which the driver starts the group or its children again.
    pub(in crate::runtime::group) fn is_due_at(&self, at: Option<Instant>) {
        self.lock().due = at.map_or(0, |at| self.core.clock.at(at).max(1));
    }

    pub(in crate::runtime::group) fn set_failures(&self, failures: u32) {
        self.lock().failures = failures;
    }

    /// Returns the number of runs after the first.
    #[cfg(feature = "test-util")]
    pub(in crate::runtime::group) fn restarts(&self) -> u32 {
        self.lock().runs.saturating_sub(1)
    }

    /// Returns the text of the last failure.
    pub(crate) fn failed_with(&self) -> Option<String> {
        self.failure().map(|failure| one_line(&failure))
    }

    pub(in crate::runtime::group) fn has_completed(&self) -> bool {
        matches!(self.lock().outcome.as_deref(), Some(TaskOutcome::Completed))
    }

    /// Returns the kind of end with this outcome, for the parent.
    pub(in crate::runtime::group) fn end_of(&self, outcome: &TaskOutcome) -> End {
        let must_not_end = self.declared.overrides.critical == Some(Critical::AnyEnd);
        let is_undue = must_not_end && outcome.is_completed() && !self.core.is_stopping() && !self.is_stopping();
        if is_undue { End::Undue } else { End::of(Some(outcome)) }
    }

    /// Returns the last failure.
    pub(in crate::runtime) fn failure(&self) -> Option<FailureChain> {
        self.lock().failure.clone()
    }

    pub(in crate::runtime::group) fn set_failure(&self, failure: FailureChain) {
        let before = self.lock().failure.replace(failure);
        drop(before);
    }

    /// Returns the failure because of which the group, or a group around it, stops.
    pub(in crate::runtime) fn failing(&self) -> Option<Arc<FailureChain>> {
        self.with_parents().find_map(|group| lock(&group.failing).clone())
    }

    /// Returns the failure because of which the group itself stops, as it was when the stop began.
    pub(in crate::runtime::group) fn own_failing(&self) -> Option<Arc<FailureChain>> {
        lock(&self.failing).clone()
    }

    pub(in crate::runtime::group) fn set_failing(&self, failure: Option<Arc<FailureChain>>) {
        let before = mem::replace(&mut *lock(&self.failing), failure);
        drop(before);
    }

    /// Returns the path of the child that failed first in the current or last restart of siblings.
    pub(in crate::runtime) fn first_failed(&self) -> Arc<String> {
        Arc::clone(&lock(&self.first_failed))
    }

    pub(in crate::runtime::group) fn set_first_failed(&self, path: &str) {
        let path = Arc::new(path.to_owned());
        drop(mem::replace(&mut *lock(&self.first_failed), path));
    }

    /// Returns the outcome of a group that was requested to stop. If the supervisor stops because of a failure of the
    /// tree, the outcome of the root is that failure.
    pub(in crate::runtime::group) fn stopped(&self) -> TaskOutcome {
        if let (None, Some(chain)) = (&self.position, self.core.stop.failure_chain()) {
            return TaskOutcome::Failed { error: Arc::new(TaskError::error(chain.clone())) };
        }
        let parent = self.position.as_ref().map(|position| &position.parent);
        let (stopped, by_parent) = {
            let inbox = self.lock();
            (inbox.stopped, inbox.stopped_by_parent)
        };
        let reason = match (self.core.stop_kind_after_drain(), parent) {
            (Some(StopKind::Dropped), _) => StopReason::Dropped,
            (Some(_), _) => StopReason::Shutdown,
            (None, Some(parent)) => match parent.failing() {
                Some(chain) => StopReason::GroupFailed { chain },
                None if by_parent || parent.is_stopping() => StopReason::GroupStopped,
                // Its parent has held it, and it does not start again.
                None if !stopped => StopReason::SiblingRestart { failed: parent.first_failed() },
                None => StopReason::Canceled,
            },
            (None, None) => StopReason::Canceled,
        };
        TaskOutcome::Canceled { error: None, reason, finished: false }
    }

    /// Records the begin of a run.
    pub(in crate::runtime::group) fn begins(&self) {
        self.set_failing(None);
        let mut inbox = self.lock();
        let restarts = u64::from(inbox.runs);
        if restarts > 0 && self.core.bus.is_active() {
            self.core.bus.publish(Event { count: Some(restarts), ..self.event(EventKind::GroupRestarted) });
        }
        // Another request can have come in the meantime: the driver handles it next.
        self.stopping.store(!inbox.open, Ordering::Release);
        inbox.state = if inbox.stopped { TaskState::Stopping } else { TaskState::Running };
        inbox.runs = inbox.runs.saturating_add(1);
        (inbox.ready, inbox.making, inbox.due) = (false, false, 0);
    }

    pub(in crate::runtime::group) fn set_state(&self, state: TaskState) {
        self.rests(state, None);
    }

    /// Records the state of a group that does not run, and the delay until its next run, if it is known.
    pub(in crate::runtime::group) fn rests(&self, state: TaskState, delay: Option<Duration>) {
        self.rests_as(&mut self.lock(), state, delay);
    }

    fn rests_as(&self, inbox: &mut Inbox, state: TaskState, delay: Option<Duration>) {
        (inbox.state, inbox.since) = (state, self.core.clock.now());
        inbox.due = delay.map_or(0, |delay| after(inbox.since, delay).max(1));
        inbox.making = false;
    }

    /// Records that the function of a fresh group is called.
    pub(in crate::runtime::group) fn set_making(&self) {
        let mut inbox = self.lock();
        (inbox.state, inbox.since) = (TaskState::Running, self.core.clock.now());
        (inbox.making, inbox.ready, inbox.due) = (true, false, 0);
    }

    /// Returns `true` while the function of a fresh group makes its children.
    pub(in crate::runtime) fn is_making(&self) -> bool {
        self.lock().making
    }

    /// Returns `true` if the group is down, and starts again.
    #[cfg(feature = "cron")]
    pub(in crate::runtime) fn starts_again(&self) -> bool {
        let inbox = self.lock();
        let is_down = !matches!(inbox.state, TaskState::Running | TaskState::Ended);
        is_down && inbox.open && !inbox.stopped && !self.core.is_stopping()
    }

    /// Returns `true` if the group is down after a run, and starts its children again.
    pub(in crate::runtime) fn starts_children_again(&self) -> bool {
        let inbox = self.lock();
        let is_down = !matches!(inbox.state, TaskState::Running | TaskState::Ended);
        is_down && inbox.runs > 0 && inbox.open && !inbox.stopped && !self.core.is_stopping()
    }

    /// Returns `true` if the group has ended in success and waits for its interval, in which it counts as ready.
    pub(in crate::runtime) fn rests_between_runs(&self) -> bool {
        self.lock().state == TaskState::Interval
    }

    /// Returns the problem of a group that waits for its next run, and the start of the wait. Its tasks are not
    /// registered then.
    pub(in crate::runtime) fn waits_for_run(&self) -> Option<(Problem, Ticks)> {
        let inbox = self.lock();
        let has_none = inbox.runs > 0 || self.declared.is_fresh;
        let waits = has_none && matches!(inbox.state, TaskState::Backoff | TaskState::Pending | TaskState::Paused);
        let problem =
            if inbox.making { Some(Problem::Making) } else { waits.then_some(Problem::NotReady(inbox.state)) };
        problem.map(|problem| (problem, inbox.since))
    }

    /// Ends the group, and removes its children. The caller holds the registry's lock, and has removed the group.
    pub(in crate::runtime) fn finish(&self, outcome: TaskOutcome) -> Gone {
        let mut inbox = self.lock();
        self.publish_end(&outcome);
        let outcome = Fenced::new(outcome);
        (inbox.state, inbox.open) = (TaskState::Ended, false);
        let late: Vec<_> = mem::take(&mut inbox.messages).iter().filter_map(|message| message.input.child()).collect();
        let late: Vec<_> = late.into_iter().filter_map(|key| inbox.members.get(key).cloned()).collect();
        let spare = if inbox.outcome.is_some() { Some(outcome) } else { inbox.outcome.replace(outcome) };
        Gone {
            members: (mem::take(&mut inbox.members), mem::take(&mut inbox.before)),
            runtimes: mem::take(&mut inbox.elsewhere),
            late,
            spare,
        }
    }

    /// Does the remaining work after the end, such as waking the waiters. Called with no lock held.
    pub(in crate::runtime) fn has_finished(&self, gone: Gone) {
        for member in &gone.late {
            member.turn_away(self.core.config.grace);
        }
        drop(gone);
        #[cfg(feature = "fleet")]
        if let Some(seat) = &self.seat {
            seat.leaves();
        }
        self.changed.wake();
        self.core.tell_ready();
    }

    pub(crate) async fn outcome(&self) -> TaskOutcome {
        self.changed.wait(|| self.lock().outcome.as_deref().cloned()).await
    }
}
