//! What a group does about what it is told, in every state that it can be in. Plain data: inputs and time go in,
//! actions come out, and the driver carries them out.
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

/// What does not change from run to run.
pub(super) struct Rules {
    pub(super) strategy: Strategy,
    pub(super) limit: Option<Limit>,
    pub(super) order: Arc<Order>,
    pub(super) children: Vec<Child>,
    pub(super) is_root: bool,
    /// It ends when it is requested to hold, as one that is never started again.
    pub(super) runs_once: bool,
}

/// What a group is told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Input {
    Note {
        key: Key,
        epoch: Epoch,
        note: Note,
    },
    /// A child was added. One that has the name of a declared child can be part of the present run only.
    Add {
        key: Key,
        child: Child,
        takes_place: bool,
    },
    /// The gate is open: the group starts.
    Release(Epoch),
    /// The gate is open to a group that failed: it starts after its backoff.
    Resume(Epoch),
    /// The group stops, to be started again by its parent.
    Hold(Epoch),
    /// No attempt is to begin any more: the group is stopped soon.
    Retire,
    /// The group stops for good, as its parent or somebody else requested.
    Stop(Option<Epoch>),
    /// The group stops and starts again.
    Restart,
    #[cfg(test)]
    Panic,
}

/// What is to be done, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// What the plan says of a child; never that the group is over.
    Plan(plan::Action),
    /// Register the declared children anew, then call [`Machine::registered`].
    Register,
    /// A run begins.
    Begin,
    /// The group is being stopped; for good or not.
    Stopping { for_good: bool },
    /// Tell the parent.
    Report(Note),
    /// It is parked, with nothing to wait for but its parent.
    Parked,
    /// The run is over by itself: decide what follows, and call [`Machine::follow`].
    Conclude(Why),
    /// The run was ended by a restart: forget the failures before.
    Forgive,
    /// It is over.
    End,
}

/// What follows a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    End,
    /// A child was added meanwhile: the run goes on.
    GoOn,
    Wait(Duration),
    /// The parent decides when it starts again; it may wait for this backoff then.
    Park(Duration),
}

enum State {
    /// Behind its gate; after a failure it may wait for its backoff once that opens.
    Parked(Option<Duration>),
    Waiting {
        until: Duration,
    },
    /// Its declared children are being registered.
    Registering,
    Running(Box<Run>),
    /// It ends when so many children have.
    Dissolving(usize),
    Over,
}

struct Run {
    plan: Plan,
    /// When the wait of the plan is over.
    until: Option<Duration>,
    was_ready: bool,
    /// It was ready, but for children that wait for their time.
    counted_as_ready: bool,
}

/// Why a run is being stopped. What outranks comes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Nothing,
    Restart,
    Hold,
    Stop,
}

/// The state of a group.
pub(super) struct Machine {
    rules: Rules,
    state: State,
    told: Told,
    /// What its parent requested last.
    gate: Epoch,
    /// The last epoch that its children were given.
    epoch: Epoch,
    retired: bool,
    /// The declared children that are registered have not been started yet; those of them that have ended.
    fresh: Option<Vec<(Key, End)>>,
    /// Children that were added for the next run.
    pending: BTreeMap<Key, Child>,
}

