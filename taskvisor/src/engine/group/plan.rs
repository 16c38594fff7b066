//! What a group does next: who stops, who starts, in which order. Plain data, driven by notes, answering with actions.

use std::time::Duration;

use super::window::{Limit, Window};
use crate::outcome::TaskOutcome;
use crate::strategy::Strategy;

/// A child, by its place in the order of declaration.
pub(crate) type Index = usize;

/// What the plan knows of a child from its declaration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Child {
    /// Earlier siblings that must be ready before it starts.
    pub(crate) after: Vec<Index>,
    /// Its end in failure fails the group.
    pub(crate) critical: bool,
    /// Its end in success ends the group.
    pub(crate) significant: bool,
}

/// How a child ended for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Completed,
    Canceled,
    Failed,
    /// It did not stop when it was told to. Lost to its group like one that failed, unless the group told it.
    Aborted,
}

impl End {
    pub(crate) fn of(outcome: Option<&TaskOutcome>) -> Self {
        match outcome {
            Some(TaskOutcome::Completed) => Self::Completed,
            Some(TaskOutcome::Canceled { .. }) => Self::Canceled,
            Some(TaskOutcome::Aborted { .. }) => Self::Aborted,
            _ => Self::Failed,
        }
    }
}

/// What the plan is told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Note {
    /// A child that was started is ready.
    Ready(Index),
    /// A child failed, is stopped and would be started again after this time.
    Failed(Index, Duration),
    /// A child that was told to hold is stopped, and can be started again.
    Held(Index),
    /// A child ended for good.
    Ended(Index, End),
    /// The time of the last `Action::Wait` has passed.
    Waited,
    /// Nobody wants to wait any longer for a failed child.
    Skip,
    /// The group is told to stop.
    Stop,
}

/// What is to be done, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Start a child; its gate is open.
    Start(Index),
    /// Let a failed child start again by itself after its own backoff.
    Resume(Index),
    /// Stop a child, to start it again.
    Hold(Index),
    /// Stop a child for good.
    Stop(Index),
    /// Come back after this time.
    Wait(Duration),
    /// The group is over.
    Over(Why),
}

/// Why a group is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// Every child has ended, or a significant one in success.
    Completed,
    /// It was told to stop.
    Told,
    /// This child failed more often than the limit allows.
    Limit(Index),
    /// This child ended in failure, and the group needs it.
    Lost(Index),
}

/// Where a child is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Not started, or stopped to be started again.
    Down,
    /// Started, not ready yet.
    Starting,
    /// Started, and was ready since.
    Ready,
    /// Told to hold.
    Holding,
    /// Told to stop for good.
    Stopping,
    Ended {
        ready: bool,
    },
}

impl Place {
    fn is_up(self) -> bool {
        matches!(self, Self::Starting | Self::Ready)
    }

    /// Whether what it is after must still be there.
    fn is_present(self) -> bool {
        self.is_up() || matches!(self, Self::Holding | Self::Stopping)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Up,
    /// Those from `first` on are stopped, then started again after `delay`.
    Restarting {
        first: Index,
        delay: Duration,
        waits: bool,
    },
    Stopping(Why),
    Over,
}

/// The state of one run of a group.
#[derive(Debug)]
pub(crate) struct Plan {
    strategy: Strategy,
    window: Option<Window>,
    children: Vec<(Child, Place)>,
    /// For each child those that are after it.
    later: Vec<Vec<Index>>,
    mode: Mode,
    /// A group without children stays until it is told to stop.
    stays: bool,
}

impl Plan {
    /// A plan in which nothing has started. `rest_for_one` puts each child after the one before it.
    pub(crate) fn new(strategy: Strategy, limit: Option<Limit>, children: Vec<Child>) -> Self {
        let stays = children.is_empty();
        let mut plan = Self {
            strategy,
            window: limit.map(Window::new),
            children: Vec::new(),
            later: Vec::new(),
            mode: Mode::Up,
            stays,
        };
        for child in children {
            plan.push(child);
        }
        plan
    }

    fn push(&mut self, mut child: Child) -> Index {
        let index = self.children.len();
        if self.strategy == Strategy::RestForOne && index > 0 && !child.after.contains(&(index - 1)) {
            child.after.push(index - 1);
        }
        for earlier in &child.after {
            self.later[*earlier].push(index);
        }
        self.later.push(Vec::new());
        self.children.push((child, Place::Down));
        index
    }

