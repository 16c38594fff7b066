//! All operations at once, at random. Every submission resolves once, no two tasks of a slot run at once, and the
//! events of each are consistent.

mod story;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use taskvisor::{
    AdmissionPolicy, ControllerConfig, ControllerError, ControllerSpec, RuntimeError, Supervisor, SupervisorConfig,
    TaskContext, TaskError, TaskFn, TaskHandle, TaskSpec,
};
use tests::{Recorder, constant, ms};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::{label, surely};

/// The slots have the names of some of the tasks.
const SLOTS: usize = 3;
const NAMES: usize = 5;
const MEMBERS: usize = 4;

/// The behavior of a task.
#[derive(Clone, Copy)]
enum Act {
    Complete,
    Linger,
    Fail,
    Panic,
    Fatal,
    GiveUp,
    Wait,
    Deaf,
    Block,
}

const ACTS: [Act; 9] =
    [Act::Complete, Act::Linger, Act::Fail, Act::Panic, Act::Fatal, Act::GiveUp, Act::Wait, Act::Deaf, Act::Block];

struct World {
    supervisor: Arc<Supervisor>,
    /// The number of tasks that run in each slot.
    running: [Arc<AtomicUsize>; SLOTS],
    handles: Mutex<Vec<TaskHandle>>,
    added: Mutex<Vec<TaskHandle>>,
    over: AtomicBool,
}

struct Inside(Arc<AtomicUsize>);

