//! Thousands of submissions at random to slots of all kinds: each resolves once, no bound is exceeded, and in the end
//! every slot is idle.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use taskvisor::{
    AdmissionPolicy, ControllerConfig, RejectReason, SlotSpec, SupervisorConfig, TaskContext, TaskError, TaskFn,
    TaskHandle, TaskOutcome, TaskSpec, Tree,
};
use tests::ms;
use tokio::time::{Instant, sleep, timeout};

const KEYS: usize = 4;

/// A declared slot, with what runs in it.
struct Declared {
    spec: SlotSpec,
    by_key: [Arc<AtomicUsize>; KEYS],
    all: Arc<AtomicUsize>,
    starts: Arc<Mutex<Vec<Instant>>>,
}

impl Declared {
    fn any(number: usize, random: &mut Rng) -> Self {
        let mut spec = SlotSpec::new(format!("s{number}")).with_capacity(random.usize(1..30));
        if random.bool() {
            spec = spec.with_concurrency(random.usize(1..4));
        }
        if random.bool() {
            spec = spec.with_keys();
            if random.bool() {
                spec = spec.with_max_concurrent(random.usize(1..4));
            }
        }
        if random.u8(0..3) == 0 {
            spec = spec.with_rate(random.usize(1..20), ms(random.u64(1..15)));
        }
        if random.bool() {
            spec = spec.with_admission(AdmissionPolicy::Latest);
            if random.bool() {
                let quiet = random.u64(1..8);
                spec = spec.with_debounce(ms(quiet)).with_debounce_max(ms(quiet + random.u64(0..10)));
            }
        }
        let by_key = [(); KEYS].map(|()| Arc::default());
        Self { spec, by_key, all: Arc::default(), starts: Arc::default() }
    }

    fn task(&self, key: usize, name: &str, random: &mut Rng) -> TaskSpec {
        let (here, all, starts) = (Arc::clone(&self.by_key[key]), Arc::clone(&self.all), Arc::clone(&self.starts));
        let places = self.spec.concurrency();
        let most = self.spec.max_concurrent().unwrap_or(usize::MAX);
        let (act, time) = (random.u8(0..5), random.u64(0..3));
        let task = TaskFn::arc(name, move |ctx: TaskContext| {
            struct Inside(Arc<AtomicUsize>, Arc<AtomicUsize>);
            impl Drop for Inside {
                fn drop(&mut self) {
                    self.0.fetch_sub(1, Ordering::SeqCst);
                    self.1.fetch_sub(1, Ordering::SeqCst);
                }
            }
            starts.lock().unwrap().push(Instant::now());
            let counts = (here.fetch_add(1, Ordering::SeqCst), all.fetch_add(1, Ordering::SeqCst));
            let inside = Inside(Arc::clone(&here), Arc::clone(&all));
            async move {
                let _inside = inside;
                if counts.0 >= places || counts.1 >= most {
                    return Err(TaskError::Fatal { reason: format!("too many at once: {counts:?}") });
                }
                match act {
                    0 => Ok(()),
                    1 => Err(TaskError::Fail { reason: "no".into() }),
                    2 => {
                        ctx.run_until_cancelled(sleep(ms(time))).await;
                        Ok(())
                    }
                    _ => {
                        sleep(ms(time)).await;
                        Ok(())
                    }
                }
            }
        });
        TaskSpec::inherit(task).with_max_retries(0)
    }
}

