//! A random tree, and the life that it has.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use taskvisor::fleet::Fleet;
use taskvisor::test::Recorder;
use taskvisor::{
    Event, EventKind as E, Ready, RestartPolicy, Subscribe, SupervisorConfig, TaskContext, TaskError, TaskFn,
    TaskHandle, TaskId, TaskSpec, Tree,
};
use tokio::task::{JoinSet, yield_now};
use tokio::time::sleep;

use crate::checker::{Known, check};
use crate::declared::{backoff, declare};
use crate::fact::Fact;
use crate::operator::Operator;

const OPERATORS: u64 = 4;

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Keeps all events.
#[derive(Default)]
struct Listener(Mutex<Vec<Fact>>);

#[async_trait::async_trait]
impl Subscribe for Listener {
    async fn on_event(&self, event: &Event) {
        lock(&self.0).push(Fact::of(event));
    }

    fn name(&self) -> &'static str {
        "listener"
    }

    fn queue_capacity(&self) -> usize {
        1 << 20
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

pub(crate) struct World {
    seed: u64,
    pub(crate) tree: Tree,
    listener: Arc<Listener>,
    /// Has each event as soon as it is published. In some rounds only, because it takes time under the lock of the bus.
    pub(crate) tap: Option<Recorder>,
    pub(crate) known: Mutex<Known>,
    /// The operations until the shutdown.
    pub(crate) left: AtomicU64,
    pub(crate) is_down: AtomicBool,
    pub(crate) handles: Mutex<BTreeMap<TaskId, TaskHandle>>,
    wrong: Mutex<Vec<String>>,
}

/// A task whose attempts do what comes to their mind.
pub(crate) fn task(random: &mut fastrand::Rng, name: &str) -> TaskSpec {
    let dice = Arc::new(Mutex::new(random.fork()));
    let work = TaskFn::arc(name, move |ctx: TaskContext| {
        let choice = lock(&dice).u8(..14);
        async move {
            match choice {
                0 | 1 => {}
                2 | 3 => return Err(TaskError::Fail { reason: "so".into() }),
                4 => return Err(TaskError::Fatal { reason: "so".into() }),
                5 => return Err(TaskError::Canceled),
                6 => yield_now().await,
                7 => sleep(ms(1)).await,
                8 => {
                    yield_now().await;
                    ctx.ready();
                    return Err(TaskError::Fail { reason: "after a turn".into() });
                }
                9 => {
                    let helper = ctx.clone();
                    ctx.spawn(async move {
                        helper.ready();
                        helper.cancelled().await;
                    });
                }
                10 => {
                    ctx.ready();
                    ctx.cancelled().await;
                    yield_now().await;
                    return Err(TaskError::Fail { reason: "at the end".into() });
                }
                _ => {
                    ctx.ready();
                    ctx.cancelled().await;
                }
            }
            Ok(())
        }
    });
    let restart = match random.u8(..6) {
        0 => RestartPolicy::Never,
        1 | 2 => RestartPolicy::OnFailure,
        3 => RestartPolicy::Always { interval: Some(ms(1)) },
        _ => RestartPolicy::Always { interval: Some(Duration::ZERO) },
    };
    let mut spec = TaskSpec::inherit(work).with_restart(restart).with_backoff(backoff(random));
    if random.u8(..4) == 0 {
        spec = spec.with_ready(Ready::Signal);
    }
    if random.u8(..16) == 0 {
        spec = spec.with_paused(true);
    }
    spec
}

impl World {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        let mut random = fastrand::Rng::with_seed(seed);
        let listener = Arc::new(Listener::default());
        let drain = if random.u8(..4) == 0 { ms(1) } else { Duration::ZERO };
        let config = SupervisorConfig { grace: Duration::from_secs(60), drain, ..SupervisorConfig::default() };
        let mut known = Known::default();
        let has_fleet = random.u8(..3) == 0;
        let mut tree = Tree::builder(config).with_subscriber(Arc::clone(&listener));
        if has_fleet {
            tree = tree.with_fleet(Fleet::local());
        }
        tree = declare(tree, &mut random, has_fleet, &mut known);
        let tree = tree.build();
        let tap = (random.u8(..3) == 0).then(|| Recorder::attach(tree.supervisor()));
        Arc::new(Self {
            seed,
            tree,
            listener,
            tap,
            known: Mutex::new(known),
            left: AtomicU64::new(random.u64(1..160)),
            is_down: AtomicBool::new(false),
            handles: Mutex::default(),
            wrong: Mutex::default(),
        })
    }

    /// Starts the tree, operates on it from several tasks, and shuts it down. Returns the events.
    pub(crate) async fn live(self: &Arc<Self>) -> Vec<Fact> {
        self.tree.start().await.unwrap_or_else(|error| panic!("ORDER_SEED={}: {error}", self.seed));
        let mut operators = JoinSet::new();
        for number in 0..OPERATORS {
            let operator = Operator::new(self, fastrand::Rng::with_seed(self.seed ^ ((number + 1) << 56)));
            operators.spawn(operator.operate());
        }
        while let Some(done) = operators.join_next().await {
            if let Err(panic) = done {
                self.is_wrong(format!("an operator panicked: {panic}"));
            }
        }
        let _ = self.tree.shutdown().await;
        // A shutdown that is forced late does not wait for subscribers.
        while !self.facts().iter().any(|fact| matches!(fact.kind, E::AllStoppedWithinGrace | E::GraceExceeded)) {
            sleep(ms(1)).await;
        }
        for handle in lock(&self.handles).values() {
            if handle.try_outcome().is_none() {
                self.is_wrong(format!("{} #{} has no outcome", handle.path(), handle.id()));
            }
        }
        self.facts()
    }

    pub(crate) fn is_wrong(&self, what: String) {
        lock(&self.wrong).push(what);
    }

    pub(crate) fn facts(&self) -> Vec<Fact> {
        lock(&self.listener.0).clone()
    }

    pub(crate) fn judge(&self, facts: &[Fact]) -> Vec<String> {
        let mut wrong = std::mem::take(&mut *lock(&self.wrong));
        wrong.extend(check(facts, &lock(&self.known)));
        wrong
    }
}
