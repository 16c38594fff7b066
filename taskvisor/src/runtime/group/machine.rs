//! The states of a group, and its actions for each input. Plain data: inputs and time go in, actions come out, and the
//! driver carries them out.
//!
//! ```text
//!            Release          over, retried        due
//!  Parked ------------> Run ---------------> Waiting ----> Run
//!    ^                   |  over, and the parent decides
//!    '-------------------'
//!  A fresh group makes its children before each run: Making
//!  any state -- stopped for good --> Dissolving (what was not part of a run) --> Over
//! ```

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::children::{Epoch, Key};
use super::plan::{self, End, Note, Plan, RetryIn, Why};
use crate::tree::{Order, Role, Strategy};

/// The rules of a group for all runs.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) strategy: Strategy,
    pub(super) limit: Option<(u32, Duration)>,
    pub(super) order: Arc<Order>,
    pub(super) children: Vec<Role>,
    pub(super) is_root: bool,
    /// `true` if a hold ends the group, because it never starts again.
    pub(super) runs_once: bool,
    /// `true` for a fresh group: its children, and their order, are made before each run.
    pub(super) is_fresh: bool,
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
        child: Role,
        takes_place: bool,
    },
    /// A declared child that had ended was registered again. `end` is its end, in case it was not handled yet.
    Again {
        key: Key,
        end: End,
    },
    /// The gate opens: the group starts.
    Release(Epoch),
    /// The gate opens for a group that failed: it starts after its backoff.
    Resume(Epoch),
    /// The group stops, to be started again by its parent.
    Hold(Epoch),
    /// No further attempt may begin: the group is stopped soon.
    Retire,
    /// The group stops for good.
    Stop(Option<Epoch>),
    /// The group stops and starts again.
    Restart,
    /// The time of [`Machine::wakes_at`] has been reached.
    Wake,
    /// The children of a fresh group were made.
    Made,
    /// The children could not be made or registered.
    Unmade,
    /// `true` if the declared children were registered, `false` if a shutdown prevents it.
    Registered(bool),
    /// The decision about what follows a run.
    Follow(Follow),
    #[cfg(test)]
    Panic,
}

impl Input {
    /// Returns the key of a child that joins the group with this input.
    pub(super) fn child(&self) -> Option<Key> {
        match self {
            Self::Add { key, .. } | Self::Again { key, .. } => Some(*key),
            _ => None,
        }
    }

    /// Returns `true` if this input continues a run whose children have all ended, or starts another run.
    pub(super) fn goes_on(&self) -> bool {
        matches!(self, Self::Restart) || self.child().is_some()
    }

    /// Returns `true` if the input is about one of the `count` declared children.
    pub(super) fn is_of_declared(&self, count: Key) -> bool {
        matches!(self, Self::Note { key, .. } | Self::Again { key, .. } if *key < count)
    }
}

/// The actions of the machine, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// An action of the plan for a child.
    Plan(plan::Action),
    /// Make the children, and then report [`Input::Made`] or [`Input::Unmade`].
    Make,
    /// Register the declared children again, and then report [`Input::Registered`].
    Register,
    /// A run begins.
    Begin,
    /// The group stops, for good or not.
    Stopping { for_good: bool },
    /// Send a note to the parent.
    Report(Note),
    /// The group is parked, and waits only for its parent.
    Parked,
    /// The run has ended without a request: decide what follows, and report [`Input::Follow`].
    Conclude(Why),
    /// Reset the consecutive failures, because a restart ended the run.
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
    /// The parent decides when the group starts again; it may then wait for this time.
    Park(RetryIn),
}

enum State {
    /// The group waits at its gate. After a failure, it waits for this backoff when the gate opens.
    Parked(Option<Duration>),
    Waiting {
        until: Duration,
    },
    /// The children are being made. `true` when they are made, and wait until their names are free.
    Making(bool),
    /// Its declared children are being registered.
    Registering,
    Running(Box<Run>),
    /// The group ends when these children have ended.
    Dissolving(HashSet<Key>),
    Over,
}

