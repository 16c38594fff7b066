//! Random trees and failures, simulated without a runtime and compared with a reference that examines all children each
//! time.

#[path = "plan_reference.rs"]
mod reference;

use super::*;
use crate::tree::Order;

// Miri takes 100 times as long.
const TREES: u64 = if cfg!(miri) { 60 } else { 12_000 };

fn count_of(key: Key) -> usize {
    usize::try_from(key).unwrap()
}

/// The actual state of a child, independent of the plan.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Actor {
    state: State,
    /// `true` if it was ready since its gate last opened.
    ready: bool,
    /// `true` if it never restarts after a stop.
    never: bool,
    retries: u32,
    ends: u32,
    /// The epoch of the last start or stop that it has received.
    epoch: Epoch,
    /// `true` if the plan no longer waits for it.
    given_up: bool,
    /// `true` if it was declared, `false` if it was added.
    declared: bool,
    group: Option<Group>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Runs,
    Holds,
    Stops,
    /// Requested to stop while it was not running.
    Dissolves,
    Over(End),
}

struct Group {
    plan: Plan,
    declared: Vec<Role>,
    after: Vec<Vec<u32>>,
    retired: bool,
    strategy: Strategy,
    actors: Vec<Actor>,
    /// `true` if it was started and has not ended.
    runs: bool,
    over: Option<Why>,
}

struct Play {
    random: fastrand::Rng,
    now: Duration,
}

