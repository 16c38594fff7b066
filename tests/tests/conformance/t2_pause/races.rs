//! Pauses beside everything else, on one thread and on two: no attempt begins in a pause, none is lost after it, and
//! every call and every shutdown ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use fastrand::Rng;
use taskvisor::{
    EventKind, Group, Ready, SlotSpec, Strategy, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskHandle,
    TaskSpec, TaskState, Tree,
};
use tests::{Recorder, Seen, WITHOUT_PAUSE, constant, cooperative, ms, secs};
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Result;

const FOREVER: Duration = secs(60);

/// How many attempts began, and whether two of one task ran at once.
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

/// A task that runs some turns, and succeeds, fails or waits for a stop.
fn erratic(name: &str, watch: &Arc<Watch>, seed: u64) -> TaskSpec {
    let (watch, inside) = (Arc::clone(watch), Arc::new(AtomicBool::new(false)));
    let task = TaskFn::arc(name, move |ctx: TaskContext| {
        let (watch, inside) = (Arc::clone(&watch), Arc::clone(&inside));
        async move {
            let number = watch.begun.fetch_add(1, Ordering::SeqCst) as u64;
            if inside.swap(true, Ordering::SeqCst) {
                watch.overlapped.store(true, Ordering::SeqCst);
            }
            let _inside = Inside(inside);
            let mut random = Rng::with_seed(seed.wrapping_add(number));
            ctx.ready();
            for _ in 0..random.u8(0..6) {
                yield_now().await;
            }
            match random.u8(0..4) {
                0 => Err(TaskError::Fail { reason: "chance".into() }),
                1 => {
                    // It holds a permit meanwhile.
                    ctx.run_until_cancelled(tokio::time::sleep(ms(1))).await.ok_or(TaskError::Canceled)
                }
                _ => Ok(()),
            }
        }
    });
    let spec = TaskSpec::inherit(task).with_restart(WITHOUT_PAUSE).with_backoff(constant(Duration::ZERO));
    let spec = if seed % 2 == 0 { spec.with_named_limit("few") } else { spec };
    if seed % 3 == 0 { spec.with_ready(Ready::Signal).with_start_timeout(secs(50)) } else { spec }
}

fn tree(random: &mut Rng, watch: &Arc<Watch>, recorder: &Arc<Recorder>) -> Tree {
    const STRATEGIES: [Strategy; 3] = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];
    let group = Group::new("g", STRATEGIES[random.usize(0..3)]).with_paused(random.bool());
    let group =
        group.task(erratic("a", watch, random.u64(..))).task(erratic("b", watch, random.u64(..)).with_after(["a"]));
    let (fresh_watch, seed) = (Arc::clone(watch), random.u64(..));
    let fresh = Group::one_for_all("fresh").fresh(move || {
        let watch = Arc::clone(&fresh_watch);
        async move {
            yield_now().await;
            Ok::<_, String>([erratic("f", &watch, seed)])
        }
    });
    let slot = SlotSpec::new("s").with_concurrency(random.usize(1..3));
    let drain = if random.u8(0..4) == 0 { ms(5) } else { Duration::ZERO };
    Tree::builder(SupervisorConfig { drain, ..SupervisorConfig::default() })
        .with_subscriber(recorder.clone())
        .with_named_limit("few", random.usize(1..3))
        .task(erratic("t", watch, random.u64(..)).with_paused(random.bool()))
        .group(group.group(fresh))
        .with_slot(slot)
        .with_slot(SlotSpec::new("k").with_keys().with_max_concurrent(1))
        .build()
}

/// One call of the interface.
async fn act(tree: &Tree, watch: &Arc<Watch>, random: &mut Rng) {
    let child = tree.child(["t", "g/a", "g/b", "g/fresh/f"][random.usize(0..4)]);
    let group = tree.group(["", "g", "g/fresh"][random.usize(0..3)]);
    let slot =
        [tree.slot("s"), tree.slot("k").key("x"), tree.slot("k").key("y"), tree.slot("k")][random.usize(0..4)].clone();
    match random.u8(0..20) {
        0 | 1 => drop(child.pause()),
        2 => drop(child.pause_and_stop()),
        3 | 4 => drop(child.resume()),
        5 => drop(group.pause()),
        6 => drop(group.pause_and_stop()),
        7 | 8 => drop(group.resume()),
        9 => drop(slot.pause()),
        10 => drop(slot.pause_and_stop()),
        11 | 12 => drop(slot.resume()),
        13 => drop(child.trigger()),
        14 => drop(child.restart()),
        15 => drop(group.restart()),
        16 => drop(tree.supervisor().try_submit(submission(watch, random))),
        17 => drop(child.cancel().await),
        18 => drop((tree.snapshot(), tree.health(), tree.supervisor().slots())),
        _ => {
            let name = format!("x{}", random.u8(0..3));
            if let Ok(added) = tree.group("g").add_task(cooperative(&name)).await {
                added.pause();
            }
        }
    }
}