struct Run {
    plan: Plan,
    /// The readiness of the plan after the last input.
    readiness: Option<Note>,
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
    rules: Arc<Rules>,
    state: State,
    requested: Requested,
    /// The epoch of the last request of the parent.
    pub(super) requested_epoch: Epoch,
    /// The last epoch of its children.
    epoch: Epoch,
    retired: bool,
    /// The declared children that ended before their start. `None` if the declared children must be registered again.
    fresh: Option<Vec<(Key, End)>>,
    /// The children that were added for the next run.
    pending: HashMap<Key, Role>,
    /// The children that came too late for the last run, and were requested to stop. Until they have ended, a fresh
    /// group cannot use their names.
    late: HashSet<Key>,
    /// The time of the input, and the actions for it.
    now: Duration,
    actions: Vec<Action>,
}

impl Machine {
    /// Creates a group whose children are registered. It waits at its gate.
    pub(super) fn new(rules: Rules) -> Self {
        // A fresh group has no children yet.
        let fresh = (!rules.is_fresh).then(Vec::new);
        Self {
            rules: Arc::new(rules),
            state: State::Parked(None),
            requested: Requested::Nothing,
            requested_epoch: 0,
            epoch: 0,
            retired: false,
            fresh,
            pending: HashMap::new(),
            late: HashSet::new(),
            now: Duration::ZERO,
            actions: Vec::new(),
        }
    }

    /// Sets the children of the next run, and their order.
    pub(super) fn set_children(&mut self, children: Vec<Role>, order: Arc<Order>) {
        let rules = Arc::make_mut(&mut self.rules);
        (rules.children, rules.order) = (children, order);
    }

    /// Returns the next time at which [`Input::Wake`] is due.
    pub(super) fn wakes_at(&self) -> Option<Duration> {
        match &self.state {
            State::Waiting { until } => Some(*until),
            State::Running(run) => run.plan.wakes_at(),
            _ => None,
        }
    }

    /// Returns `true` if the run has failed because of this child.
    pub(super) fn is_lost(&self, key: Key) -> bool {
        matches!(&self.state, State::Running(run) if run.plan.is_lost(key))
    }

    /// Returns the failure because of which the run stops.
    pub(super) fn fails(&self) -> Option<Why> {
        match &self.state {
            State::Running(run) => run.plan.fails(),
            _ => None,
        }
    }

    /// Returns `true` if a child that is added now becomes part of the current or first run.
    pub(super) fn takes_now(&self) -> bool {
        match &self.state {
            State::Running(run) => run.plan.is_open() && self.requested == Requested::Nothing,
            _ => self.fresh.is_some(),
        }
    }

    /// Returns `true` if a request has stopped the current run.
    pub(super) fn is_requested(&self) -> bool {
        self.requested != Requested::Nothing
    }

    pub(super) fn handle(&mut self, input: Input, now: Duration) -> Vec<Action> {
        self.now = now;
        if let Input::Release(epoch) | Input::Resume(epoch) | Input::Hold(epoch) | Input::Stop(Some(epoch)) = input {
            self.requested_epoch = epoch;
        }
        match input {
            Input::Note { key, epoch, note } => self.note(key, epoch, note),
            Input::Add { key, child, takes_place } => self.add(key, child, takes_place),
            Input::Again { key, end } => self.start_again(key, end),
            Input::Release(_) => {
                if matches!(self.state, State::Parked(_) | State::Waiting { .. }) {
                    self.start();
                }
            }
            Input::Resume(_) => match self.state {
                State::Parked(Some(delay)) => self.state = State::Waiting { until: now.saturating_add(delay) },
                State::Parked(None) => self.start(),
                _ => {}
            },
            Input::Hold(_) => self.request(Requested::Hold),
            Input::Retire => self.retire(),
            Input::Stop(_) => self.request(Requested::Stop),
            Input::Restart => self.request(Requested::Restart),
            Input::Wake => self.wake(),
            Input::Made => {
                if let State::Making(made) = &mut self.state {
                    *made = true;
                    self.register_made();
                }
            }
            Input::Unmade => {
                if matches!(self.state, State::Making(_) | State::Registering) {
                    self.actions.push(Action::Conclude(Why::Unmade));
                }
            }
            Input::Registered(true) => self.begin(),
            Input::Registered(false) => self.dissolve(),
            Input::Follow(follow) => self.follow(follow),
            #[cfg(test)]
            Input::Panic => panic!("a fault of the driver"),
        }
        mem::take(&mut self.actions)
    }