impl Group {
    fn random(play: &mut Play, depth: u32) -> Self {
        let random = &mut play.random;
        let strategy = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne][random.usize(..3)];
        let limit = random.bool().then(|| (random.u32(..4), Duration::from_secs(random.u64(1..20))));
        let count = random.usize(1..6);
        let chain = |index: usize| (strategy == Strategy::RestForOne && index > 0).then(|| index - 1);
        let after: Vec<Vec<u32>> = (0..count)
            .map(|index| {
                let mut after: Vec<usize> = (0..index).filter(|_| random.u8(..3) == 0).collect();
                after.extend(chain(index));
                after.sort_unstable();
                after.dedup();
                after.into_iter().map(|earlier| u32::try_from(earlier).unwrap()).collect()
            })
            .collect();
        let declared: Vec<Role> = (0..count)
            .map(|_| Role {
                critical: random.u8(..4) == 0,
                significant: random.u8(..8) == 0,
                layers: 1,
                uncounted: false,
                has_last: random.bool(),
            })
            .collect();
        let mut actors = Vec::new();
        for _ in &declared {
            let group = (depth > 0 && play.random.u8(..4) == 0).then(|| Self::random(play, depth - 1));
            let never = group.is_none() && play.random.u8(..6) == 0;
            actors.push(Actor { never, group, declared: true, ..Actor::new(play) });
        }
        let order = Arc::new(Order::new(count, |index| after[index].clone()));
        Self {
            plan: Plan::new(&rules(strategy, limit, &order, &declared), 0),
            declared,
            after,
            retired: false,
            strategy,
            actors,
            runs: false,
            over: None,
        }
    }

    /// Starts a new run, in which the children are registered anew.
    fn start(&mut self, now: Duration) {
        assert!(self.actors.iter().all(|actor| matches!(actor.state, State::Idle | State::Over(_))));
        self.plan = Plan::new(&self.plan.rules, self.plan.epoch);
        (self.runs, self.over, self.retired) = (true, None, false);
        self.actors.truncate(self.declared.len());
        for actor in &mut self.actors {
            (actor.state, actor.ready, actor.ends, actor.given_up) = (State::Idle, false, 0, false);
        }
        let actions = self.plan.proceed(now);
        self.act(actions, now);
    }

    fn note(&mut self, index: usize, note: Note, now: Duration) {
        let actions = self.plan.note(index as Key, self.actors[index].epoch, note, now);
        self.act(actions, now);
    }

    fn stop(&mut self, now: Duration) {
        let actions = self.plan.stop(now);
        self.act(actions, now);
    }

    fn retire(&mut self, now: Duration) {
        self.retired = true;
        let actions = self.plan.retire(now);
        self.act(actions, now);
    }

    /// Adds a child at the end.
    fn add(&mut self, play: &mut Play) {
        let key = self.actors.len() as Key;
        let child = Role {
            critical: play.random.u8(..8) == 0,
            significant: play.random.u8(..12) == 0,
            layers: 1,
            uncounted: false,
            has_last: play.random.bool(),
        };
        self.actors.push(Actor::new(play));
        self.plan.add(key, child);
        let actions = self.plan.proceed(play.now);
        self.act(actions, play.now);
    }

    fn act(&mut self, actions: Vec<Action>, now: Duration) {
        for action in actions {
            assert_eq!(self.over, None, "{action:?} after the end");
            match action {
                Action::Start(key, epoch) => {
                    assert!(!self.retired, "started while it is being stopped");
                    self.actors[count_of(key)].epoch = epoch;
                    self.starts(count_of(key), now);
                }
                Action::Resume(key, epoch) => {
                    assert!(!self.retired, "started while it is being stopped");
                    assert_eq!(self.strategy, Strategy::OneForOne);
                    self.actors[count_of(key)].epoch = epoch;
                    self.actors[count_of(key)].begins(now);
                }
                Action::Hold(key, epoch, _) | Action::Stop(key, epoch, _) => {
                    self.actors[count_of(key)].epoch = epoch;
                    self.stops(count_of(key), action, now);
                }
                Action::Retire(key) => {
                    let actor = &mut self.actors[count_of(key)];
                    assert!(!matches!(actor.state, State::Over(_)), "{key} has ended");
                    if let Some(group) = actor.group.as_mut().filter(|group| group.runs) {
                        group.retire(now);
                    }
                }
                Action::Begin | Action::GivenUp => {}
                Action::Ask(_) => panic!("no root"),
                Action::Over(why) => {
                    assert!(self.actors.iter().all(|actor| matches!(actor.state, State::Over(_))), "{why:?} too early");
                    (self.runs, self.over) = (false, Some(why));
                }
            }
        }
        reference::check(&self.plan);
    }

    fn edges(&self, index: usize) -> Vec<usize> {
        if let Some(after) = self.after.get(index) {
            return after.iter().map(|earlier| *earlier as usize).collect();
        }
        // An added child that has ended is no longer in the order.
        let is_there =
            |before: &usize| *before < self.after.len() || !matches!(self.actors[*before].state, State::Over(_));
        let before = (0..index).rev().find(is_there);
        before.filter(|_| self.strategy == Strategy::RestForOne).into_iter().collect()
    }

    /// Returns all children that are after this one, directly or through others.
    fn above(&self, index: usize) -> Vec<usize> {
        let mut above = vec![false; self.actors.len()];
        above[index] = true;
        for later in index + 1..above.len() {
            above[later] = self.edges(later).into_iter().any(|earlier| above[earlier]);
        }
        (index + 1..above.len()).filter(|later| above[*later]).collect()
    }

    /// Returns whether the children after this one may start. If it was needed and failed, the group is no longer open.
    fn passes(&self, index: usize) -> bool {
        match self.actors[index].state {
            State::Over(_) => self.edges(index).into_iter().all(|earlier| self.passes(earlier)),
            _ => self.actors[index].ready,
        }
    }

    fn starts(&mut self, index: usize, now: Duration) {
        for earlier in self.edges(index) {
            assert!(self.passes(earlier), "{index} starts before {earlier}: {:?}", self.actors[earlier].state);
        }
        assert!(
            self.plan.wakes_at().is_none() || self.strategy == Strategy::RestForOne,
            "started while the group waits"
        );
        self.actors[index].ready = false;
        self.actors[index].begins(now);
    }

    fn stops(&mut self, index: usize, action: Action, now: Duration) {
        for later in self.above(index) {
            let Actor { state, given_up, .. } = self.actors[later];
            assert!(
                given_up || !matches!(state, State::Runs | State::Holds | State::Stops),
                "{index} stops before {later}: {state:?}"
            );
        }
        let hold = matches!(action, Action::Hold(..));
        let actor = &mut self.actors[index];
        actor.ready = false;
        match actor.state {
            State::Idle if !hold => actor.state = State::Dissolves,
            State::Runs | State::Holds => actor.state = if hold { State::Holds } else { State::Stops },
            other => panic!("{action:?} of one that is {other:?}"),
        }
        if let Some(group) = &mut actor.group {
            if group.runs {
                group.stop(now);
            }
        }
    }

    /// Collects the paths of all events that are possible next, in this group and below.
    fn happenings(&self, path: &mut Vec<usize>, all: &mut Vec<Vec<usize>>) {
        for (index, actor) in self.actors.iter().enumerate() {
            path.push(index);
            match (&actor.group, actor.state) {
                (_, State::Over(_) | State::Idle) => {}
                (Some(group), _) if group.runs => group.happenings(path, all),
                _ => all.push(path.clone()),
            }
            path.pop();
        }
        if self.plan.wakes_at().is_some() {
            path.push(usize::MAX);
            all.push(path.clone());
            path.pop();
        }
    }

    /// Lets one of the possible events happen.
    fn happens(&mut self, path: &[usize], play: &mut Play, calm: bool) {
        let now = play.now;
        let (index, rest) = (path[0], &path[1..]);
        if index == usize::MAX {
            play.now = now.max(self.plan.wakes_at().unwrap());
            let actions = self.plan.proceed(play.now);
            assert_eq!(self.plan.wakes_at(), None);
            return self.act(actions, play.now);
        }
        self.meddle(index, play, calm);
        if !rest.is_empty() {
            let group = self.actors[index].group.as_mut().unwrap();
            group.happens(rest, play, calm);
            let ready = group.over.is_none() && group.plan.readiness() == Some(Note::Ready);
            if ready && !self.actors[index].ready && self.actors[index].state == State::Runs {
                self.actors[index].ready = true;
                self.note(index, Note::Ready, now);
            }
            return;
        }
        let actor = &self.actors[index];
        if matches!(actor.state, State::Over(_) | State::Idle) || actor.group.as_ref().is_some_and(|group| group.runs) {
            // The event was overtaken by `meddle`.
            return;
        }
        let needed = actor.declared && !actor.ready && self.is_waited_for(index);
        let was_open = self.plan.is_open();
        let note = self.actors[index].happens(play, calm);
        self.note(index, note, now);
        if needed && was_open && note == Note::Ended(End::Failed) {
            assert!(!self.plan.is_open(), "{index} was waited for, and failed");
        }
    }

    /// Returns `true` if a declared child that has not ended is after this one, directly or through ended ones.
    fn is_waited_for(&self, index: usize) -> bool {
        (index + 1..self.after.len()).any(|later| {
            self.edges(later).contains(&index)
                && (!matches!(self.actors[later].state, State::Over(_)) || self.is_waited_for(later))
        })
    }

    /// At random, adds a child, gives one up, or sends a late report.
    fn meddle(&mut self, index: usize, play: &mut Play, calm: bool) {
        let now = play.now;
        match play.random.u8(..40) {
            0..6 if self.plan.is_open() && !self.retired && !calm => self.add(play),
            6..12 => {
                let epoch = self.actors[index].epoch.wrapping_sub(1 + play.random.u32(..3));
                let before = format!("{:?}", self.plan.roster);
                for note in [Note::Ready, Note::Held, Note::Failed(RetryIn::Backoff(Duration::ZERO)), Note::GivenUp] {
                    assert_eq!(self.plan.note(index as Key, epoch, note, now), [], "a late {note:?}");
                }
                assert_eq!(before, format!("{:?}", self.plan.roster));
            }
            12..18 if matches!(self.actors[index].state, State::Holds | State::Stops) => {
                self.actors[index].given_up = true;
                self.note(index, Note::GivenUp, now);
            }
            _ => {}
        }
    }
}

