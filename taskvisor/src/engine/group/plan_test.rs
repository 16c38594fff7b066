//! Random trees and random failures, played without a runtime.

use super::*;

const TREES: u64 = 12_000;

/// A child as the play has it, apart from what the plan believes.
struct Actor {
    state: State,
    /// It was ready since its gate was last opened.
    ready: bool,
    /// It never comes back once it was stopped.
    never: bool,
    retries: u32,
    ends: u32,
    group: Option<Group>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Runs,
    Holds,
    Stops,
    /// Told to stop while it did not run.
    Dissolves,
    Over(End),
}

struct Group {
    plan: Plan,
    declared: Vec<Child>,
    strategy: Strategy,
    limit: Option<Limit>,
    actors: Vec<Actor>,
    waits: bool,
    /// It was started and is not over.
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
        let limit =
            random.bool().then(|| Limit { max: random.u32(..4), within: Duration::from_secs(random.u64(1..20)) });
        let declared: Vec<Child> = (0..random.usize(1..6))
            .map(|index| Child {
                after: (0..index).filter(|_| random.u8(..3) == 0).collect(),
                critical: random.u8(..4) == 0,
                significant: random.u8(..8) == 0,
            })
            .collect();
        let mut actors = Vec::new();
        for _ in &declared {
            let group = (depth > 0 && play.random.u8(..4) == 0).then(|| Self::random(play, depth - 1));
            let never = group.is_none() && play.random.u8(..6) == 0;
            let retries = play.random.u32(1..6);
            actors.push(Actor { state: State::Idle, ready: false, never, retries, ends: 0, group });
        }
        Self {
            plan: Plan::new(strategy, limit, declared.clone()),
            declared,
            strategy,
            limit,
            actors,
            waits: false,
            runs: false,
            over: None,
        }
    }

    /// A new run: the children are registered anew.
    fn start(&mut self, now: Duration) {
        assert!(self.actors.iter().all(|actor| matches!(actor.state, State::Idle | State::Over(_))));
        self.plan = Plan::new(self.strategy, self.limit, self.declared.clone());
        (self.waits, self.runs, self.over) = (false, true, None);
        for actor in &mut self.actors {
            (actor.state, actor.ready, actor.ends) = (State::Idle, false, 0);
        }
        let actions = self.plan.start();
        self.act(actions, now);
    }

    fn note(&mut self, note: Note, now: Duration) {
        let actions = self.plan.note(note, now);
        self.act(actions, now);
    }

    fn act(&mut self, actions: Vec<Action>, now: Duration) {
        for action in actions {
            assert_eq!(self.over, None, "{action:?} after the end");
            match action {
                Action::Start(index) => self.starts(index, now),
                Action::Resume(index) => {
                    assert_eq!(self.strategy, Strategy::OneForOne);
                    self.actors[index].begins(now);
                }
                Action::Hold(index) | Action::Stop(index) => self.stops(index, action, now),
                Action::Wait(_) => self.waits = true,
                Action::Over(why) => {
                    assert!(self.actors.iter().all(|actor| matches!(actor.state, State::Over(_))), "{why:?} too early");
                    (self.runs, self.over) = (false, Some(why));
                }
            }
        }
    }

    fn edges(&self, index: Index) -> Vec<Index> {
        let chain = (self.strategy == Strategy::RestForOne && index > 0).then(|| index - 1);
        self.declared[index].after.iter().copied().chain(chain).collect()
    }

    /// All that are after a child, be it through others.
    fn above(&self, index: Index) -> Vec<Index> {
        let mut above = vec![false; self.actors.len()];
        above[index] = true;
        for later in index + 1..above.len() {
            above[later] = self.edges(later).into_iter().any(|earlier| above[earlier]);
        }
        (index + 1..above.len()).filter(|later| above[*later]).collect()
    }

    fn starts(&mut self, index: Index, now: Duration) {
        for earlier in self.edges(index) {
            let actor = &self.actors[earlier];
            let open = actor.ready || matches!(actor.state, State::Over(End::Completed | End::Canceled));
            assert!(open, "{index} starts before {earlier} is ready: {:?}", actor.state);
        }
        assert!(!self.waits || self.strategy == Strategy::RestForOne, "started while the group waits");
        self.actors[index].ready = false;
        self.actors[index].begins(now);
    }

    fn stops(&mut self, index: Index, action: Action, now: Duration) {
        for later in self.above(index) {
            let state = self.actors[later].state;
            assert!(
                !matches!(state, State::Runs | State::Holds | State::Stops),
                "{index} stops before {later}: {state:?}"
            );
        }
        let hold = matches!(action, Action::Hold(_));
        let actor = &mut self.actors[index];
        actor.ready = false;
        match actor.state {
            State::Idle if !hold => actor.state = State::Dissolves,
            State::Runs | State::Holds => actor.state = if hold { State::Holds } else { State::Stops },
            other => panic!("{action:?} of one that is {other:?}"),
        }
        if let Some(group) = &mut actor.group {
            if group.runs {
                group.note(Note::Stop, now);
            }
        }
    }

    /// Everything that could happen next, here and below.
    fn happenings(&self, path: &mut Vec<Index>, all: &mut Vec<Vec<Index>>) {
        for (index, actor) in self.actors.iter().enumerate() {
            path.push(index);
            match (&actor.group, actor.state) {
                (_, State::Over(_) | State::Idle) => {}
                (Some(group), _) if group.runs => group.happenings(path, all),
                _ => all.push(path.clone()),
            }
            path.pop();
        }
        if self.waits {
            path.push(usize::MAX);
            all.push(path.clone());
            path.pop();
        }
    }

    /// Lets one of them happen.
    fn happens(&mut self, path: &[Index], play: &mut Play, calm: bool) {
        let now = play.now;
        let (index, rest) = (path[0], &path[1..]);
        if index == usize::MAX {
            self.waits = false;
            return self.note(Note::Waited, now);
        }
        if !rest.is_empty() {
            let group = self.actors[index].group.as_mut().unwrap();
            group.happens(rest, play, calm);
            let ready = group.over.is_none() && group.plan.is_ready();
            if ready && !self.actors[index].ready && self.actors[index].state == State::Runs {
                self.actors[index].ready = true;
                self.note(Note::Ready(index), now);
            }
            return;
        }
        let note = self.actors[index].happens(index, play, calm);
        self.note(note, now);
    }
}