    fn wake(&mut self) {
        match self.state {
            State::Waiting { until } if until <= self.now => self.start(),
            _ => self.plan(Plan::proceed),
        }
    }

    fn follow(&mut self, follow: Follow) {
        match follow {
            Follow::End => self.dissolve(),
            Follow::GoOn => {
                if let State::Running(run) = &mut self.state {
                    run.plan.go_on();
                }
            }
            // The group is stopped soon, and does not start again before that.
            Follow::Wait(_) if self.retired => self.state = State::Parked(None),
            Follow::Wait(delay) => {
                self.state = State::Waiting { until: self.now.saturating_add(delay) };
                self.wake();
            }
            Follow::Park(retry) => {
                self.state = State::Parked(Some(retry.delay()));
                self.actions.push(Action::Report(Note::Failed(retry)));
            }
        }
    }

    fn note(&mut self, key: Key, epoch: Epoch, note: Note) {
        if let Note::Ended(end) = note {
            // A map that is empty, as these mostly are, would still hash the key.
            if !self.late.is_empty() && self.late.remove(&key) {
                self.register_made();
            }
            if !self.pending.is_empty() && self.pending.remove(&key).is_some() {
                return;
            }
            match (&mut self.fresh, &mut self.state) {
                (_, State::Dissolving(_)) => return self.dissolved(Some(key)),
                (Some(ended), _) => return ended.push((key, end)),
                _ => {}
            }
        }
        self.plan(|plan, now| plan.note(key, epoch, note, now));
    }

    fn add(&mut self, key: Key, child: Role, takes_place: bool) {
        match &mut self.state {
            State::Running(run) if run.plan.is_open() && self.requested == Requested::Nothing => {
                run.plan.add(key, child);
                return self.plan(Plan::proceed);
            }
            State::Dissolving(left) => drop(left.insert(key)),
            State::Over => return,
            // The child is for the next run.
            _ => {
                self.pending.insert(key, child);
            }
        }
        if (takes_place && self.fresh.is_none()) || matches!(self.state, State::Dissolving(_)) {
            self.late.insert(key);
            self.actions.push(Action::Plan(plan::Action::Stop(key, 0, 0)));
        }
    }

    /// Handles the new registration of a declared child. It is stopped if the group does not run, because the next run
    /// registers all of them.
    fn start_again(&mut self, key: Key, end: End) {
        match (&mut self.fresh, &mut self.state) {
            (_, State::Running(_)) => return self.plan(|plan, now| plan.start_again(key, end, now)),
            (Some(ended), State::Parked(_) | State::Waiting { .. }) => return ended.retain(|(other, _)| *other != key),
            (_, State::Dissolving(left)) => drop(left.insert(key)),
            (_, State::Over) => return,
            _ => {}
        }
        self.late.insert(key);
        self.actions.push(Action::Plan(plan::Action::Stop(key, 0, 0)));
    }

    /// Starts a run, after its children are registered.
    fn start(&mut self) {
        if self.fresh.is_some() {
            self.begin();
        } else if self.rules.is_fresh {
            self.state = State::Making(false);
            self.actions.push(Action::Make);
        } else {
            self.state = State::Registering;
            self.actions.push(Action::Register);
        }
    }

    /// Registers the children that are made, when their names are free.
    fn register_made(&mut self) {
        if matches!(self.state, State::Making(true)) && self.late.is_empty() {
            self.state = State::Registering;
            self.actions.push(Action::Register);
        }
    }

    /// Begins a run with the registered children.
    fn begin(&mut self) {
        let mut plan = Plan::new(&self.rules, self.epoch);
        for (key, child) in self.take_pending() {
            plan.add(key, child);
        }
        for (key, end) in self.fresh.take().unwrap_or_default() {
            plan.ended(key, end);
        }
        self.requested = Requested::Nothing;
        self.late.clear();
        self.actions.push(Action::Begin);
        self.state = State::Running(Box::new(Run { plan, readiness: None }));
        self.plan(Plan::proceed);
    }

