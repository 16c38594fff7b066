//! O21: added children survive a restart of their group, and a loss is told.

use std::sync::Arc;

use taskvisor::{
    Dynamic, EventKind, Group, Problem, RestartPolicy, RuntimeError, StopReason, SupervisorConfig, TaskContext, TaskFn,
    TaskOutcome, TaskSpec, TaskState, Tree,
};
use tests::{OK, Recorder, Script, Step, constant, cooperative, ms, secs, settle};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::journal::{Journal, Poke};

type Result = std::result::Result<(), RuntimeError>;

/// A group that fails with its child `a`, and restarts after 5 s.
fn failing(journal: &Journal) -> (Group, Poke) {
    let (a, poke) = journal.child("a");
    let group = Group::rest_for_one("g").with_limit(0, secs(60)).with_backoff(constant(secs(5)));
    (group.task(a), poke)
}

fn tree(group: Group) -> (Tree, Arc<Recorder>) {
    let recorder = Recorder::new();
    (Tree::builder(SupervisorConfig::default()).with_subscriber(recorder.clone()).group(group).build(), recorder)
}

fn reason(outcome: Option<TaskOutcome>) -> StopReason {
    match outcome {
        Some(TaskOutcome::Canceled { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn o21_a_group_that_restarts_registers_added_children_in_order() -> Result {
    let journal = Journal::new();
    let (group, poke) = failing(&journal);
    let [(x, _), (y, _), (z, _), (gone, _), (late, _)] = journal.children(["x", "y", "z", "gone", "late"]);
    let (tree, _) = tree(group);
    tree.start().await?;
    let group = tree.group("g");
    let x = group.add_task(x.with_max_retries(7)).await?;
    let done = group.add_task(Script::new([OK]).spec("done")).await?;
    let y = group.add_task(y).await?;
    let z = group.add_task(z).await?;
    let gone = group.add_task(gone).await?;
    assert!(done.outcome().await.is_completed());
    settle().await;
    assert!(z.cancel().await?, "this one is not to come back");
    journal.take();
    poke.fail();
    sleep(secs(2)).await;
    assert_eq!(group.status(), Some(TaskState::Backoff));
    let StopReason::GroupFailed { chain } = reason(x.try_outcome()) else { panic!() };
    assert_eq!(chain.to_string(), "`g/a` failed, `g` exceeded 0 restarts within 60s");
    assert_eq!(chain.error().unwrap().to_string(), "poked");
    // In the meantime their names are taken, and one can be withdrawn by name. Others come after them.
    assert!(matches!(group.add_task(cooperative("x")).await, Err(RuntimeError::TaskAlreadyExists { .. })));
    assert!(!gone.cancel().await? && tree.supervisor().cancel("g/gone").await?);
    assert!(!tree.supervisor().cancel("g/gone").await?);
    let late = group.add_task(late).await?;
    sleep(secs(9)).await;
    assert_eq!(journal.take(), ["-a", "-gone", "-y", "-x", "+a", "+x", "+y", "+late"]);
    let again = tree.supervisor().task("g/x").unwrap();
    assert!(again.id() != x.id() && again.spec().max_retries() == Some(7));
    assert_eq!((late.status().attempt, tree.health().is_ready()), (1, true));
    assert_eq!(tree.supervisor().list_tasks().await, ["g/a", "g/late", "g/x", "g/y"]);

    // By request too, any number of times.
    for _ in 0..3 {
        let y = tree.supervisor().task("g/y").unwrap();
        assert!(group.restart_and_wait().await);
        assert_eq!(reason(y.try_outcome()), StopReason::GroupStopped);
        assert_eq!(journal.take(), ["-late", "-y", "-x", "-a", "+a", "+x", "+y", "+late"]);
    }
    drop(y);
    tree.shutdown().await?;
    assert_eq!(journal.take(), ["-late", "-y", "-x", "-a"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o21_dropped_as_in_otp_if_the_group_says_so() -> Result {
    let journal = Journal::new();
    let (group, poke) = failing(&journal);
    let (tree, _) = tree(group.with_dynamic(Dynamic::Drop));
    tree.start().await?;
    let group = tree.group("g");
    let (sender, mut receiver) = mpsc::channel::<()>(1);
    let task = TaskFn::arc("x", move |ctx: TaskContext| {
        let _kept = &sender;
        async move {
            ctx.cancelled().await;
            Ok(())
        }
    });
    let x = group.add_task(TaskSpec::inherit(task)).await?;
    settle().await;
    poke.fail();
    assert!(matches!(reason(Some(x.outcome().await)), StopReason::GroupFailed { .. }));
    assert_eq!(receiver.try_recv(), Err(mpsc::error::TryRecvError::Disconnected), "its fields are dropped");
    let x = group.add_task(cooperative("x")).await?;
    sleep(secs(10)).await;
    assert_eq!(x.status().state, TaskState::Running);
    assert!(group.restart_and_wait().await);
    assert_eq!(tree.supervisor().list_tasks().await, ["g/a"]);
    tree.shutdown().await
}

/// An outer group that restarts registers its inner groups anew, with what was added to them.
#[tokio::test(start_paused = true)]
async fn o21_in_nested_groups_too() -> Result {
    let journal = Journal::new();
    let (group, poke) = failing(&journal);
    let deep = Group::one_for_one("deep").task(cooperative("b"));
    let (tree, _) = tree(group.group(Group::one_for_all("inner").group(deep)));
    tree.start().await?;
    let deep = tree.group("g/inner/deep");
    settle().await;
    for name in ["x", "y"] {
        deep.add_task(cooperative(name)).await?;
    }
    let lost = tree.group("g/inner").add_task(cooperative("z")).await?;
    settle().await;
    let all = ["g/a", "g/inner/deep/b", "g/inner/deep/x", "g/inner/deep/y", "g/inner/z"];
    for _ in 0..2 {
        poke.fail();
        sleep(secs(30)).await;
        assert_eq!(tree.supervisor().list_tasks().await, all);
        assert!(tree.health().is_ready(), "{:?}", tree.health());
        assert!(tree.group("g").restart_and_wait().await);
        assert!(tree.group("g/inner").restart_and_wait().await);
        assert_eq!(tree.supervisor().list_tasks().await, all);
    }
    assert!(matches!(reason(lost.try_outcome()), StopReason::GroupFailed { .. }));
    // A group that is stopped for good takes them along.
    assert!(tree.group("g/inner").cancel().await?);
    assert!(tree.group("g").restart_and_wait().await);
    assert_eq!(tree.supervisor().list_tasks().await, ["g/a", "g/inner/deep/b"]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o21_what_is_lost_with_its_group_says_so() -> Result {
    let journal = Journal::new();
    let (group, poke) = failing(&journal);
    let (tree, recorder) = tree(group.with_restart(RestartPolicy::Never).not_critical());
    tree.start().await?;
    let value = Arc::new(());
    let held = Arc::clone(&value);
    let x = TaskFn::arc("x", move |ctx: TaskContext| {
        let kept = Arc::clone(&held);
        async move {
            ctx.cancelled().await;
            drop(kept);
            Ok(())
        }
    });
    let x = tree.group("g").add_task(TaskSpec::inherit(x)).await?;
    settle().await;
    poke.fail();
    let StopReason::GroupFailed { chain } = reason(Some(x.outcome().await)) else { panic!() };
    assert_eq!(chain.links().last().unwrap().path, "g");
    tree.group("g").outcome().await;
    settle().await;
    assert_eq!(Arc::strong_count(&value), 1, "its fields are dropped");
    let told: Vec<_> = recorder.seen().into_iter().filter(|seen| seen.task.as_deref() == Some("g/x")).collect();
    let stopped = told.iter().find(|seen| seen.kind == EventKind::TaskStopped).unwrap();
    assert!(matches!(stopped.stop, Some(StopReason::GroupFailed { .. })));
    let lost = told.iter().find(|seen| seen.kind == EventKind::Warning).unwrap();
    assert_eq!(lost.id, Some(x.id()));
    assert!(lost.reason.as_ref().unwrap().starts_with("lost with its group: `g/a` failed (poked)"), "{lost:?}");
    let health = tree.health();
    let of = |path: &str| health.not_ready.iter().find(|it| it.path == path).map(|it| it.problem.clone());
    assert_eq!((of("g/x"), of("g")), (Some(Problem::Failed), Some(Problem::Failed)));
    assert!(tree.group("g").child("x").acknowledge());
    assert!(tree.supervisor().acknowledge("g") && tree.health().is_ready());
    tree.shutdown().await
}

/// A restart of siblings is none of the group: added children keep their registration.
#[tokio::test(start_paused = true)]
async fn o21_a_sibling_restart_keeps_the_registration() -> Result {
    let bad = Script::new([Step::Fail(secs(1)), Step::Wait]);
    let group = Group::one_for_all("g").task(bad.spec("a").with_backoff(constant(ms(1))));
    let (tree, _) = tree(group);
    tree.start().await?;
    let x = tree.group("g").add_task(cooperative("x")).await?;
    sleep(secs(10)).await;
    assert_eq!((x.status().state, x.status().attempt), (TaskState::Running, 2));
    tree.shutdown().await
}

/// Additions, withdrawals, restarts of the group and of the group around it, failures and a shutdown, at the same time.
async fn race(rounds: u64) -> Result {
    for round in 0..rounds {
        let mut random = fastrand::Rng::with_seed(round);
        let crash = TaskFn::arc("a", |ctx: TaskContext| async move {
            tokio::task::yield_now().await;
            if ctx.attempt() % 2 == 1 {
                return Err(taskvisor::TaskError::Fail { reason: "x".into() });
            }
            ctx.cancelled().await;
            Ok(())
        });
        let inner = [Group::one_for_one, Group::one_for_all, Group::rest_for_one][random.usize(0..3)]("inner")
            .with_limit(0, secs(1))
            .with_backoff(constant(ms(1)))
            .task(TaskSpec::inherit(crash).with_backoff(constant(ms(1))));
        let group = Group::one_for_all("g").task(cooperative("b")).group(inner);
        let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
        tree.start().await?;
        let group = tree.group("g/inner");
        let users = (0..3).map(|user| {
            let (group, supervisor, mut random) = (group.clone(), tree.supervisor().handle(), random.fork());
            tokio::spawn(async move {
                for n in 0..random.u32(1..6) {
                    let name = format!("{user}-{n}");
                    let _ = group.add_task(cooperative(&name)).await;
                    if random.bool() {
                        tokio::task::yield_now().await;
                    }
                    if random.bool() {
                        let _ = supervisor.cancel(&format!("g/inner/{name}")).await;
                    }
                    match random.u8(0..6) {
                        0 => drop(group.restart()),
                        1 => drop(supervisor.group("g").restart()),
                        2 => drop(group.reconcile([cooperative("r")]).await),
                        _ => {}
                    }
                }
            })
        });
        let users: Vec<_> = users.collect();
        if random.bool() {
            for user in users {
                user.await.unwrap();
            }
        }
        tree.shutdown().await?;
        assert!(tree.supervisor().list_tasks().await.is_empty());
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o21_races_on_one_thread() -> Result {
    race(2_000).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o21_races_on_two_threads() -> Result {
    race(2_000).await
}