impl Machine {
    /// A group whose children are registered, and that waits for its gate.
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            state: State::Parked(None),
            told: Told::Nothing,
            gate: 0,
            epoch: 0,
            retired: false,
            fresh: Some(Vec::new()),
            pending: BTreeMap::new(),
        }
    }

    pub(super) fn gate(&self) -> Epoch {
        self.gate
    }

    /// When it wants to be woken, if nothing else happens.
    pub(super) fn wakes_at(&self) -> Option<Duration> {
        match &self.state {
            State::Waiting { until } => Some(*until),
            State::Running(run) => run.until,
            _ => None,
        }
    }

    /// Whether a child is what the run has failed with, and is asked why.
    pub(super) fn is_lost(&self, key: Key) -> bool {
        matches!(&self.state, State::Running(run) if run.plan.is_lost(key))
    }

    /// Whether a child that is added now is part of the present run, or of the first.
    pub(super) fn takes_now(&self) -> bool {
        match &self.state {
            State::Running(run) => run.plan.is_open() && self.told == Told::Nothing,
            _ => self.fresh.is_some(),
        }
    }

    /// Whether the present run is being stopped because that was requested.
    pub(super) fn is_told(&self) -> bool {
        self.told != Told::Nothing
    }

    pub(super) fn handle(&mut self, input: Input, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        match input {
            Input::Note { key, epoch, note } => self.note(key, epoch, note, now, &mut actions),
            Input::Add { key, child, takes_place } => self.add(key, child, takes_place, now, &mut actions),
            Input::Release(epoch) => {
                self.gate = epoch;
                if matches!(self.state, State::Parked(_) | State::Waiting { .. }) {
                    self.due(&mut actions, now);
                }
            }
            Input::Resume(epoch) => {
                self.gate = epoch;
                match self.state {
                    State::Parked(Some(delay)) => self.state = State::Waiting { until: now.saturating_add(delay) },
                    State::Parked(None) => self.due(&mut actions, now),
                    _ => {}
                }
            }
            Input::Hold(epoch) => {
                self.gate = epoch;
                self.hold(now, &mut actions);
            }
            Input::Retire => self.retire(now, &mut actions),
            Input::Stop(epoch) => {
                self.gate = epoch.unwrap_or(self.gate);
                self.stop(now, &mut actions);
            }
            Input::Restart => self.restart(now, &mut actions),
            #[cfg(test)]
            Input::Panic => panic!("a fault of the driver"),
        }
        actions
    }

    /// The time that [`wakes_at`](Self::wakes_at) gave has come.
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

    /// The declared children were registered, or could not be, as there is a shutdown.
    pub(super) fn registered(&mut self, registered: bool, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        if registered {
            self.begin(&mut actions, now);
        } else {
            self.dissolve(&mut actions);
        }
        actions
    }

    /// What follows the run that was to be concluded.
    pub(super) fn follow(&mut self, follow: Follow, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        match follow {
            Follow::End => self.dissolve(&mut actions),
            Follow::GoOn => {
                if let State::Running(run) = &mut self.state {
                    run.plan.go_on();
                }
            }
            // It is stopped soon, and does not begin before that.
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
            State::Running(run) if run.plan.is_open() && self.told == Told::Nothing => {
                run.plan.add(key, child);
                let planned = run.plan.proceed(now);
                return self.planned(planned, now, actions);
            }
            State::Dissolving(left) => *left += 1,
            State::Over => return,
            // For the next run.
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

    /// Begins a run with those that are registered.
    fn begin(&mut self, actions: &mut Vec<Action>, now: Duration) {
        let Rules { strategy, limit, order, children, is_root, .. } = &self.rules;
        let mut plan = Plan::new(*strategy, *limit, order, children, self.epoch);
        if *is_root {
            plan = plan.of_root();
        }
        for (key, child) in std::mem::take(&mut self.pending) {
            plan.add(key, child);
        }
        for (key, end) in self.fresh.take().unwrap_or_default() {
            plan.ended_early(key, end);
        }
        self.told = Told::Nothing;
        actions.push(Action::Begin);
        let planned = plan.proceed(now);
        self.state = State::Running(Box::new(Run { plan, until: None, was_ready: false, counted_as_ready: false }));
        self.planned(planned, now, actions);
    }

    fn hold(&mut self, now: Duration, actions: &mut Vec<Action>) {
        match &mut self.state {
            State::Running(run) => {
                self.told = self.told.max(Told::Hold);
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
        self.told = Told::Stop;
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
                self.told = self.told.max(Told::Restart);
                actions.push(Action::Stopping { for_good: self.told == Told::Stop });
                let planned = run.plan.stop(now);
                self.planned(planned, now, actions);
            }
            State::Waiting { .. } => self.due(actions, now),
            // The parent waits, and need not.
            State::Parked(_) => actions.push(Action::Report(Note::Skip)),
            State::Registering | State::Dissolving(_) | State::Over => {}
        }
    }

    /// Takes what the plan says, and what it means for the group.
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
        match self.told {
            Told::Nothing => actions.push(Action::Conclude(why)),
            Told::Restart => {
                actions.push(Action::Forgive);
                if self.retired {
                    self.state = State::Parked(None);
                } else {
                    self.due(actions, now);
                }
            }
            Told::Hold if !self.rules.runs_once => {
                self.state = State::Parked(None);
                actions.extend([Action::Parked, Action::Report(Note::Held)]);
            }
            Told::Hold | Told::Stop => self.dissolve(actions),
        }
    }

    /// Ends what is registered and not part of a run, and then the group.
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