impl Actor {
    fn new(play: &mut Play) -> Self {
        Self {
            state: State::Idle,
            ready: false,
            never: play.random.u8(..6) == 0,
            retries: play.random.u32(1..6),
            ends: 0,
            epoch: 0,
            given_up: false,
            declared: false,
            group: None,
        }
    }

    fn begins(&mut self, now: Duration) {
        assert_eq!(self.state, State::Idle, "two runs of one child at once");
        self.state = State::Runs;
        self.given_up = false;
        if let Some(group) = &mut self.group {
            group.start(now);
        }
    }

    fn ends(&mut self, end: End) -> Note {
        self.ends += 1;
        assert_eq!(self.ends, 1, "it ends once");
        self.state = State::Over(end);
        Note::Ended(end)
    }

    fn happens(&mut self, play: &mut Play, calm: bool) -> Note {
        let lost = self.group.as_ref().and_then(|group| group.over);
        match self.state {
            State::Holds if self.never => self.ends(End::Canceled),
            State::Holds => {
                self.state = State::Idle;
                Note::Held
            }
            State::Stops | State::Dissolves => self.ends(End::Canceled),
            State::Runs if self.group.is_some() => match lost {
                Some(Why::Completed | Why::Significant) => self.ends(End::Completed),
                Some(Why::Limit(_) | Why::Lost(_)) => self.fails(play),
                other => panic!("a group that runs is over: {other:?}"),
            },
            State::Runs if !self.ready && (calm || play.random.bool()) => {
                self.ready = true;
                Note::Ready
            }
            State::Runs => match play.random.u8(..8) {
                0 | 1 => self.ends(End::Completed),
                2 => self.ends(End::Canceled),
                3 => self.ends(if play.random.bool() { End::Failed } else { End::Undue }),
                _ if self.never => self.ends(End::Failed),
                _ => self.fails(play),
            },
            other => panic!("nothing happens to one that is {other:?}"),
        }
    }