async fn storm(seed: u64, submissions: usize) {
    let mut random = Rng::with_seed(seed);
    let slots: Vec<_> = (0..random.usize(1..4)).map(|number| Declared::any(number, &mut random)).collect();
    let config = SupervisorConfig { max_concurrent: 0, ..SupervisorConfig::default() };
    let controller = ControllerConfig { queue_capacity: random.usize(5..100), ..ControllerConfig::default() };
    let tree = Tree::builder(config).with_controller(controller);
    let tree = slots.iter().fold(tree, |tree, slot| tree.with_slot(slot.spec.clone())).build();
    let mut handles: Vec<TaskHandle> = Vec::new();
    for number in 0..submissions {
        let declared = &slots[random.usize(0..slots.len())];
        let (slot, key) = (tree.slot(declared.spec.name()), random.usize(0..KEYS));
        let (slot, key) = if declared.spec.is_keyed() { (slot.key(&format!("k{key}")), key) } else { (slot, 0) };
        let task = declared.task(key, &format!("t{number}"), &mut random);
        let submit = match random.u8(0..8) {
            0 => slot.queue(task),
            1 => slot.replace(task),
            2 => slot.latest(task),
            3 => slot.drop_if_running(task),
            _ => slot.submit(task),
        };
        let accepted = timeout(Duration::from_secs(30), submit).await;
        let handle = accepted.unwrap_or_else(|_| panic!("seed {seed}: {:#?}", tree.supervisor().slots()));
        handles.push(handle.unwrap());
        match random.u8(0..12) {
            0 => sleep(ms(random.u64(0..6))).await,
            1 => tokio::task::yield_now().await,
            2 => drop(timeout(Duration::ZERO, handles[random.usize(0..handles.len())].cancel()).await),
            3 if random.u8(0..8) == 0 => drop(slot.cancel_all().await.unwrap()),
            _ => {}
        }
    }
    let mut outcomes: HashMap<&str, usize> = HashMap::new();
    for handle in &handles {
        let outcome = timeout(Duration::from_secs(30), handle.outcome()).await;
        let outcome = outcome.unwrap_or_else(|_| {
            panic!(
                "seed {seed}: {handle:?}: {:#?} {:?}",
                tree.supervisor().slots(),
                slots.iter().map(|slot| &slot.spec).collect::<Vec<_>>()
            )
        });
        assert!(!matches!(&outcome, TaskOutcome::Fatal { .. }), "seed {seed}: {outcome}");
        let is_refused = matches!(&outcome, TaskOutcome::Rejected { reason: RejectReason::Refused { .. } });
        assert!(!is_refused, "seed {seed}: {outcome}");
        *outcomes.entry(outcome.as_label()).or_default() += 1;
    }
    for declared in &slots {
        let slot = tree.slot(declared.spec.name());
        timeout(Duration::from_secs(30), async {
            while !slot.is_idle() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("seed {seed}: {:#?}", slot.snapshot()));
        assert_eq!(declared.all.load(Ordering::SeqCst), 0);
    }
    assert!(
        tree.supervisor().slots().iter().all(|slot| slot.owners.is_empty() && slot.next.is_none() && slot.queued == 0)
    );
    tree.shutdown().await.unwrap();
}

/// The rate of a slot, on a clock that does not go on by itself.
fn assert_rates(slots: &[Declared]) {
    for declared in slots {
        let Some((most, per)) = declared.spec.rate() else { continue };
        let starts = declared.starts.lock().unwrap();
        assert!(starts.windows(most + 1).all(|starts| starts[most] - starts[0] >= per), "{starts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn o31_ten_thousand_submissions_at_random_resolve_and_exceed_no_bound() {
    let seed = std::env::var("SLOT_SEED").map_or_else(|_| fastrand::u64(..1 << 48), |seed| seed.parse().unwrap());
    println!("first seed: {seed}");
    for round in 0..50 {
        storm(seed + round, 200).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o31_submissions_on_two_workers_resolve_and_exceed_no_bound() {
    let seed = std::env::var("SLOT_SEED").map_or_else(|_| fastrand::u64(..1 << 48), |seed| seed.parse().unwrap());
    println!("first seed: {seed}");
    for round in 0..25 {
        storm(seed + round, 400).await;
    }
}

#[tokio::test(start_paused = true)]
async fn o31_no_span_has_more_starts_than_the_rate_allows() {
    let mut random = Rng::with_seed(31);
    for _ in 0..20 {
        let declared = Declared {
            spec: SlotSpec::new("s")
                .with_keys()
                .with_rate(random.usize(1..6), ms(random.u64(5..40)))
                .with_concurrency(4),
            by_key: [(); KEYS].map(|()| Arc::default()),
            all: Arc::default(),
            starts: Arc::default(),
        };
        let tree = Tree::builder(SupervisorConfig::default()).with_slot(declared.spec.clone()).build();
        let mut handles = Vec::new();
        for number in 0..60 {
            let key = random.usize(0..KEYS);
            let task = declared.task(key, &format!("t{number}"), &mut random);
            handles.push(tree.slot("s").key(&format!("k{key}")).queue(task).await.unwrap());
            sleep(ms(random.u64(0..4))).await;
        }
        for handle in handles {
            handle.outcome().await;
        }
        assert_eq!(declared.starts.lock().unwrap().len(), 60);
        assert_rates(&[declared]);
    }
}
