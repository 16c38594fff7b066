//! What really runs, as the attempts themselves report it, and the bounds of it. No event and no part of the library
//! is asked.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use taskvisor::fleet::FencingToken;
use taskvisor::{TaskContext, TaskId};
use tokio::time::Instant;

/// Room for all registrations of a month, so that the sets of the model do not grow in a measurement.
const ROOM: usize = 1 << 19;

/// One life of a replica: the number of its tree.
pub(crate) type Life = u32;

/// What is known to run, over all replicas.
pub(crate) struct World {
    pub(crate) seed: u64,
    start: Instant,
    /// Nothing fails by itself while it is set.
    calm: AtomicBool,
    random: Mutex<fastrand::Rng>,
    inside: Mutex<State>,
    violations: Mutex<Vec<String>>,
}

struct State {
    /// The parts of each path that run: its attempt, and the helpers of it.
    paths: BTreeMap<(Life, String), usize>,
    ids: BTreeMap<TaskId, usize>,
    uses: BTreeMap<(Life, String), usize>,
    /// The life that runs the work of a key, how many parts of it, and the highest token.
    keys: BTreeMap<String, (Life, usize, u64)>,
    ended: HashSet<TaskId>,
    down: HashSet<Life>,
    /// The last number that the reader of a life has taken from its inbox.
    messages: BTreeMap<Life, u64>,
    attempts: u64,
}

/// The bounds of a task: limits by name with the most that may run at once, and the key of its lease.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bounds {
    pub(crate) limits: Vec<(String, usize)>,
    pub(crate) lease: Option<&'static str>,
}

/// A part of an attempt that runs until this is dropped.
pub(crate) struct Inside {
    world: Arc<World>,
    path: (Life, String),
    id: TaskId,
    limits: Vec<(Life, String)>,
    lease: Option<&'static str>,
}

/// One use of a limit, until it is dropped.
pub(crate) struct Use {
    world: Arc<World>,
    limit: (Life, String),
}

/// The identity of an attempt.
pub(crate) struct Who<'a> {
    pub(crate) life: Life,
    pub(crate) path: &'a str,
    pub(crate) id: TaskId,
    pub(crate) token: Option<u64>,
}

impl<'a> Who<'a> {
    pub(crate) fn of(life: Life, ctx: &'a TaskContext) -> Self {
        Self { life, path: ctx.path(), id: ctx.id(), token: ctx.fencing_token().map(FencingToken::number) }
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        let inside = State {
            paths: BTreeMap::new(),
            ids: BTreeMap::new(),
            uses: BTreeMap::new(),
            keys: BTreeMap::new(),
            ended: HashSet::with_capacity(ROOM),
            down: HashSet::with_capacity(1 << 10),
            messages: BTreeMap::new(),
            attempts: 0,
        };
        let random = Mutex::new(fastrand::Rng::with_seed(seed));
        let (calm, violations) = (AtomicBool::new(false), Mutex::default());
        Arc::new(Self { seed, start: Instant::now(), calm, random, inside: Mutex::new(inside), violations })
    }

    pub(crate) fn random<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        draw(&mut lock(&self.random))
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    pub(crate) fn set_calm(&self, calm: bool) {
        self.calm.store(calm, Ordering::Relaxed);
    }

    /// Notes that an invariant does not hold.
    pub(crate) fn violated(&self, what: impl std::fmt::Display) {
        let at = self.start.elapsed();
        lock(&self.violations).push(format!("seed {}, after {at:?}: {what}", self.seed));
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        lock(&self.violations).clone()
    }

    /// Panics if an invariant did not hold.
    pub(crate) fn check(&self) {
        let violations = self.violations();
        let first = violations.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
        assert!(violations.is_empty(), "{} violations, the first ones:\n{first}", violations.len());
    }

    pub(crate) fn attempts(&self) -> u64 {
        lock(&self.inside).attempts
    }