    fn fails(&mut self, play: &mut Play) -> Note {
        if self.retries == 0 {
            return self.ends(End::Failed);
        }
        self.retries -= 1;
        self.state = State::Idle;
        Note::Failed(RetryIn::new(Duration::from_millis(play.random.u64(..3) * 100), play.random.bool()))
    }
}

#[test]
fn random_trees_keep_their_order_and_lose_nobody() {
    let seed = std::env::var("PLAN_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("PLAN_SEED={seed}");
    for tree in 0..TREES {
        let mut play = Play { random: fastrand::Rng::with_seed(seed.wrapping_add(tree)), now: Duration::ZERO };
        let mut root = Group::random(&mut play, 2);
        root.start(play.now);
        let stop_after = play.random.usize(..80);
        for step in 0.. {
            if step + 5 == stop_after && tree % 4 == 0 && root.over.is_none() {
                root.retire(play.now);
            }
            if step == stop_after && root.over.is_none() {
                root.stop(play.now);
            }
            if root.over.is_some() {
                break;
            }
            let mut all = Vec::new();
            root.happenings(&mut Vec::new(), &mut all);
            assert!(!all.is_empty() || step < stop_after, "tree {tree} of seed {seed} is stuck");
            if all.is_empty() {
                continue;
            }
            let path = all.swap_remove(play.random.usize(..all.len()));
            play.now += Duration::from_millis(play.random.u64(..2000));
            root.happens(&path, &mut play, step > stop_after);
            assert!(step < 10_000, "tree {tree} of seed {seed} does not end");
        }
        assert!(root.actors.iter().all(|actor| actor.ends == 1), "tree {tree} of seed {seed}");
    }
}

pub(super) fn rules(
    strategy: Strategy,
    limit: Option<(u32, Duration)>,
    order: &Arc<Order>,
    children: &[Role],
) -> Arc<Rules> {
    let (order, children) = (Arc::clone(order), children.to_vec());
    Arc::new(Rules { strategy, limit, order, children, is_root: false, runs_once: false, is_fresh: false })
}

/// Returns a plan with this many children, without a limit.
pub(super) fn plan(strategy: Strategy, count: usize, after: impl Fn(usize) -> Vec<u32>) -> Plan {
    let order = Arc::new(Order::new(count, after));
    Plan::new(&rules(strategy, None, &order, &vec![Role::default(); count]), 0)
}

fn numbered(index: usize) -> u32 {
    u32::try_from(index).unwrap()
}

pub(super) fn chain(index: usize) -> Vec<u32> {
    numbered(index).checked_sub(1).into_iter().collect()
}

/// Performs the actions of a plan, with children that obey at once, until the plan has no more.
pub(super) fn obey(plan: &mut Plan, actions: Vec<Action>) -> Vec<Action> {
    let (mut queue, mut done) = (std::collections::VecDeque::from(actions), Vec::new());
    while let Some(action) = queue.pop_front() {
        done.push(action);
        let next = match action {
            Action::Start(key, epoch) => plan.note(key, epoch, Note::Ready, Duration::ZERO),
            Action::Hold(key, epoch, _) => plan.note(key, epoch, Note::Held, Duration::ZERO),
            Action::Stop(key, epoch, _) => plan.note(key, epoch, Note::Ended(End::Canceled), Duration::ZERO),
            _ => Vec::new(),
        };
        queue.extend(next);
    }
    done
}

pub(super) fn start(plan: &mut Plan) -> Vec<Action> {
    let actions = plan.proceed(Duration::ZERO);
    obey(plan, actions)
}

pub(super) fn epoch_of(actions: &[Action], wanted: Key) -> Epoch {
    let epochs = actions.iter().filter_map(|action| match action {
        Action::Start(key, epoch) | Action::Hold(key, epoch, _) if *key == wanted => Some(*epoch),
        _ => None,
    });
    epochs.max().unwrap()
}

/// Miri takes 100 times as long.
const CHILDREN: usize = if cfg!(miri) { 40 } else { 1_000 };

/// Starts, restarts and stops a group of this many children. Returns the number of steps.
fn steps_of_a_life(strategy: Strategy, count: usize, after: impl Fn(usize) -> Vec<u32>) -> u64 {
    let mut plan = plan(strategy, count, after);
    let started = start(&mut plan);
    assert_eq!(plan.readiness(), Some(Note::Ready));
    let restarted = plan.note(0, epoch_of(&started, 0), Note::Failed(RetryIn::Backoff(Duration::ZERO)), Duration::ZERO);
    obey(&mut plan, restarted);
    assert_eq!(plan.readiness(), Some(Note::Ready));
    let stopped = plan.stop(Duration::ZERO);
    let done = obey(&mut plan, stopped);
    assert_eq!(done.last(), Some(&Action::Over(Why::Requested)));
    plan.steps
}

#[test]
fn k1b_start_restart_and_stop_are_linear() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        for ordered in [false, true] {
            let after = |index| if ordered || strategy == Strategy::RestForOne { chain(index) } else { Vec::new() };
            let [small, large] = [CHILDREN, CHILDREN * 8].map(|count| steps_of_a_life(strategy, count, after));
            assert!(large <= small * 8 + 64, "{strategy:?}: {small} steps for {CHILDREN}, {large} for 8 times as many");
            assert!(large <= 16 * 8 * CHILDREN as u64, "{strategy:?}: {large}");
        }
    }
    // One child that many are after, and that itself is after many.
    let hub = |index: usize| match index {
        index if index == 4 * CHILDREN => (0..numbered(index)).collect(),
        index if index > 4 * CHILDREN => vec![numbered(4 * CHILDREN)],
        _ => Vec::new(),
    };
    let steps = steps_of_a_life(Strategy::OneForAll, 8 * CHILDREN, hub);
    assert!(steps <= 16 * 8 * CHILDREN as u64, "{steps}");
}