fn submission(watch: &Arc<Watch>, random: &mut Rng) -> taskvisor::ControllerSpec {
    let watch = Arc::clone(watch);
    let job = TaskFn::arc(format!("job{}", random.u32(..)), move |_: TaskContext| {
        watch.begun.fetch_add(1, Ordering::SeqCst);
        async {
            yield_now().await;
            Ok(())
        }
    });
    let slot = ["s", "k/x", "k/y"][random.usize(0..3)];
    match random.u8(0..4) {
        0 => taskvisor::ControllerSpec::replace(job),
        1 => taskvisor::ControllerSpec::latest(job),
        2 => taskvisor::ControllerSpec::drop_if_running(job),
        _ => taskvisor::ControllerSpec::queue(job),
    }
    .with_slot(slot)
}

async fn storm(seed: u64) -> Result {
    let mut random = Rng::with_seed(seed);
    let (watch, recorder) = (Arc::new(Watch::default()), Recorder::new());
    let tree = Arc::new(tree(&mut random, &watch, &recorder));
    tree.start().await?;
    let meddlers: Vec<_> = (0..3)
        .map(|_| {
            let (tree, watch, mut random) = (Arc::clone(&tree), Arc::clone(&watch), Rng::with_seed(random.u64(..)));
            tokio::spawn(async move {
                for _ in 0..40 {
                    act(&tree, &watch, &mut random).await;
                    for _ in 0..random.u8(0..3) {
                        yield_now().await;
                    }
                }
            })
        })
        .collect();
    let ends_early = random.u8(0..3) == 0;
    if !ends_early {
        for meddler in meddlers {
            timeout(FOREVER, meddler).await.unwrap_or_else(|_| panic!("seed {seed}: a call hangs")).unwrap();
        }
        quiet(&tree, &watch, seed).await;
    }
    timeout(FOREVER, tree.shutdown()).await.unwrap_or_else(|_| panic!("seed {seed}: it does not end"))?;
    assert_eq!(tree.supervisor().list_tasks().await, [""; 0], "seed {seed}");
    assert!(!watch.overlapped.load(Ordering::SeqCst), "seed {seed}: two attempts of one task");
    let events = recorder.seen();
    let ids = |kind| {
        let mut ids: Vec<_> = events.iter().filter(|seen| seen.kind == kind).filter_map(|seen| seen.id).collect();
        ids.sort_unstable();
        ids
    };
    let (added, removed) = (ids(EventKind::TaskAdded), ids(EventKind::TaskRemoved));
    let left = |seen: &&Seen| seen.id.is_some_and(|id| added.contains(&id) != removed.contains(&id));
    assert_eq!(added, removed, "seed {seed}: {:#?}", events.iter().filter(left).collect::<Vec<_>>());
    Ok(())
}

/// The tasks of a tree.
fn tasks(node: &taskvisor::NodeSnapshot) -> Vec<&taskvisor::NodeSnapshot> {
    let of_children = node.children.iter().flat_map(tasks);
    if node.kind == taskvisor::NodeKind::Task { vec![node] } else { of_children.collect() }
}