    /// Adds a child to the end. It starts with the others, or at once if they are up.
    pub(crate) fn add(&mut self, child: Child) -> (Index, Vec<Action>) {
        let index = self.push(child);
        (index, self.proceed())
    }

    /// Whether children are taken.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.mode, Mode::Up | Mode::Restarting { .. })
    }

    /// The first actions.
    pub(crate) fn start(&mut self) -> Vec<Action> {
        self.proceed()
    }

    /// Whether every child that has not ended is ready.
    pub(crate) fn is_ready(&self) -> bool {
        self.mode == Mode::Up
            && self.children.iter().all(|(_, place)| matches!(place, Place::Ready | Place::Ended { .. }))
    }

    /// Why the group stops, or has stopped, if it does.
    pub(crate) fn stops(&self) -> Option<Why> {
        match self.mode {
            Mode::Stopping(why) => Some(why),
            _ => None,
        }
    }

    /// How many layers the present stop has, from this child down to what it is after, itself included. Each child
    /// counts for as many layers as `inside` says.
    pub(crate) fn layers(&self, index: Index, inside: &dyn Fn(Index) -> u32) -> u32 {
        let first = match self.mode {
            Mode::Restarting { first, .. } => first,
            _ => 0,
        };
        // In the order of declaration, so that what a child is after is known before it. The order goes through those
        // that are not there.
        let mut layers = vec![0_u32; index + 1];
        for at in first..=index {
            let (child, place) = &self.children[at];
            let below = child.after.iter().filter(|earlier| **earlier >= first).map(|earlier| layers[*earlier]);
            let own = if at == index || place.is_present() { inside(at) } else { 0 };
            layers[at] = own + below.max().unwrap_or(0);
        }
        layers[index]
    }

    /// Takes a note of what happened at `now`, and says what to do about it.
    pub(crate) fn note(&mut self, note: Note, now: Duration) -> Vec<Action> {
        match note {
            Note::Ready(index) => {
                let place = &mut self.children[index].1;
                if *place == Place::Starting {
                    *place = Place::Ready;
                }
            }
            Note::Failed(index, delay) => return self.failed(index, delay, now),
            Note::Held(index) => {
                let place = &mut self.children[index].1;
                if *place == Place::Holding {
                    *place = Place::Down;
                }
            }
            Note::Ended(index, end) => self.ended(index, end),
            Note::Waited => self.waited(),
            Note::Skip => self.skip(),
            Note::Stop => self.stop(Why::Told),
        }
        self.proceed()
    }

    fn failed(&mut self, index: Index, delay: Duration, now: Duration) -> Vec<Action> {
        let place = self.children[index].1;
        if place != Place::Stopping {
            self.children[index].1 = Place::Down;
        }
        let counts = match self.mode {
            Mode::Up => true,
            // One that is being stopped is part of the restart already; one before it is not.
            Mode::Restarting { first, .. } => index < first,
            Mode::Stopping(_) | Mode::Over => false,
        };
        if !counts {
            return self.proceed();
        }
        if self.window.as_mut().is_some_and(|window| window.hit(now)) {
            self.stop(Why::Limit(index));
            return self.proceed();
        }
        let (first, delay) = match (self.strategy, self.mode) {
            (Strategy::OneForOne, _) => {
                // Its gate was opened, and stays open for a restart of its own.
                self.children[index].1 = place;
                let mut actions = vec![Action::Resume(index)];
                actions.extend(self.proceed());
                return actions;
            }
            (Strategy::OneForAll, _) => (0, delay),
            (Strategy::RestForOne, Mode::Restarting { delay: other, .. }) => (index, delay.max(other)),
            (Strategy::RestForOne, _) => (index, delay),
        };
        self.mode = Mode::Restarting { first, delay, waits: false };
        self.proceed()
    }

