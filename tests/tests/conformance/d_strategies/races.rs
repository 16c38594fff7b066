//! Groups on real threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use taskvisor::{
    EventKind, Group, Ready, RestartPolicy, Signals, Strategy, SupervisorConfig, TaskContext, TaskError, TaskFn,
    TaskSpec, TaskState, Tree,
};
use tests::{ALWAYS, Recorder, constant, secs};
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep, timeout};

const STRATEGIES: [Strategy; 3] = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];
const FOREVER: Duration = secs(60);

/// How many attempts began, and whether two attempts of one task ever ran at once.
#[derive(Default)]
struct Watch {
    begun: AtomicUsize,
    overlapped: AtomicBool,
}

struct Inside(Arc<AtomicBool>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// A task that fails, ends, panics or waits at random.
fn erratic(name: &str, watch: &Arc<Watch>) -> TaskSpec {
    let (watch, inside) = (Arc::clone(watch), Arc::new(AtomicBool::new(false)));
    let task = TaskFn::arc(name, move |ctx: TaskContext| {
        let (watch, inside) = (Arc::clone(&watch), Arc::clone(&inside));
        async move {
            watch.begun.fetch_add(1, Ordering::SeqCst);
            if inside.swap(true, Ordering::SeqCst) {
                watch.overlapped.store(true, Ordering::SeqCst);
            }
            let _inside = Inside(inside);
            for _ in 0..fastrand::u32(0..40) {
                if fastrand::u32(0..8) == 0 {
                    ctx.ready();
                }
                tokio::task::yield_now().await;
            }
            match fastrand::u32(0..10) {
                0..3 => Err(TaskError::Fail { reason: "chance".into() }),
                3 => panic!("chance"),
                4..8 => Ok(()),
                _ => {
                    ctx.ready();
                    ctx.cancelled().await;
                    if fastrand::bool() { Ok(()) } else { Err(TaskError::Canceled) }
                }
            }
        }
    });
    let backoff = constant(Duration::from_micros(fastrand::u64(0..3) * 200));
    TaskSpec::inherit(task).with_restart(ALWAYS).with_backoff(backoff)
}

fn erratic_group(name: &str, watch: &Arc<Watch>) -> Group {
    let group = Group::new(name, STRATEGIES[fastrand::usize(..3)])
        .with_backoff(constant(Duration::from_micros(fastrand::u64(0..3) * 200)))
        .with_restart(RestartPolicy::OnFailure);
    let group = if fastrand::bool() { group.with_limit(fastrand::u32(0..4), Duration::from_millis(5)) } else { group };
    (0..fastrand::u32(1..5)).fold(group, |group, index| {
        let mut spec = erratic(&format!("t{index}"), watch);
        if fastrand::u32(0..4) == 0 {
            spec = spec.with_ready(Ready::Signal);
        }
        if index > 0 && fastrand::u32(0..3) == 0 {
            spec = spec.with_after(["t0"]);
        }
        group.task(spec)
    })
}

/// Attempts keep beginning: no child waits for an event that never comes.
#[test]
fn d08_groups_of_failing_children_never_stall() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
            let watch = Arc::new(Watch::default());
            let busy = |name: &str| {
                let (watch, inside) = (Arc::clone(&watch), Arc::new(AtomicBool::new(false)));
                let task = TaskFn::arc(name, move |_: TaskContext| {
                    let (watch, inside) = (Arc::clone(&watch), Arc::clone(&inside));
                    async move {
                        watch.begun.fetch_add(1, Ordering::SeqCst);
                        if inside.swap(true, Ordering::SeqCst) {
                            watch.overlapped.store(true, Ordering::SeqCst);
                        }
                        let _inside = Inside(inside);
                        if fastrand::u32(0..4) == 0 {
                            return Err(TaskError::Fail { reason: "chance".into() });
                        }
                        Ok(())
                    }
                });
                TaskSpec::inherit(task).with_restart(ALWAYS).with_backoff(constant(Duration::ZERO))
            };
            let group = (0..6).fold(Group::new("g", strategy), |group, index| group.task(busy(&format!("t{index}"))));
            let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
            tree.start().await.unwrap();
            let end = Instant::now() + secs(3);
            while Instant::now() < end {
                let before = watch.begun.load(Ordering::SeqCst);
                let stalled = timeout(FOREVER, async {
                    while watch.begun.load(Ordering::SeqCst) < before + 100 {
                        sleep(Duration::from_millis(1)).await;
                    }
                });
                assert!(stalled.await.is_ok(), "{strategy:?} stalled after {before} attempts");
            }
            assert!(!watch.overlapped.load(Ordering::SeqCst));
            timeout(FOREVER, tree.shutdown()).await.expect("it ends").unwrap();
            assert_eq!(tree.supervisor().list_tasks().await, [""; 0]);
        }
    });
}

#[test]
fn d08_groups_survive_everything_at_once() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        for round in 0..200 {
            let (watch, recorder) = (Arc::new(Watch::default()), Recorder::new());
            let nested = erratic_group("outer", &watch).group(erratic_group("inner", &watch));
            let config = SupervisorConfig { grace: secs(20), signals: Signals::NONE, ..SupervisorConfig::default() };
            let tree = Tree::builder(config)
                .with_subscriber(Arc::clone(&recorder))
                .group(nested)
                .group(erratic_group("other", &watch).not_critical())
                .build();
            let tree = Arc::new(tree);
            tree.start().await.unwrap();
            let meddlers: Vec<_> = (0..3)
                .map(|meddler| {
                    let (tree, watch) = (Arc::clone(&tree), Arc::clone(&watch));
                    tokio::spawn(async move {
                        for turn in 0..30 {
                            let group = tree.group(["outer", "outer/inner", "other"][fastrand::usize(..3)]);
                            let child = group.child(&format!("t{}", fastrand::u32(..4)));
                            match fastrand::u32(0..8) {
                                0 => drop(group.restart()),
                                1 => drop(group.add_task(erratic(&format!("x{meddler}-{turn}"), &watch)).await),
                                2 => drop(child.cancel().await),
                                3 => drop(child.trigger()),
                                4 if turn > 20 => drop(group.cancel().await),
                                _ => drop(child.restart()),
                            }
                            tokio::task::yield_now().await;
                        }
                    })
                })
                .collect();
            for meddler in meddlers {
                timeout(FOREVER, meddler).await.unwrap_or_else(|_| panic!("round {round}: a call hangs")).unwrap();
            }
            let result = timeout(FOREVER, tree.shutdown()).await.expect("it ends");
            assert!(result.is_ok(), "round {round}: {result:?}");
            assert_eq!(tree.supervisor().list_tasks().await, [""; 0], "round {round}");
            assert_eq!(tree.group("outer").status().unwrap_or(TaskState::Ended), TaskState::Ended);
            assert!(!watch.overlapped.load(Ordering::SeqCst), "round {round}: two runs of one task");
            let seen = recorder.seen();
            let ids = |kind| {
                let mut ids: Vec<_> = seen.iter().filter(|seen| seen.kind == kind).filter_map(|seen| seen.id).collect();
                ids.sort_unstable();
                ids
            };
            let (added, removed) = (ids(EventKind::TaskAdded), ids(EventKind::TaskRemoved));
            assert_eq!(added, removed, "round {round}");
            assert!(added.windows(2).all(|two| two[0] != two[1]), "round {round}");
        }
    });
}
