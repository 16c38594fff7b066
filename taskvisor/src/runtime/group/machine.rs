//! The states of a group, and its actions for each input. Plain data: inputs and time go in, actions come out, and the
//! driver carries them out.
//!
//! ```text
//!            Release          over, retried        due
//!  Parked ------------> Run ---------------> Waiting ----> Run
//!    ^                   |  over, and the parent decides
//!    '-------------------'
//!  any state -- stopped for good --> Dissolving (what was not part of a run) --> Over
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::children::{Child, Epoch, Key};
use super::plan::{self, End, Note, Plan, Why};
use super::window::Limit;
use crate::tree::{Order, Strategy};

/// The rules of a group for all runs.
pub(super) struct Rules {
    pub(super) strategy: Strategy,
    pub(super) limit: Option<Limit>,
    pub(super) order: Arc<Order>,
    pub(super) children: Vec<Child>,
    pub(super) is_root: bool,
    /// `true` if a hold ends the group, because it never starts again.
    pub(super) runs_once: bool,
}

/// An input of the machine.
#[derive(Debug, Clone, Copy)]
pub(super) enum Input {
    Note {
        key: Key,
        epoch: Epoch,
        note: Note,
    },
    /// A child was added. A child with the name of a declared child can only be part of the current run.
    Add {
        key: Key,
        child: Child,
        takes_place: bool,
    },
    /// The gate opens: the group starts.
    Release(Epoch),
    /// The gate opens for a group that failed: it starts after its backoff.
    Resume(Epoch),
    /// The group stops, and its parent starts it again.
    Hold(Epoch),
    /// No further attempt may begin: the group is stopped soon.
    Retire,
    /// The group stops for good.
    Stop(Option<Epoch>),
    /// The group stops and starts again.
    Restart,
    #[cfg(test)]
    Panic,
}

/// The actions of the machine, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// An action of the plan for a child. Never the end of the group.
    Plan(plan::Action),
    /// Register the declared children again, and then call [`Machine::registered`].
    Register,
    /// A run begins.
    Begin,
    /// The group stops, for good or not.
    Stopping { for_good: bool },
    /// Send a note to the parent.
    Report(Note),
    /// The group is parked, and waits only for its parent.
    Parked,
    /// The run has ended without a request: decide what follows, and call [`Machine::follow`].
    Conclude(Why),
    /// A restart ended the run: reset the consecutive failures.
    Forgive,
    /// The group ends.
    End,
}

/// The decision about what follows a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    End,
    /// A child was added in the meantime: the run continues.
    GoOn,
    Wait(Duration),
    /// The parent decides when the group starts again; it may then wait for this backoff.
    Park(Duration),
}

enum State {
    /// Waits at its gate. After a failure, it may wait for its backoff when the gate opens.
    Parked(Option<Duration>),
    Waiting {
        until: Duration,
    },
    /// Its declared children are being registered.
    Registering,
    Running(Box<Run>),
    /// It ends when this number of children has ended.
    Dissolving(usize),
    Over,
}

struct Run {
    plan: Plan,
    /// The time at which the wait of the plan is over.
    until: Option<Duration>,
    was_ready: bool,
    /// `true` if it was ready, except for children that wait for their next start.
    counted_as_ready: bool,
}

/// The request that stops a run, in ascending rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Requested {
    Nothing,
    Restart,
    Hold,
    Stop,
}

/// The state of a group.
pub(super) struct Machine {
    rules: Rules,
    state: State,
    requested: Requested,
    /// The epoch of the last request of the parent.
    requested_epoch: Epoch,
    /// The last epoch of its children.
    epoch: Epoch,
    retired: bool,
    /// The registered declared children that have ended before they were started.
    fresh: Option<Vec<(Key, End)>>,
    /// The children that were added for the next run.
    pending: BTreeMap<Key, Child>,
}