#[test]
fn k1a_an_added_child_that_has_ended_leaves_nothing() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        let mut plan = plan(strategy, 3, |index| if strategy == Strategy::RestForOne { chain(index) } else { vec![] });
        start(&mut plan);
        let before = plan.steps;
        let added = 25 * CHILDREN as u64;
        for key in 3..3 + added {
            plan.add(key, Role::default());
            let actions = plan.proceed(Duration::ZERO);
            assert!(matches!(actions[..], [Action::Start(started, _)] if started == key));
            assert_eq!(plan.note(key, 0, Note::Ended(End::Completed), Duration::ZERO), []);
            assert!(plan.roster.added.is_empty());
        }
        let room = plan.startable.capacity() + plan.stoppable.capacity() + plan.actions.capacity();
        assert!(room < 64 && plan.steps - before <= 4 * added, "{strategy:?}: {room}, {} steps", plan.steps - before);
    }
}

#[test]
fn k2c_a_report_of_an_earlier_start_or_stop_is_none() {
    let now = Duration::ZERO;
    let mut plan = plan(Strategy::OneForAll, 2, |_| Vec::new());
    let first = plan.proceed(now);
    let (a, b) = (epoch_of(&first, 0), epoch_of(&first, 1));
    plan.note(1, b, Note::Ready, now);
    let held = plan.note(0, a, Note::Failed(RetryIn::Backoff(Duration::from_secs(1))), now);
    let second = epoch_of(&held, 1);
    // A report with the epoch of the previous start.
    assert_eq!(plan.note(1, b, Note::Failed(RetryIn::Backoff(now)), now), []);
    assert_eq!(plan.note(1, b, Note::Held, now), []);
    assert_eq!(plan.note(1, second, Note::Held, now), []);
    assert_eq!(plan.wakes_at(), Some(now + Duration::from_secs(1)));
    let again = plan.proceed(now + Duration::from_secs(1));
    assert!(matches!(again[..], [Action::Start(0, _), Action::Start(1, _)]));
    // A report with the epoch of the previous hold.
    assert_eq!(plan.note(1, second, Note::Held, now), []);
    assert_eq!(plan.note(0, a, Note::Ready, now), []);
    assert_eq!(plan.readiness(), None);
    // A report of a child that does not exist.
    assert_eq!(plan.note(99, 1, Note::Ready, now), []);
    assert_eq!(plan.note(99, 1, Note::Ended(End::Failed), now), []);
}

