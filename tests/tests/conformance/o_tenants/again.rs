//! O24: a declared place whose task has ended is started again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use taskvisor::{
    EventKind, Group, Ready, RestartPolicy, RuntimeError, SupervisorConfig, TaskContext, TaskError, TaskFn,
    TaskOutcome, TaskSpec, TaskState, Tree, task,
};
use tests::{FAIL, OK, Recorder, Script, Step, constant, cooperative, ms, secs, settle};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::journal::Journal;

type Result = std::result::Result<(), RuntimeError>;

#[task]
async fn migrate() {}

fn never(spec: TaskSpec) -> TaskSpec {
    spec.with_restart(RestartPolicy::Never)
}

/// A task that fails for good at its first attempt, and then runs.
fn fails_once(name: &str) -> TaskSpec {
    never(Script::new([FAIL, Step::Wait]).spec(name))
}

#[tokio::test(start_paused = true)]
async fn o24_a_place_starts_again_and_everything_follows() -> Result {
    for in_group in [false, true] {
        let recorder = Recorder::new();
        let sibling = Script::new([Step::Wait]);
        let (root, path) = (Tree::builder(SupervisorConfig::default()).with_subscriber(recorder.clone()), "x");
        let (tree, path) = if in_group {
            let group = Group::one_for_all("g").task(sibling.spec("a")).task(fails_once("x"));
            (root.group(group.task(sibling.spec("b"))).build(), format!("g/{path}"))
        } else {
            (root.task(sibling.spec("a")).task(fails_once("x")).task(sibling.spec("b")).build(), path.to_owned())
        };
        let place = tree.child(&path);
        assert!(!place.restart(), "the tree has not started");
        tree.start().await?;
        settle().await;
        let first = place.current().unwrap();
        assert!(matches!(first.outcome().await, TaskOutcome::Failed { .. }));
        let siblings = |attempts| assert_eq!((sibling.attempts(), sibling.running()), (attempts, 2));
        siblings(2);
        let health = tree.health();
        assert_eq!(health.not_ready.iter().map(|it| &*it.path).collect::<Vec<_>>(), [&*path]);
        assert!(!first.restart(), "a handle is of one registration");

        assert!(place.restart());
        let second = place.current().unwrap();
        assert!(first.id() != second.id() && second.path() == path);
        settle().await;
        let status = place.status().unwrap();
        assert_eq!((status.state, status.attempt, status.failures), (TaskState::Running, 1, 0));
        assert!(status.last_error.is_none() && tree.health().is_ready());
        let text = tree.snapshot().to_string();
        assert!(!text.contains("failure 1"), "{text}");
        siblings(2);
        let added = recorder.kinds_of(&path).into_iter().filter(|kind| *kind == EventKind::TaskAdded).count();
        assert_eq!(added, 2);
        assert!(place.cancel().await?);
        assert!(place.restart(), "and again");
        settle().await;
        assert_eq!(place.status().unwrap().state, TaskState::Running);
        tree.shutdown().await?;
        assert!(!place.restart());
        assert_eq!(place.status().unwrap().state, TaskState::Ended);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o24_an_added_task_has_no_place_and_a_place_without_a_tree_is_none() -> Result {
    let tree = Tree::builder(SupervisorConfig::default()).group(Group::one_for_one("g").task(cooperative("a"))).build();
    tree.start().await?;
    let x = tree.group("g").add_task(Script::new([OK]).spec("x")).await?;
    x.outcome().await;
    assert!(!tree.child("g/x").restart() && !tree.child("nothing").restart() && !tree.child("g").restart());
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o24_a_child_comes_back_in_its_order_and_counts_again() -> Result {
    let journal = Journal::new();
    let [(a, to_a), (b, to_b), (c, _)] = journal.children(["a", "b", "c"]);
    let group = Group::rest_for_one("g").task(a).task(b.with_ready(Ready::Signal)).task(c);
    let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
    tree.start().await?;
    settle().await;
    to_b.ready();
    settle().await;
    assert_eq!(journal.take(), ["+a", "+b", "+c"]);
    // given b has ended
    assert!(tree.child("g/b").cancel().await?);
    assert_eq!(journal.take(), ["-b"]);
    // when it is started again: c goes on
    assert!(tree.child("g/b").restart());
    settle().await;
    assert_eq!(journal.take(), ["+b"]);
    // then a failure before b is ready restarts both, one after the other
    to_a.fail();
    sleep(secs(3)).await;
    assert_eq!(journal.take(), ["-a", "-c", "-b", "+a", "+b"]);
    to_b.ready();
    settle().await;
    assert_eq!(journal.take(), ["+c"]);
    // and the stop waits for it, in order
    tree.shutdown().await?;
    assert_eq!(journal.take(), ["-c", "-b", "-a"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o24_a_critical_child_that_came_back_can_fail_its_group_again() -> Result {
    let script = Script::new([OK, Step::Fail(ms(10))]);
    let group = Group::one_for_one("g").with_restart(RestartPolicy::Never).not_critical();
    let group = group.task(cooperative("a")).task(never(script.spec("x")).critical());
    let tree = Tree::builder(SupervisorConfig::default()).group(group).task(cooperative("b")).build();
    tree.start().await?;
    settle().await;
    assert!(tree.child("g/x").restart());
    let outcome = tree.group("g").outcome().await.unwrap();
    assert!(outcome.to_string().contains("failure 2"), "{outcome}");
    assert!(!tree.child("g/x").restart(), "its group has ended");
    tree.shutdown().await
}

/// The fields of a completed child of the root are dropped, so that a channel closes. Those of one that failed are kept
/// until the shutdown.
#[tokio::test(start_paused = true)]
async fn o24_fields_are_dropped_after_success_and_at_the_shutdown() -> Result {
    for fails in [false, true] {
        let (sender, mut receiver) = mpsc::channel::<()>(1);
        let task = TaskFn::arc("x", move |_: TaskContext| {
            let kept = sender.clone();
            async move {
                drop(kept);
                if fails { Err(TaskError::Fatal { reason: "x".into() }) } else { Ok(()) }
            }
        });
        let drain = TaskFn::arc("drain", |ctx: TaskContext| async move {
            ctx.cancelled().await;
            sleep(secs(1)).await;
            Ok(())
        });
        let tree = Tree::builder(SupervisorConfig::default()).task(drain).task(TaskSpec::inherit(task)).build();
        tree.start().await?;
        settle().await;
        let closed =
            |receiver: &mut mpsc::Receiver<()>| receiver.try_recv() == Err(mpsc::error::TryRecvError::Disconnected);
        assert_eq!(closed(&mut receiver), !fails);
        assert_eq!(tree.child("x").restart(), fails);
        settle().await;
        let shutdown = tree.shutdown();
        assert!(closed(&mut receiver), "from the request on");
        shutdown.await?;
        assert!(!tree.child("x").restart());
    }
    let tree = Tree::builder(SupervisorConfig::default()).task(migrate {}).task(cooperative("a")).build();
    tree.start().await?;
    settle().await;
    assert!(tree.child("migrate").restart(), "it has no fields to drop");
    assert!(tree.child("migrate").outcome().await.unwrap().is_completed());
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o24_the_handle_of_a_tree_that_is_gone_keeps_nothing() -> Result {
    let value = Arc::new(());
    let held = Arc::clone(&value);
    let task = TaskFn::arc("x", move |_: TaskContext| {
        let reason = format!("x{:?}", *held);
        async { Err(TaskError::Fatal { reason }) }
    });
    let tree = Tree::builder(SupervisorConfig::default()).task(TaskSpec::inherit(task)).build();
    tree.start().await?;
    let handle = tree.child("x").current().unwrap();
    handle.outcome().await;
    settle().await;
    assert_eq!(Arc::strong_count(&value), 2);
    drop(tree);
    settle().await;
    assert_eq!(Arc::strong_count(&value), 1);
    drop(handle);
    Ok(())
}

/// While the group waits for its next run, the run starts the task. In `one_for_one` with a limit the group decides.
#[tokio::test(start_paused = true)]
async fn o24_not_while_the_group_waits_for_its_run() -> Result {
    let crash = Script::new([Step::Wait, Step::Wait]);
    let journal = Journal::new();
    let (boom, poke) = journal.child("boom");
    let group = Group::one_for_all("g").with_limit(0, secs(60)).with_backoff(constant(secs(5)));
    let tree = Tree::builder(SupervisorConfig::default()).group(group.task(boom).task(crash.spec("x"))).build();
    tree.start().await?;
    settle().await;
    assert!(tree.child("g/x").cancel().await?);
    poke.fail();
    sleep(secs(1)).await;
    assert_eq!(tree.group("g").status(), Some(TaskState::Backoff));
    assert!(!tree.child("g/x").restart());
    sleep(secs(9)).await;
    assert_eq!((crash.attempts(), crash.running()), (2, 1));
    tree.shutdown().await
}

/// Ends of a place, restarts of it, restarts and failures of its group, and a shutdown, all at the same time. There is
/// at most one attempt at the place, each registration ends, and a restart that was accepted is followed by an attempt
/// unless something stops it.
async fn race(rounds: usize) -> Result {
    for round in 0..rounds {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counts = (Arc::clone(&running), Arc::clone(&most));
        let task = TaskFn::arc("x", move |_: TaskContext| {
            let (running, most) = counts.clone();
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                running.fetch_sub(1, Ordering::SeqCst);
                Err::<(), _>(TaskError::Fatal { reason: "x".into() })
            }
        });
        let mut x = TaskSpec::inherit(task);
        if round % 4 == 3 {
            x = x.critical();
        }
        let group = [Group::one_for_one, Group::one_for_all, Group::rest_for_one][round % 3]("g");
        let group = group.with_backoff(constant(ms(1))).not_critical().task(cooperative("a")).task(x);
        let tree = Arc::new(Tree::builder(SupervisorConfig::default()).group(group).task(cooperative("b")).build());
        tree.start().await?;
        let restarts = (0..3).map(|_| {
            let place = tree.child("g/x");
            tokio::spawn(async move {
                for _ in 0..10 {
                    if let Some(task) = place.current() {
                        task.outcome().await;
                    }
                    place.restart();
                    tokio::task::yield_now().await;
                }
            })
        });
        let restarts: Vec<_> = restarts.collect();
        if round % 2 == 0 {
            tree.group("g").restart();
        }
        if round % 5 != 0 {
            for restart in restarts {
                restart.await.unwrap();
            }
        }
        tree.shutdown().await?;
        assert!(tree.supervisor().list_tasks().await.is_empty());
        assert_eq!(running.load(Ordering::SeqCst), 0);
        assert!(most.load(Ordering::SeqCst) <= 1);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o24_races_on_one_thread() -> Result {
    race(2_000).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o24_races_on_two_threads() -> Result {
    race(2_000).await
}