impl Inside {
    fn enter(slot: &Arc<AtomicUsize>) -> Self {
        assert_eq!(slot.fetch_add(1, Ordering::SeqCst), 0, "two at once");
        Self(Arc::clone(slot))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A task with this behavior; in a slot it checks that it runs alone.
fn task(name: String, act: Act, slot: Option<Arc<AtomicUsize>>, two_at_once: &Arc<AtomicBool>) -> TaskSpec {
    let two_at_once = Arc::clone(two_at_once);
    let task = TaskFn::arc(name, move |ctx: TaskContext| {
        let (slot, two_at_once) = (slot.clone(), Arc::clone(&two_at_once));
        async move {
            let entered = slot.as_ref().map(|slot| std::panic::catch_unwind(|| Inside::enter(slot)));
            two_at_once.fetch_or(matches!(entered, Some(Err(_))), Ordering::SeqCst);
            match act {
                Act::Complete => Ok(()),
                Act::Linger => {
                    for _ in 0..10 {
                        tokio::task::yield_now().await;
                    }
                    Ok(())
                }
                Act::Fail => Err(TaskError::Fail { reason: "at random".into() }),
                Act::Panic => panic!("at random"),
                Act::Fatal => Err(TaskError::Fatal { reason: "at random".into() }),
                Act::GiveUp => Err(TaskError::Canceled),
                Act::Wait => {
                    ctx.cancelled().await;
                    Ok(())
                }
                Act::Deaf => std::future::pending().await,
                Act::Block => {
                    std::thread::sleep(Duration::from_micros(200));
                    Ok(())
                }
            }
        }
    });
    TaskSpec::inherit(task).with_backoff(constant(ms(1))).with_max_retries(2).with_stop_timeout(ms(1))
}

impl World {
    async fn submit(&self, random: &mut Rng, two: &Arc<AtomicBool>) -> bool {
        let slot = random.usize(0..SLOTS);
        let act = ACTS[random.usize(0..ACTS.len())];
        let spec = task(format!("n{}", random.usize(0..NAMES)), act, Some(Arc::clone(&self.running[slot])), two);
        let policies = [AdmissionPolicy::Queue, AdmissionPolicy::Replace, AdmissionPolicy::DropIfRunning];
        let spec = ControllerSpec::new(policies[random.usize(0..3)], spec).with_slot(format!("n{slot}"));
        let submitted =
            if random.bool() { self.supervisor.try_submit(spec) } else { surely(self.supervisor.submit(spec)).await };
        match submitted {
            Ok(handle) => self.handles.lock().unwrap().push(handle),
            Err(ControllerError::Full { .. }) => {}
            Err(error) => {
                assert!(matches!(error, ControllerError::ShuttingDown), "{error}");
                return false;
            }
        }
        true
    }

    fn any(&self, random: &mut Rng) -> Option<TaskHandle> {
        let handles = self.handles.lock().unwrap();
        (!handles.is_empty()).then(|| handles[random.usize(0..handles.len())].clone())
    }

    /// Submits, cancels, adds and clears at random, 100 times or until a submission is refused.
    async fn member(self: Arc<Self>, seed: u64, two: Arc<AtomicBool>) {
        let mut random = Rng::with_seed(seed);
        for _ in 0..100 {
            match random.u8(0..16) {
                0..=9 => {
                    if !self.submit(&mut random, &two).await {
                        return;
                    }
                }
                10 | 11 => {
                    if let Some(handle) = self.any(&mut random) {
                        is_canceled(&surely(handle.cancel()).await.map(drop));
                    }
                }
                12 => {
                    if let Some(handle) = self.any(&mut random) {
                        handle.restart();
                        handle.trigger();
                    }
                }
                13 => {
                    let act = [Act::Complete, Act::Wait, Act::Linger][random.usize(0..3)];
                    let spec = task(format!("n{}", random.usize(0..NAMES)), act, None, &two);
                    match self.supervisor.add_task(spec).await {
                        Ok(handle) => self.added.lock().unwrap().push(handle),
                        Err(RuntimeError::TaskAlreadyExists { .. }) => {}
                        Err(error) => assert!(matches!(error, RuntimeError::ShuttingDown), "{error}"),
                    }
                }
                14 => drop(surely(self.supervisor.slot(&format!("n{}", random.usize(0..SLOTS))).cancel_all()).await),
                _ => tokio::task::yield_now().await,
            }
        }
    }

    /// Keeps making room for those that wait for it.
    async fn janitor(self: Arc<Self>, seed: u64) {
        let mut random = Rng::with_seed(seed);
        while !self.over.load(Ordering::SeqCst) {
            tokio::time::sleep(ms(1)).await;
            let slot = self.supervisor.slot(&format!("n{}", random.usize(0..SLOTS)));
            is_canceled(&surely(slot.cancel_all()).await.map(drop));
            let _ = surely(self.supervisor.cancel(&format!("n{}", random.usize(0..NAMES)))).await;
        }
    }
}

/// A cancel succeeds. Only where an attempt that was aborted runs on another thread, a busy machine may drop it too late.
fn is_canceled(result: &Result<(), RuntimeError>) {
    let is_late = matches!(result, Err(RuntimeError::TaskRemoveTimeout { .. }));
    assert!(
        result.is_ok() || (is_late && Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread),
        "{result:?}"
    );
}

async fn round(seed: u64) {
    let mut random = Rng::with_seed(seed);
    let recorder = Recorder::new();
    let capacities = ControllerConfig { queue_capacity: random.usize(1..20), slot_capacity: random.usize(1..6) };
    let config = SupervisorConfig { max_concurrent: random.usize(0..3), ..SupervisorConfig::default() };
    let world = Arc::new(World {
        supervisor: Supervisor::builder(config)
            .with_subscribers(vec![recorder.clone()])
            .with_controller(capacities)
            .build(),
        running: std::array::from_fn(|_| Arc::default()),
        handles: Mutex::default(),
        added: Mutex::default(),
        over: AtomicBool::new(false),
    });
    let two = Arc::new(AtomicBool::new(false));
    let members: Vec<_> =
        (0..MEMBERS).map(|_| tokio::spawn(Arc::clone(&world).member(random.u64(..), Arc::clone(&two)))).collect();
    let janitor = tokio::spawn(Arc::clone(&world).janitor(random.u64(..)));
    if random.bool() {
        for _ in 0..random.usize(0..2000) {
            tokio::task::yield_now().await;
        }
        drop(world.supervisor.shutdown());
    }
    for member in members {
        surely(member).await.unwrap();
    }
    world.over.store(true, Ordering::SeqCst);
    surely(janitor).await.unwrap();
    let verdict = surely(world.supervisor.shutdown()).await;
    assert!(matches!(verdict, Ok(()) | Err(RuntimeError::GraceExceeded { .. })), "the deaf are aborted: {verdict:?}");
    // then
    let handles = std::mem::take(&mut *world.handles.lock().unwrap());
    let mut ends = Vec::new();
    for handle in handles {
        let outcome = surely(handle.outcome()).await;
        ends.push((handle.id(), label(&outcome)));
    }
    let added = std::mem::take(&mut *world.added.lock().unwrap());
    for added in added {
        surely(added.outcome()).await;
    }
    assert!(!two.load(Ordering::SeqCst), "two at once");
    surely(async {
        while !(0..SLOTS).all(|slot| world.supervisor.slot(&format!("n{slot}")).is_idle()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    story::check(&recorder.seen(), &ends);
}

fn seeds(rounds: usize) -> impl Iterator<Item = u64> {
    let fixed = std::env::var("SLOTS_SEED").ok().and_then(|seed| seed.parse().ok());
    let rounds = if fixed.is_some() { 1 } else { rounds };
    std::iter::repeat_with(move || fixed.unwrap_or_else(|| fastrand::u64(..)))
        .take(rounds)
        .inspect(|seed| println!("SLOTS_SEED={seed}"))
}

#[tokio::test]
async fn j01_every_submission_resolves_once_on_one_thread() {
    for seed in seeds(50) {
        round(seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j01_every_submission_resolves_once_on_two_threads() {
    for seed in seeds(50) {
        round(seed).await;
    }
}