#[test]
fn k2d_the_end_of_the_failed_child_ends_the_wait_for_it() {
    let (now, hour) = (Duration::ZERO, Duration::from_secs(3600));
    let mut plan = plan(Strategy::OneForAll, 2, |_| Vec::new());
    let started = start(&mut plan);
    let held = plan.note(0, epoch_of(&started, 0), Note::Failed(RetryIn::Backoff(hour)), now);
    obey(&mut plan, held);
    assert_eq!(plan.wakes_at(), Some(hour));
    let next = plan.note(0, 0, Note::Ended(End::Canceled), now);
    assert!(matches!(next[..], [Action::Start(1, _)]), "{next:?}");
}

/// When one of two failed children is canceled, the wait is that of the other one; the time that has passed counts.
#[test]
fn k2d_the_wait_is_that_of_those_that_are_left() {
    let (now, seconds) = (Duration::ZERO, Duration::from_secs);
    for cancelled in [0, 1] {
        let mut plan = plan(Strategy::RestForOne, 3, chain);
        let started = start(&mut plan);
        let first = plan.note(1, epoch_of(&started, 1), Note::Failed(RetryIn::Backoff(seconds(10))), now);
        obey(&mut plan, first);
        let second = plan.note(0, epoch_of(&started, 0), Note::Failed(RetryIn::Backoff(seconds(4))), now);
        obey(&mut plan, second);
        assert_eq!(plan.wakes_at(), Some(seconds(10)), "the longest");
        assert_eq!(plan.note(cancelled, 0, Note::Ended(End::Canceled), seconds(3)), []);
        let due = if cancelled == 0 { seconds(10) } else { seconds(4) };
        assert_eq!(plan.wakes_at(), Some(due));
        assert_eq!(plan.proceed(seconds(3)), []);
        assert!(matches!(plan.proceed(due)[..], [Action::Start(..)]));
    }
}

#[test]
fn o26_a_told_time_counts_from_the_failure_and_a_backoff_from_the_stop() {
    let seconds = Duration::from_secs;
    for (pause, due) in
        [(RetryIn::Backoff(seconds(10)), 13), (RetryIn::Told(seconds(10)), 10), (RetryIn::Told(seconds(2)), 3)]
    {
        let mut plan = plan(Strategy::OneForAll, 2, |_| Vec::new());
        let started = start(&mut plan);
        let held = plan.note(0, epoch_of(&started, 0), Note::Failed(pause), Duration::ZERO);
        assert_eq!(plan.wakes_at(), None, "the sibling has not stopped");
        let next = plan.note(1, epoch_of(&held, 1), Note::Held, seconds(3));
        assert_eq!(next.is_empty(), due > 3, "{next:?}");
        assert_eq!(plan.wakes_at(), (due > 3).then_some(seconds(due)));
    }
}

