//! What really runs, as the attempts themselves report it. No event and no part of the library is asked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use taskvisor::fleet::FencingToken;
use taskvisor::prelude::*;

/// One life of a replica.
pub(crate) type Life = u32;

/// The most violations that are kept with their text.
const KEPT: usize = 50;

/// What all replicas share.
pub(crate) struct World {
    start: Instant,
    /// Set at the end of the load: the operator stops, and nothing hangs from then on.
    over: AtomicBool,
    running: Mutex<Running>,
    pub(crate) attempts: AtomicU64,
    violated: AtomicU64,
    violations: Mutex<Vec<String>>,
}

#[derive(Default)]
struct Running {
    /// The parts of each path that run: its attempt, and the helpers of it.
    paths: HashMap<(Life, Arc<str>), usize>,
    limits: HashMap<(Life, &'static str), usize>,
    /// The life that runs the work of a key, how many parts of it, and the highest token.
    leases: HashMap<&'static str, (Life, usize, u64)>,
}

/// The bounds of a task: a limit with the most that may run at once, and the key of its lease.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bounds {
    pub(crate) limit: Option<(&'static str, usize)>,
    pub(crate) lease: Option<&'static str>,
}

/// A part of an attempt that runs until this is dropped.
pub(crate) struct Inside {
    world: Arc<World>,
    key: (Life, Arc<str>),
    bounds: Bounds,
}

impl World {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            over: AtomicBool::new(false),
            running: Mutex::default(),
            attempts: AtomicU64::new(0),
            violated: AtomicU64::new(0),
            violations: Mutex::default(),
        })
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Notes that something does not hold which must.
    pub(crate) fn violated(&self, what: impl std::fmt::Display) {
        self.violated.fetch_add(1, Ordering::Relaxed);
        let mut kept = lock(&self.violations);
        if kept.len() < KEPT {
            let text = format!("after {:.1} s: {what}", self.start.elapsed().as_secs_f64());
            eprintln!("VIOLATED {text}");
            kept.push(text);
        }
    }

    /// The number of violations, and the first ones.
    pub(crate) fn violations(&self) -> (u64, Vec<String>) {
        (self.violated.load(Ordering::Relaxed), lock(&self.violations).clone())
    }

    /// An attempt begins.
    pub(crate) fn enter(self: &Arc<Self>, life: Life, ctx: &TaskContext, bounds: Bounds) -> Inside {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let key = (life, Arc::<str>::from(ctx.path()));
        let mut running = lock(&self.running);
        let parts = running.paths.entry(key.clone()).or_default();
        *parts += 1;
        if *parts > 1 {
            self.violated(format_args!("{} of life {life} begins while an attempt of it runs", ctx.path()));
        }
        if let Some((limit, most)) = bounds.limit {
            let uses = running.limits.entry((life, limit)).or_default();
            *uses += 1;
            if *uses > most {
                self.violated(format_args!("{uses} run under `{limit}`, which allows {most}"));
            }
        }
        if let Some(lease) = bounds.lease {
            self.enter_lease(&mut running, life, lease, ctx);
        }
        Inside { world: Arc::clone(self), key, bounds }
    }

    fn enter_lease(&self, running: &mut Running, life: Life, lease: &'static str, ctx: &TaskContext) {
        let Some(token) = ctx.fencing_token().map(FencingToken::number) else {
            return self.violated(format_args!("{} runs without the lease `{lease}`", ctx.path()));
        };
        let held = running.leases.entry(lease).or_insert((life, 0, 0));
        if held.0 != life && held.1 > 0 {
            self.violated(format_args!("life {life} runs `{lease}` while life {} does", held.0));
        }
        if token < held.2 || (held.0 != life && token == held.2) {
            self.violated(format_args!("the token of `{lease}` is {token}, after {}", held.2));
        }
        *held = (life, if held.0 == life { held.1 + 1 } else { 1 }, token);
    }

    /// The supervisor of a life has shut down: nothing of it may run.
    pub(crate) fn down(&self, life: Life) {
        let running = lock(&self.running);
        for (_, path) in running.paths.keys().filter(|(of, _)| *of == life) {
            self.violated(format_args!("{path} runs after the shutdown of life {life}"));
        }
    }
}

impl Inside {
    /// A helper of the same attempt.
    pub(crate) fn helper(&self) -> Self {
        *lock(&self.world.running).paths.entry(self.key.clone()).or_default() += 1;
        Self { world: Arc::clone(&self.world), key: self.key.clone(), bounds: Bounds::default() }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut running = lock(&self.world.running);
        if let Some(parts) = running.paths.get_mut(&self.key) {
            *parts -= 1;
            if *parts == 0 {
                running.paths.remove(&self.key);
            }
        }
        if let Some((limit, _)) = self.bounds.limit
            && let Some(uses) = running.limits.get_mut(&(self.key.0, limit))
        {
            *uses -= 1;
        }
        if let Some(held) = self.bounds.lease.and_then(|lease| running.leases.get_mut(lease))
            && held.0 == self.key.0
        {
            held.1 = held.1.saturating_sub(1);
        }
    }
}

/// Locks although a task has panicked: tasks panic on purpose here.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