    /// An attempt begins.
    pub(crate) fn enter(self: &Arc<Self>, who: &Who<'_>, bounds: &Bounds) -> Inside {
        let mut state = lock(&self.inside);
        state.attempts += 1;
        let Who { life, path, id, token: _ } = *who;
        if state.paths.get(&(life, path.to_owned())).is_some_and(|running| *running > 0) {
            self.violated(format_args!("{path} of life {life} begins while an attempt of that path runs"));
        }
        if state.ended.contains(&id) {
            self.violated(format_args!("{path} #{id} begins after its end"));
        }
        if state.down.contains(&life) {
            self.violated(format_args!("{path} begins after the shutdown of life {life}"));
        }
        for (limit, most) in &bounds.limits {
            self.count_use(&mut state, &(life, limit.clone()), *most, path);
        }
        if let Some(key) = bounds.lease {
            self.enter_lease(&mut state, key, who);
        }
        *state.paths.entry((life, path.to_owned())).or_default() += 1;
        *state.ids.entry(id).or_default() += 1;
        let limits = bounds.limits.iter().map(|(limit, _)| (life, limit.clone())).collect();
        Inside { world: Arc::clone(self), path: (life, path.to_owned()), id, limits, lease: bounds.lease }
    }

    /// A task in `path` begins to use a limit for a part of its attempt.
    pub(crate) fn hold(self: &Arc<Self>, life: Life, limit: &str, most: usize, path: &str) -> Use {
        let limit = (life, limit.to_owned());
        self.count_use(&mut lock(&self.inside), &limit, most, path);
        Use { world: Arc::clone(self), limit }
    }

    fn count_use(&self, state: &mut State, limit: &(Life, String), most: usize, path: &str) {
        let uses = state.uses.entry(limit.clone()).or_default();
        *uses += 1;
        if *uses > most {
            self.violated(format_args!("{path}: {uses} run under `{}`, which allows {most}", limit.1));
        }
    }

    fn enter_lease(&self, state: &mut State, key: &'static str, who: &Who<'_>) {
        let Who { life, path, token, .. } = *who;
        let held = state.keys.entry(key.to_owned()).or_insert((life, 0, 0));
        let Some(token) = token else {
            return self.violated(format_args!("{path} runs without the lease `{key}`"));
        };
        if held.0 != life && held.1 > 0 {
            self.violated(format_args!("{path} of life {life} runs while life {} runs `{key}`", held.0));
        }
        if token < held.2 || (held.0 != life && token == held.2) {
            self.violated(format_args!("{path}: the token of `{key}` is {token}, after {}", held.2));
        }
        *held = (life, if held.0 == life { held.1 + 1 } else { 1 }, token.max(held.2));
    }

    /// A registration has ended: nothing of it runs, and nothing of it will.
    pub(crate) fn ended(&self, id: TaskId, path: &str) {
        let mut state = lock(&self.inside);
        if state.ids.get(&id).is_some_and(|running| *running > 0) {
            self.violated(format_args!("{path} #{id} has ended and still runs"));
        }
        assert!(state.ended.len() < ROOM * 3 / 4, "the model has no room left");
        state.ended.insert(id);
    }

    /// The supervisor of a life has shut down.
    pub(crate) fn down(&self, life: Life) {
        let mut state = lock(&self.inside);
        for ((_, path), _) in state.paths.iter().filter(|((of, _), running)| *of == life && **running > 0) {
            self.violated(format_args!("{path} runs after the shutdown of life {life}"));
        }
        state.paths.retain(|(of, _), _| *of != life);
        state.uses.retain(|(of, _), _| *of != life);
        state.messages.remove(&life);
        state.down.insert(life);
    }

    /// A reader takes a message. Messages come in order, none is lost, and each comes once.
    pub(crate) fn took(&self, life: Life, number: u64) {
        let last = lock(&self.inside).messages.insert(life, number).unwrap_or_default();
        if number != last + 1 {
            self.violated(format_args!("life {life} takes message {number} after {last}"));
        }
    }
}

impl Inside {
    /// A helper of the same attempt.
    pub(crate) fn helper(&self) -> Self {
        let mut state = lock(&self.world.inside);
        *state.paths.entry(self.path.clone()).or_default() += 1;
        *state.ids.entry(self.id).or_default() += 1;
        let (world, path) = (Arc::clone(&self.world), self.path.clone());
        Self { world, path, id: self.id, limits: Vec::new(), lease: None }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut state = lock(&self.world.inside);
        release(&mut state.paths, &self.path);
        release(&mut state.ids, &self.id);
        for limit in &self.limits {
            release(&mut state.uses, limit);
        }
        if let Some(held) = self.lease.and_then(|key| state.keys.get_mut(key)).filter(|held| held.0 == self.path.0) {
            held.1 = held.1.saturating_sub(1);
        }
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        release(&mut lock(&self.world.inside).uses, &self.limit);
    }
}

/// Counts one less, and forgets the key at zero.
fn release<K: Ord + Clone>(counts: &mut BTreeMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// Locks although a task has panicked: tasks panic on purpose here.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