/// The child failed before it observed the hold, and its note has the epoch of its start.
#[test]
fn o26_what_a_sibling_tells_in_the_same_restart_counts_once() {
    let (now, seconds) = (Duration::ZERO, Duration::from_secs);
    let mut plan = plan(Strategy::OneForAll, 2, |_| Vec::new());
    let started = start(&mut plan);
    let held = plan.note(1, epoch_of(&started, 1), Note::Failed(RetryIn::Backoff(seconds(1))), now);
    for told in [60, 90] {
        assert_eq!(plan.note(0, epoch_of(&started, 0), Note::Failed(RetryIn::Told(seconds(told))), now), []);
    }
    plan.note(0, epoch_of(&held, 0), Note::Held, now);
    assert_eq!(plan.wakes_at(), Some(seconds(60)));
    // The end of the child ends the wait for it, but not the wait for the other.
    plan.note(0, 0, Note::Ended(End::Canceled), now);
    assert_eq!(plan.wakes_at(), Some(seconds(1)));
}

#[test]
fn k2e_an_added_child_that_failed_before_it_was_ready_holds_up_nobody() {
    let now = Duration::ZERO;
    let mut plan = plan(Strategy::RestForOne, 1, chain);
    start(&mut plan);
    for (key, later_first) in [(1, false), (3, true)] {
        let add = |plan: &mut Plan, key| {
            plan.add(key, Role::default());
            plan.proceed(now)
        };
        assert!(matches!(add(&mut plan, key)[..], [Action::Start(..)]));
        let mut next = if later_first { add(&mut plan, key + 1) } else { Vec::new() };
        next.extend(plan.note(key, 0, Note::Ended(End::Failed), now));
        if !later_first {
            next = add(&mut plan, key + 1);
        }
        assert!(matches!(next[..], [Action::Start(later, _)] if later == key + 1), "{next:?}");
        assert!(plan.is_open());
        obey(&mut plan, next);
    }
}

/// The same for a declared child that no declared child is after.
#[test]
fn k2e_the_last_declared_child_holds_up_no_added_one() {
    let now = Duration::ZERO;
    let mut plan = plan(Strategy::RestForOne, 1, chain);
    plan.proceed(now);
    plan.add(1, Role::default());
    assert_eq!(plan.proceed(now), []);
    let next = plan.note(0, 0, Note::Ended(End::Failed), now);
    assert!(matches!(next[..], [Action::Start(1, _)]), "{next:?}");
}

#[test]
fn k2h_those_that_stop_later_begin_no_further_attempt() {
    let now = Duration::ZERO;
    let mut plan = plan(Strategy::OneForOne, 3, chain);
    start(&mut plan);
    let stop = plan.stop(now);
    assert!(
        matches!(stop[..], [Action::Begin, Action::Retire(1), Action::Retire(0), Action::Stop(2, _, 2)]),
        "{stop:?}"
    );
}

/// A failure causes no restart in a group that is about to be stopped.
#[test]
fn k2h_a_retired_group_restarts_nobody() {
    let now = Duration::ZERO;
    let mut plan = plan(Strategy::OneForAll, 2, |_| Vec::new());
    let started = start(&mut plan);
    assert_eq!(plan.retire(now), [Action::Retire(0), Action::Retire(1)]);
    assert_eq!(plan.note(0, epoch_of(&started, 0), Note::Failed(RetryIn::Backoff(now)), now), []);
    let stop = plan.stop(now);
    assert!(matches!(stop[..], [Action::Begin, Action::Stop(1, ..), Action::Stop(0, ..)]), "{stop:?}");
    assert_eq!(obey(&mut plan, stop).last(), Some(&Action::Over(Why::Requested)));
}

#[test]
fn k3b_a_child_that_is_given_up_on_holds_up_nobody() {
    let now = Duration::ZERO;
    let mut plan = plan(Strategy::RestForOne, 2, chain);
    start(&mut plan);
    let stop = plan.stop(now);
    let Some(Action::Stop(1, epoch, 1)) = stop.last() else { panic!("{stop:?}") };
    let next = plan.note(1, *epoch, Note::GivenUp, now);
    let [Action::Stop(0, _, 0)] = next[..] else { panic!("{next:?}") };
    assert_eq!(plan.note(0, 0, Note::Ended(End::Canceled), now), [Action::GivenUp]);
    assert_eq!(plan.note(1, 0, Note::Ended(End::Aborted), now), [Action::Over(Why::Requested)]);
}