    fn ended(&mut self, index: Index, end: End) {
        let (child, place) = &mut self.children[index];
        let told = matches!(place, Place::Holding | Place::Stopping);
        let end = match end {
            End::Aborted if told => End::Canceled,
            End::Aborted => End::Failed,
            end => end,
        };
        let ready = *place == Place::Ready || end != End::Failed;
        *place = Place::Ended { ready };
        let (critical, significant) = (child.critical, child.significant);
        let waits = |later: &Index| !matches!(self.children[*later].1, Place::Ended { .. });
        let needed = !ready && self.later[index].iter().any(waits);
        match end {
            End::Failed if critical || needed => self.stop(Why::Lost(index)),
            End::Completed if significant => self.stop(Why::Completed),
            _ => {}
        }
    }

    fn waited(&mut self) {
        if let Mode::Restarting { waits: true, .. } = self.mode {
            self.mode = Mode::Up;
        }
    }

    fn skip(&mut self) {
        if let Mode::Restarting { delay, waits, .. } = &mut self.mode {
            if *waits {
                self.mode = Mode::Up;
            } else {
                *delay = Duration::ZERO;
            }
        }
    }

    /// The first reason stands, but a failure outranks the others.
    fn stop(&mut self, why: Why) {
        let failure = |why| matches!(why, Why::Limit(_) | Why::Lost(_));
        self.mode = match self.mode {
            Mode::Stopping(before) if failure(before) || !failure(why) => Mode::Stopping(before),
            Mode::Over => Mode::Over,
            _ => Mode::Stopping(why),
        };
    }

    /// Does whatever can be done now.
    fn proceed(&mut self) -> Vec<Action> {
        match self.mode {
            Mode::Up => self.start_due(),
            Mode::Restarting { first, delay, waits } => {
                let mut actions = self.stop_due(first, Place::Holding, Action::Hold);
                let stopped = self.children[first..].iter().all(|(_, place)| !place.is_present());
                if stopped && !waits {
                    self.mode = Mode::Restarting { first, delay, waits: true };
                    if delay.is_zero() {
                        self.mode = Mode::Up;
                        actions.extend(self.start_due());
                    } else {
                        actions.push(Action::Wait(delay));
                    }
                } else if first > 0 {
                    // Those before go on meanwhile.
                    actions.extend(self.start_due_before(first));
                }
                actions
            }
            Mode::Stopping(why) => {
                let actions = self.stop_due(0, Place::Stopping, Action::Stop);
                if self.all_ended() {
                    self.mode = Mode::Over;
                    return vec![Action::Over(why)];
                }
                actions
            }
            Mode::Over => Vec::new(),
        }
    }

    fn all_ended(&self) -> bool {
        self.children.iter().all(|(_, place)| matches!(place, Place::Ended { .. }))
    }

    fn start_due(&mut self) -> Vec<Action> {
        if self.all_ended() && !self.stays {
            self.mode = Mode::Over;
            return vec![Action::Over(Why::Completed)];
        }
        self.start_due_before(self.children.len())
    }

    fn start_due_before(&mut self, end: Index) -> Vec<Action> {
        let mut actions = Vec::new();
        // Whether what is after a child may start: the order goes through those that have ended.
        let mut passes = Vec::with_capacity(end);
        for index in 0..end {
            let (child, place) = &self.children[index];
            let open = child.after.iter().all(|earlier| passes[*earlier]);
            passes.push(match place {
                Place::Ready => true,
                Place::Ended { ready } => *ready && open,
                _ => false,
            });
            if *place == Place::Down && open {
                self.children[index].1 = Place::Starting;
                actions.push(Action::Start(index));
            }
        }
        actions
    }

    /// Stops those from `first` on that nobody present is after.
    fn stop_due(&mut self, first: Index, place: Place, action: fn(Index) -> Action) -> Vec<Action> {
        let mut actions = Vec::new();
        // Whether anybody present is after a child, be it through others.
        let mut needed = vec![false; self.children.len()];
        for index in (first..self.children.len()).rev() {
            let is_needed = needed[index];
            let holds = is_needed || self.children[index].1.is_present();
            for earlier in &self.children[index].0.after {
                needed[*earlier] |= holds;
            }
            let stops = match self.children[index].1 {
                present if present.is_up() => true,
                // Stopped for good now, what was to be started again.
                Place::Down | Place::Holding => place == Place::Stopping,
                _ => false,
            };
            if stops && !is_needed {
                self.children[index].1 = place;
                actions.push(action(index));
            }
        }
        actions
    }
}

#[cfg(test)]
#[path = "plan_test.rs"]
mod tests;