/// In a pause of the root nothing begins. After it, what has not ended for good runs again, unless it is paused by
/// itself.
async fn quiet(tree: &Tree, watch: &Arc<Watch>, seed: u64) {
    // A new pause of the root: in an older one an attempt that was triggered begins, and may still wait for its permit.
    tree.group("").resume();
    assert!(tree.group("").pause(), "seed {seed}");
    tree.group("").pause_and_stop();
    let runs = |node: &taskvisor::NodeSnapshot| matches!(node.state, TaskState::Running | TaskState::Stopping);
    let ended = timeout(FOREVER, async {
        while tasks(&tree.snapshot().root).iter().any(|task| runs(task)) {
            tokio::time::sleep(ms(1)).await;
        }
    });
    assert!(ended.await.is_ok(), "seed {seed}: an attempt does not stop in a pause\n{}", tree.snapshot());
    let begun = watch.begun.load(Ordering::SeqCst);
    for _ in 0..200 {
        yield_now().await;
    }
    assert_eq!(watch.begun.load(Ordering::SeqCst), begun, "seed {seed}: an attempt began in a pause");
    for slot in [tree.slot("s"), tree.slot("k"), tree.slot("k").key("x"), tree.slot("k").key("y")] {
        slot.resume();
    }
    tree.group("g").resume();
    tree.group("g/fresh").resume();
    let paths = ["t", "g/a", "g/fresh/f"];
    for path in paths {
        tree.child(path).resume();
    }
    assert!(tree.group("").resume(), "seed {seed}");
    let lives = |path: &&&str| tree.child(path).current().is_some_and(|task| task.try_outcome().is_none());
    for path in paths.iter().filter(lives) {
        let task = tree.child(path);
        let resumed = timeout(FOREVER, async {
            while task.status().is_some_and(|status| status.paused || matches!(status.attempt, 0)) && lives(&path) {
                tokio::time::sleep(ms(1)).await;
            }
        });
        assert!(resumed.await.is_ok(), "seed {seed}: {path} is not resumed\n{}", tree.snapshot());
    }
    // Every job that was accepted comes to its end.
    let idle = timeout(FOREVER, async {
        while ["s", "k"].iter().any(|slot| !tree.slot(slot).is_idle()) {
            tokio::time::sleep(ms(1)).await;
        }
    });
    assert!(idle.await.is_ok(), "seed {seed}: a job waits for ever\n{:?}", tree.supervisor().slots());
}

#[tokio::test(start_paused = true)]
async fn t2_pauses_survive_everything_at_once_on_one_thread() -> Result {
    let seed = fastrand::u64(..1 << 48);
    println!("first seed: {seed}");
    for round in 0..200 {
        storm(seed + round).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t2_pauses_survive_everything_at_once_on_two_workers() -> Result {
    let seed = fastrand::u64(..1 << 48);
    println!("first seed: {seed}");
    for round in 0..150 {
        storm(seed + round).await?;
    }
    Ok(())
}

/// After `pause` has returned, no attempt begins, whatever the other thread does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t2_no_attempt_begins_after_pause_has_returned() -> Result {
    let supervisor = tests::supervisor();
    for round in 0..300_u64 {
        let begun = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&begun);
        let task = TaskFn::arc("t", move |_: TaskContext| {
            counted.fetch_add(1, Ordering::SeqCst);
            async { Ok(()) }
        });
        let task: TaskHandle = supervisor.add_task(TaskSpec::inherit(task).with_restart(WITHOUT_PAUSE)).await?;
        for _ in 0..round % 7 {
            yield_now().await;
        }
        assert!(task.pause());
        let (attempt, before) = (task.status().attempt as usize, begun.load(Ordering::SeqCst));
        // An attempt that had begun may be about to call its function.
        for _ in 0..50 {
            yield_now().await;
        }
        assert_eq!(task.status().attempt as usize, attempt, "round {round}");
        assert!(begun.load(Ordering::SeqCst) <= attempt.max(before), "round {round}");
        let trigger = tokio::spawn({
            let task = task.clone();
            async move { task.trigger() }
        });
        let triggered = trigger.await.unwrap();
        timeout(FOREVER, async {
            while (task.status().attempt as usize) < attempt + usize::from(triggered) {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("a triggered attempt begins");
        assert!(task.resume());
        timeout(FOREVER, async {
            while (task.status().attempt as usize) < attempt + 3 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("it runs again after the pause");
        task.cancel().await?;
    }
    supervisor.shutdown().await
}

/// The completion of an attempt against a stop in a pause: it ends, or runs again after the pause.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t2_completion_against_pause_and_stop() -> Result {
    let supervisor = tests::supervisor();
    let (mut completed, mut told) = (0, 0);
    for round in 0..500 {
        // It stays so: an attempt that is told after its end runs again.
        let go = CancellationToken::new();
        let ends = go.clone();
        let task = TaskFn::arc("t", move |ctx: TaskContext| {
            let ends = ends.clone();
            async move { ctx.run_until_cancelled(ends.cancelled()).await.ok_or(TaskError::Canceled) }
        });
        let task = supervisor.add_task(TaskSpec::inherit(task)).await?;
        while task.status().attempt == 0 {
            yield_now().await;
        }
        let pause = tokio::spawn({
            let task = task.clone();
            async move { task.pause_and_stop() }
        });
        if round % 2 == 0 {
            std::thread::yield_now();
        }
        go.cancel();
        pause.await.unwrap();
        if task.resume() {
            told += 1;
        } else {
            completed += 1;
        }
        let outcome = timeout(FOREVER, task.outcome()).await.expect("it ends");
        assert!(outcome.is_completed(), "round {round}: {outcome}");
    }
    println!("{completed} completed before the pause, {told} did not");
    supervisor.shutdown().await
}