/// K5s: the longer backoff of two failures during a restart counts.
#[test]
fn k5s_a_wider_restart_waits_for_the_longest_backoff() {
    for (first, second) in [(3, 8), (8, 3)] {
        let (now, [first, second]) = (Duration::ZERO, [first, second].map(Duration::from_secs));
        let mut plan = plan(Strategy::RestForOne, 3, chain);
        let started = start(&mut plan);
        plan.note(2, epoch_of(&started, 2), Note::Failed(RetryIn::Backoff(first)), now);
        let next = plan.note(0, epoch_of(&started, 0), Note::Failed(RetryIn::Backoff(second)), now);
        obey(&mut plan, next);
        assert_eq!(plan.wakes_at(), Some(first.max(second)));
    }
}

/// K5s: the first reason for a stop is kept, but a failure replaces a requested stop.
#[test]
fn k5s_the_earlier_reason_of_a_stop_stands() {
    let now = Duration::ZERO;
    let critical = Role { critical: true, ..Role::default() };
    let order = Arc::new(Order::default());
    for told_first in [false, true] {
        let mut plan = Plan::new(&rules(Strategy::OneForOne, None, &order, &[critical; 3]), 0);
        start(&mut plan);
        if told_first {
            plan.stop(now);
        }
        plan.note(0, 0, Note::Ended(End::Failed), now);
        plan.note(1, 0, Note::Ended(End::Failed), now);
        plan.stop(now);
        assert!(plan.is_lost(0) && !plan.is_lost(1));
        assert_eq!(plan.note(2, 0, Note::Ended(End::Canceled), now), [Action::Over(Why::Lost(0))]);
    }
}

/// K5s: the order continues through a child that has ended to the children that it is after.
#[test]
fn k5s_one_that_has_ended_passes_only_what_it_is_after() {
    let now = Duration::ZERO;
    let mut plan = plan(Strategy::OneForAll, 3, chain);
    let started = start(&mut plan);
    plan.note(1, 0, Note::Ended(End::Completed), now);
    let held = plan.note(2, epoch_of(&started, 2), Note::Failed(RetryIn::Backoff(now)), now);
    let Some(Action::Hold(0, epoch, _)) = held.last() else { panic!("{held:?}") };
    let next = plan.note(0, *epoch, Note::Held, now);
    let [Action::Start(0, epoch)] = next[..] else { panic!("{next:?}") };
    assert!(matches!(plan.note(0, epoch, Note::Ready, now)[..], [Action::Start(2, _)]));
}

#[test]
fn k6a_layers_are_counted_once_for_each_stop() {
    let mut diamond = plan(Strategy::OneForOne, 4, |index| [vec![], vec![0], vec![0], vec![1, 2]][index].clone());
    start(&mut diamond);
    let stop = diamond.stop(Duration::ZERO);
    let layers: Vec<_> = obey(&mut diamond, stop)
        .into_iter()
        .filter_map(|action| if let Action::Stop(key, _, below) = action { Some((key, below)) } else { None })
        .collect();
    assert_eq!(layers, [(3, 2), (2, 1), (1, 1), (0, 0)]);
    // A restart that extends to earlier children counts layers from its new beginning.
    let mut chained = plan(Strategy::RestForOne, 5, chain);
    let started = start(&mut chained);
    let first = chained.note(3, epoch_of(&started, 3), Note::Failed(RetryIn::Backoff(Duration::ZERO)), Duration::ZERO);
    assert!(matches!(first[..], [Action::Begin, Action::Hold(4, _, 0)]), "{first:?}");
    let second = chained.note(1, epoch_of(&started, 1), Note::Failed(RetryIn::Backoff(Duration::ZERO)), Duration::ZERO);
    assert_eq!(second, []);
    let next = chained.note(4, epoch_of(&first, 4), Note::Held, Duration::ZERO);
    assert!(matches!(next[..], [Action::Hold(2, _, 0)]), "{next:?}");
}