impl Machine {
    /// Creates a group whose children are registered, and that waits at its gate.
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            state: State::Parked(None),
            requested: Requested::Nothing,
            requested_epoch: 0,
            epoch: 0,
            retired: false,
            fresh: Some(Vec::new()),
            pending: BTreeMap::new(),
        }
    }

    pub(super) fn requested_epoch(&self) -> Epoch {
        self.requested_epoch
    }

    /// Returns the next time at which [`wake`](Self::wake) must be called.
    pub(super) fn wakes_at(&self) -> Option<Duration> {
        match &self.state {
            State::Waiting { until } => Some(*until),
            State::Running(run) => run.until,
            _ => None,
        }
    }

    /// Returns `true` if the run has failed because of this child.
    pub(super) fn is_lost(&self, key: Key) -> bool {
        matches!(&self.state, State::Running(run) if run.plan.is_lost(key))
    }

    /// Returns `true` if a child that is added now is part of the current or first run.
    pub(super) fn takes_now(&self) -> bool {
        match &self.state {
            State::Running(run) => run.plan.is_open() && self.requested == Requested::Nothing,
            _ => self.fresh.is_some(),
        }
    }

    /// Returns `true` if a request stops the current run.
    pub(super) fn is_requested(&self) -> bool {
        self.requested != Requested::Nothing
    }

    pub(super) fn handle(&mut self, input: Input, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        match input {
            Input::Note { key, epoch, note } => self.note(key, epoch, note, now, &mut actions),
            Input::Add { key, child, takes_place } => self.add(key, child, takes_place, now, &mut actions),
            Input::Release(epoch) => {
                self.requested_epoch = epoch;
                if matches!(self.state, State::Parked(_) | State::Waiting { .. }) {
                    self.due(&mut actions, now);
                }
            }
            Input::Resume(epoch) => {
                self.requested_epoch = epoch;
                match self.state {
                    State::Parked(Some(delay)) => self.state = State::Waiting { until: now.saturating_add(delay) },
                    State::Parked(None) => self.due(&mut actions, now),
                    _ => {}
                }
            }
            Input::Hold(epoch) => {
                self.requested_epoch = epoch;
                self.hold(now, &mut actions);
            }
            Input::Retire => self.retire(now, &mut actions),
            Input::Stop(epoch) => {
                self.requested_epoch = epoch.unwrap_or(self.requested_epoch);
                self.stop(now, &mut actions);
            }
            Input::Restart => self.restart(now, &mut actions),
            #[cfg(test)]
            Input::Panic => panic!("a fault of the driver"),
        }
        actions
    }

    /// The time of [`wakes_at`](Self::wakes_at) has been reached.
    pub(super) fn wake(&mut self, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        match &mut self.state {
            State::Waiting { until } if *until <= now => self.due(&mut actions, now),
            State::Running(run) if run.until.is_some_and(|until| until <= now) => {
                run.until = None;
                let planned = run.plan.waited(now);
                self.planned(planned, now, &mut actions);
            }
            _ => {}
        }
        actions
    }

    /// The declared children were registered, or a shutdown prevents it.
    pub(super) fn registered(&mut self, registered: bool, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        if registered {
            self.begin(&mut actions, now);
        } else {
            self.dissolve(&mut actions);
        }
        actions
    }

    /// Carries out the decision about what follows a run.
    pub(super) fn follow(&mut self, follow: Follow, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        match follow {
            Follow::End => self.dissolve(&mut actions),
            Follow::GoOn => {
                if let State::Running(run) = &mut self.state {
                    run.plan.go_on();
                }
            }
            // The group is stopped soon, and does not start before.
            Follow::Wait(_) if self.retired => self.state = State::Parked(None),
            Follow::Wait(delay) => {
                self.state = State::Waiting { until: now.saturating_add(delay) };
                actions.extend(self.wake(now));
            }
            Follow::Park(delay) => {
                self.state = State::Parked(Some(delay));
                actions.push(Action::Report(Note::Failed(delay)));
            }
        }
        actions
    }

    fn note(&mut self, key: Key, epoch: Epoch, note: Note, now: Duration, actions: &mut Vec<Action>) {
        if let Note::Ended(end) = note {
            if self.pending.remove(&key).is_some() {
                return;
            }
            match (&mut self.fresh, &mut self.state) {
                (_, State::Dissolving(_)) => return self.dissolved(actions),
                (Some(ended), _) => return ended.push((key, end)),
                _ => {}
            }
        }
        if let State::Running(run) = &mut self.state {
            let planned = run.plan.note(key, epoch, note, now);
            self.planned(planned, now, actions);
        }
    }

    fn add(&mut self, key: Key, child: Child, takes_place: bool, now: Duration, actions: &mut Vec<Action>) {
        match &mut self.state {
            State::Running(run) if run.plan.is_open() && self.requested == Requested::Nothing => {
                run.plan.add(key, child);
                let planned = run.plan.proceed(now);
                return self.planned(planned, now, actions);
            }
            State::Dissolving(left) => *left += 1,
            State::Over => return,
            // The child is for the next run.
            _ => {
                self.pending.insert(key, child);
            }
        }
        if (takes_place && self.fresh.is_none()) || matches!(self.state, State::Dissolving(_)) {
            actions.push(Action::Plan(plan::Action::Stop(key, 0, 0)));
        }
    }

    fn due(&mut self, actions: &mut Vec<Action>, now: Duration) {
        if self.fresh.is_some() {
            self.begin(actions, now);
        } else {
            self.state = State::Registering;
            actions.push(Action::Register);
        }
    }

    /// Begins a run with the registered children.
    fn begin(&mut self, actions: &mut Vec<Action>, now: Duration) {
        let Rules { strategy, limit, order, children, is_root, .. } = &self.rules;
        let mut plan = Plan::new(*strategy, *limit, order, children, self.epoch);
        plan.is_root = *is_root;
        for (key, child) in std::mem::take(&mut self.pending) {
            plan.add(key, child);
        }
        for (key, end) in self.fresh.take().unwrap_or_default() {
            plan.ended(key, end);
        }
        self.requested = Requested::Nothing;
        actions.push(Action::Begin);
        let planned = plan.proceed(now);
        self.state = State::Running(Box::new(Run { plan, until: None, was_ready: false, counted_as_ready: false }));
        self.planned(planned, now, actions);
    }

    fn hold(&mut self, now: Duration, actions: &mut Vec<Action>) {
        match &mut self.state {
            State::Running(run) => {
                self.requested = self.requested.max(Requested::Hold);
                actions.push(Action::Stopping { for_good: false });
                let planned = run.plan.stop(now);
                self.planned(planned, now, actions);
            }
            State::Parked(_) | State::Waiting { .. } | State::Registering => {
                if self.rules.runs_once {
                    return self.dissolve(actions);
                }
                self.state = State::Parked(None);
                actions.extend([Action::Parked, Action::Report(Note::Held)]);
            }
            State::Dissolving(_) | State::Over => {}
        }
    }

    fn retire(&mut self, now: Duration, actions: &mut Vec<Action>) {
        self.retired = true;
        match &mut self.state {
            State::Running(run) => {
                let planned = run.plan.retire(now);
                self.planned(planned, now, actions);
            }
            State::Waiting { .. } => self.state = State::Parked(None),
            _ => {}
        }
    }

    fn stop(&mut self, now: Duration, actions: &mut Vec<Action>) {
        self.requested = Requested::Stop;
        match &mut self.state {
            State::Running(run) => {
                actions.push(Action::Stopping { for_good: true });
                let planned = run.plan.stop(now);
                self.planned(planned, now, actions);
            }
            State::Dissolving(_) | State::Over => {}
            _ => self.dissolve(actions),
        }
    }

    fn restart(&mut self, now: Duration, actions: &mut Vec<Action>) {
        match &mut self.state {
            State::Running(run) => {
                self.requested = self.requested.max(Requested::Restart);
                actions.push(Action::Stopping { for_good: self.requested == Requested::Stop });
                let planned = run.plan.stop(now);
                self.planned(planned, now, actions);
            }
            State::Waiting { .. } => self.due(actions, now),
            // The parent waits for this group, and no longer has to.
            State::Parked(_) => actions.push(Action::Report(Note::Skip)),
            State::Registering | State::Dissolving(_) | State::Over => {}
        }
    }

    /// Handles the actions of the plan, and their consequences for the group.
    fn planned(&mut self, planned: Vec<plan::Action>, now: Duration, actions: &mut Vec<Action>) {
        let State::Running(run) = &mut self.state else { return };
        let mut over = None;
        for action in planned {
            match action {
                plan::Action::Over(why) => over = Some(why),
                plan::Action::Wait(delay) => run.until = Some(now.saturating_add(delay)),
                plan::Action::GivenUp => actions.push(Action::Report(Note::GivenUp)),
                other => actions.push(Action::Plan(other)),
            }
        }
        self.epoch = run.plan.epoch();
        let is_ready = run.plan.is_ready() || matches!(over, Some(Why::Completed | Why::Significant));
        let counts_as_ready = is_ready || run.plan.counts_as_ready();
        if is_ready && !run.was_ready {
            actions.push(Action::Report(Note::Ready));
        } else if counts_as_ready && !run.counted_as_ready {
            actions.push(Action::Report(Note::Delayed));
        }
        (run.was_ready, run.counted_as_ready) = (is_ready, counts_as_ready);
        let Some(why) = over else { return };
        match self.requested {
            Requested::Nothing => actions.push(Action::Conclude(why)),
            Requested::Restart => {
                actions.push(Action::Forgive);
                if self.retired {
                    self.state = State::Parked(None);
                } else {
                    self.due(actions, now);
                }
            }
            Requested::Hold if !self.rules.runs_once => {
                self.state = State::Parked(None);
                actions.extend([Action::Parked, Action::Report(Note::Held)]);
            }
            Requested::Hold | Requested::Stop => self.dissolve(actions),
        }
    }

    /// Stops the children that are not part of a run, and then ends the group.
    fn dissolve(&mut self, actions: &mut Vec<Action>) {
        actions.push(Action::Stopping { for_good: true });
        let pending = std::mem::take(&mut self.pending);
        let mut left: Vec<Key> = pending.into_keys().collect();
        if let Some(ended) = self.fresh.take() {
            let mut is_left = vec![true; self.rules.children.len()];
            for (key, _) in ended {
                if let Some(is_left) = usize::try_from(key).ok().and_then(|key| is_left.get_mut(key)) {
                    *is_left = false;
                }
            }
            left.extend(is_left.into_iter().zip(0..).filter_map(|(is_left, key)| is_left.then_some(key)));
        }
        actions.extend(left.iter().map(|key| Action::Plan(plan::Action::Stop(*key, 0, 0))));
        self.state = State::Dissolving(left.len() + 1);
        self.dissolved(actions);
    }

    fn dissolved(&mut self, actions: &mut Vec<Action>) {
        if let State::Dissolving(left) = &mut self.state {
            *left -= 1;
            if *left == 0 {
                self.state = State::Over;
                actions.push(Action::End);
            }
        }
    }
}

#[cfg(test)]
#[path = "machine_test.rs"]
mod tests;