    /// Takes the children of the next run, in the order in which they were added.
    fn take_pending(&mut self) -> Vec<(Key, Role)> {
        let pending = mem::take(&mut self.pending);
        let mut keys: Vec<Key> = pending.keys().copied().collect();
        keys.sort_unstable();
        keys.into_iter().map(|key| (key, pending[&key])).collect()
    }

    /// Handles the request to end the run, or the wait for it.
    fn request(&mut self, requested: Requested) {
        let is_begun = matches!(self.state, State::Running(_));
        if is_begun || requested == Requested::Stop {
            self.requested = self.requested.max(requested);
        }
        match (&self.state, requested) {
            (State::Dissolving(_) | State::Over, _) => {}
            (State::Running(_), _) => {
                self.actions.push(Action::Stopping { for_good: self.requested == Requested::Stop });
                self.plan(Plan::stop);
            }
            (_, Requested::Stop) => self.dissolve(),
            (_, Requested::Hold) => self.held(),
            // A restart makes the children anew.
            (State::Waiting { .. } | State::Making(_), _) => self.start(),
            // The parent waits for the backoff of this group, and can skip it.
            (State::Parked(_), _) => self.actions.push(Action::Report(Note::Skip)),
            (State::Registering, _) => {}
        }
    }

    /// Waits at the gate after a hold. A group that runs once ends instead.
    fn held(&mut self) {
        if self.rules.runs_once {
            return self.dissolve();
        }
        self.state = State::Parked(None);
        self.actions.extend([Action::Parked, Action::Report(Note::Held)]);
    }

    fn retire(&mut self) {
        self.retired = true;
        match self.state {
            State::Waiting { .. } => self.state = State::Parked(None),
            State::Making(_) => {
                self.state = State::Parked(None);
                self.actions.push(Action::Parked);
            }
            _ => self.plan(Plan::retire),
        }
    }

    /// Calls `act` with the plan of the run, and handles the consequences for the group. Does nothing between two runs.
    fn plan(&mut self, act: impl FnOnce(&mut Plan, Duration) -> Vec<plan::Action>) {
        let State::Running(run) = &mut self.state else { return };
        let mut over = None;
        for action in act(&mut run.plan, self.now) {
            match action {
                plan::Action::Over(why) => over = Some(why),
                plan::Action::GivenUp => self.actions.push(Action::Report(Note::GivenUp)),
                other => self.actions.push(Action::Plan(other)),
            }
        }
        self.epoch = run.plan.epoch;
        let is_completed = matches!(over, Some(Why::Completed | Why::Significant));
        let readiness = if is_completed { Some(Note::Ready) } else { run.plan.readiness() };
        match (mem::replace(&mut run.readiness, readiness), readiness) {
            (Some(Note::Ready), _) | (Some(Note::Delayed), Some(Note::Delayed)) | (_, None) => {}
            (_, Some(note)) => self.actions.push(Action::Report(note)),
        }
        let Some(why) = over else { return };
        match self.requested {
            Requested::Nothing => self.actions.push(Action::Conclude(why)),
            Requested::Restart => {
                self.actions.push(Action::Forgive);
                if self.retired {
                    self.state = State::Parked(None);
                } else {
                    self.start();
                }
            }
            Requested::Hold => self.held(),
            Requested::Stop => self.dissolve(),
        }
    }

    /// Stops the children that are not part of a run, and then ends the group.
    fn dissolve(&mut self) {
        self.actions.push(Action::Stopping { for_good: true });
        let mut left: Vec<Key> = self.take_pending().into_iter().map(|(key, _)| key).collect();
        if let Some(ended) = self.fresh.take() {
            let ended: HashSet<Key> = ended.into_iter().map(|(key, _)| key).collect();
            left.extend((0..self.rules.children.len() as Key).filter(|key| !ended.contains(key)));
        }
        self.actions.extend(left.iter().map(|key| Action::Plan(plan::Action::Stop(*key, 0, 0))));
        self.state = State::Dissolving(left.into_iter().collect());
        self.dissolved(None);
    }

    fn dissolved(&mut self, ended: Option<Key>) {
        if let State::Dissolving(left) = &mut self.state {
            ended.map(|key| left.remove(&key));
            if left.is_empty() {
                self.state = State::Over;
                self.actions.push(Action::End);
            }
        }
    }
}

#[cfg(test)]
#[path = "machine_test.rs"]
mod tests;