impl Actor {
    fn begins(&mut self, now: Duration) {
        assert_eq!(self.state, State::Idle, "two runs of one child at once");
        self.state = State::Runs;
        if let Some(group) = &mut self.group {
            group.start(now);
        }
    }

    fn ends(&mut self, index: Index, end: End) -> Note {
        self.ends += 1;
        assert_eq!(self.ends, 1, "it ends once");
        self.state = State::Over(end);
        Note::Ended(index, end)
    }

    fn happens(&mut self, index: Index, play: &mut Play, calm: bool) -> Note {
        let lost = self.group.as_ref().and_then(|group| group.over);
        match self.state {
            State::Holds if self.never => self.ends(index, End::Canceled),
            State::Holds => {
                self.state = State::Idle;
                Note::Held(index)
            }
            State::Stops | State::Dissolves => self.ends(index, End::Canceled),
            State::Runs if self.group.is_some() => match lost {
                Some(Why::Completed) => self.ends(index, End::Completed),
                Some(Why::Limit(_) | Why::Lost(_)) => self.fails(index, play),
                other => panic!("a group that runs is over: {other:?}"),
            },
            State::Runs if !self.ready && (calm || play.random.bool()) => {
                self.ready = true;
                Note::Ready(index)
            }
            State::Runs => match play.random.u8(..8) {
                0 | 1 => self.ends(index, End::Completed),
                2 => self.ends(index, End::Canceled),
                3 => self.ends(index, End::Failed),
                _ if self.never => self.ends(index, End::Failed),
                _ => self.fails(index, play),
            },
            other => panic!("nothing happens to one that is {other:?}"),
        }
    }

    fn fails(&mut self, index: Index, play: &mut Play) -> Note {
        if self.retries == 0 {
            return self.ends(index, End::Failed);
        }
        self.retries -= 1;
        self.state = State::Idle;
        Note::Failed(index, Duration::from_millis(play.random.u64(..3) * 100))
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
            if step == stop_after && root.over.is_none() {
                root.note(Note::Stop, play.now);
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
