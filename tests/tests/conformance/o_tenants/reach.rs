//! O27: from within a task, any group and child is reached, and an end is waited for without a request.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskvisor::{
    Group, Ready, RuntimeError, Supervisor, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec, TaskState, Tree,
};
use tests::{FAIL, OK, Script, Step, constant, cooperative, secs, settle, supervisor};
use tokio::time::{Instant, sleep, timeout};

type Result = std::result::Result<(), RuntimeError>;

#[tokio::test(start_paused = true)]
async fn o27_a_task_reaches_groups_children_and_the_snapshot() -> Result {
    let seen = Arc::new(Mutex::new(None));
    let told = Arc::clone(&seen);
    let look = TaskFn::arc("look", move |ctx: TaskContext| {
        let told = Arc::clone(&told);
        async move {
            let supervisor = ctx.supervisor();
            settle().await;
            let store = supervisor.group("store");
            assert_eq!((store.status(), store.child("pool").path()), (Some(TaskState::Running), "store/pool"));
            let pool = supervisor.child("store/pool");
            assert_eq!(pool.status().map(|status| status.state), Some(TaskState::Running));
            store.add_task(cooperative("extra")).await.map_err(TaskError::error)?;
            supervisor.add_task(cooperative("beside")).await.map_err(TaskError::error)?;
            *told.lock().unwrap() = Some(supervisor.tree());
            Ok(())
        }
    });
    let tree = Tree::builder(SupervisorConfig::default())
        .with_name("app")
        .group(Group::rest_for_one("store").task(cooperative("pool")))
        .task(TaskSpec::inherit(look))
        .build();
    tree.start().await?;
    assert!(tree.child("look").outcome().await.unwrap().is_completed());
    let snapshot = seen.lock().unwrap().take().unwrap();
    assert_eq!(snapshot.root.name, "app");
    let names =
        |children: &[taskvisor::NodeSnapshot]| children.iter().map(|node| node.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&snapshot.root.children), ["store", "look", "beside"]);
    assert_eq!(names(&snapshot.root.children[0].children), ["pool", "extra"]);
    let handle = tree.supervisor().handle();
    assert_eq!(handle.tree().root.children.len(), tree.snapshot().root.children.len());
    tree.shutdown().await?;
    drop(tree);
    assert!(handle.tree().root.children.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o27_wait_ends_with_the_run_or_the_shutdown_and_asks_for_nothing() -> Result {
    let tree = Tree::builder(SupervisorConfig::default()).task(Script::new([Step::Succeed(secs(5))]).spec("a")).build();
    tree.start().await?;
    let start = Instant::now();
    let handle = tree.supervisor().handle();
    let (run, wait) = tokio::join!(tree.run(), handle.wait());
    run?;
    wait?;
    assert_eq!(start.elapsed(), secs(5));
    assert!(tree.supervisor().add_task(cooperative("x")).await.is_ok(), "nothing was asked for");

    assert!(timeout(secs(100), handle.wait()).await.is_err());
    let waits = tokio::spawn(async move { handle.wait().await });
    settle().await;
    tree.shutdown().await?;
    waits.await.unwrap()?;

    // The failure of a tree is the result for each that waits.
    let bad = Script::new([Step::Fail(secs(1))]).spec("bad").with_max_retries(0).critical();
    let tree = Tree::builder(SupervisorConfig::default()).task(bad).build();
    tree.start().await?;
    let error = tree.supervisor().wait().await.unwrap_err();
    assert!(matches!(error, RuntimeError::Failed { .. }), "{error}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o27_a_task_that_waits_for_the_end_hears_of_the_shutdown() -> Result {
    let supervisor = supervisor();
    let task = TaskFn::arc("x", |ctx: TaskContext| async move {
        let ended = ctx.supervisor().wait().await;
        assert!(matches!(ended, Err(RuntimeError::ShuttingDown)));
        Ok(())
    });
    let task = supervisor.add_task(TaskSpec::inherit(task)).await?;
    sleep(secs(100)).await;
    assert_eq!(task.status().state, TaskState::Running);
    supervisor.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o27_restart_and_wait_is_until_the_new_attempt_is_ready() -> Result {
    let supervisor = supervisor();
    let task = TaskFn::arc("x", |ctx: TaskContext| async move {
        sleep(secs(u64::from(ctx.attempt()))).await;
        if ctx.attempt() == 2 {
            return Err(TaskError::Fail { reason: "not yet".into() });
        }
        ctx.ready();
        ctx.cancelled().await;
        Ok(())
    });
    let spec = TaskSpec::inherit(task).with_ready(Ready::Signal).with_backoff(constant(secs(1)));
    let x = supervisor.add_task(spec).await?;
    sleep(secs(5)).await;
    let start = Instant::now();
    assert!(x.restart_and_wait().await);
    assert_eq!((start.elapsed(), x.status().attempt), (secs(2 + 1 + 3), 3), "the second failed before it was ready");
    x.cancel().await?;
    assert!(!x.restart_and_wait().await);
    // The task ends before it is ready.
    let spec = Script::new([Step::Wait, FAIL]).spec("y").with_ready(Ready::Signal).with_max_retries(0);
    let y = supervisor.add_task(spec).await?;
    settle().await;
    assert!(!y.restart_and_wait().await);
    // Its completion is its readiness.
    let z = supervisor.add_task(Script::new([Step::Wait, OK]).spec("z").with_ready(Ready::Completed)).await?;
    settle().await;
    assert!(z.restart_and_wait().await);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o27_a_task_that_restarts_itself_does_not_wait() -> Result {
    let supervisor = supervisor();
    let task = TaskFn::arc("x", |ctx: TaskContext| async move {
        if ctx.attempt() == 1 {
            let me = ctx.supervisor().task("x").unwrap();
            assert!(me.restart_and_wait().await);
            assert!(ctx.is_cancelled());
        }
        ctx.cancelled().await;
        Ok(())
    });
    let x = supervisor.add_task(TaskSpec::inherit(task)).await?;
    settle().await;
    assert_eq!(x.status().attempt, 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o27_a_place_and_a_group_are_waited_for_too() -> Result {
    let slow = || {
        TaskSpec::inherit(TaskFn::arc("a", |ctx: TaskContext| async move {
            sleep(secs(3)).await;
            ctx.ready();
            ctx.cancelled().await;
            Ok(())
        }))
        .with_ready(Ready::Signal)
    };
    let tree = Tree::builder(SupervisorConfig::default()).group(Group::one_for_all("g").task(slow())).build();
    tree.start().await?;
    tree.wait_ready().await;
    let (group, place) = (tree.group("g"), tree.child("g/a"));
    let (start, first) = (Instant::now(), place.current().unwrap().id());
    assert!(group.restart_and_wait().await);
    assert_eq!(start.elapsed(), secs(3));
    let second = place.current().unwrap().id();
    assert_ne!(first, second);
    assert!(place.restart_and_wait().await);
    assert_eq!((start.elapsed(), place.current().unwrap().id()), (secs(6), second));
    assert!(place.cancel().await?);
    // A group whose children have all ended is over.
    assert!(!place.restart_and_wait().await && !group.restart_and_wait().await);
    assert!(!tree.group("").restart_and_wait().await);
    tree.shutdown().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o27_no_readiness_is_missed_on_two_threads() -> Result {
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    let task = TaskFn::arc("x", |ctx: TaskContext| async move {
        tokio::task::yield_now().await;
        ctx.ready();
        ctx.cancelled().await;
        Ok(())
    });
    let x = supervisor.add_task(TaskSpec::inherit(task).with_ready(Ready::Signal)).await?;
    for _ in 0..3_000 {
        assert!(timeout(Duration::from_secs(60), x.restart_and_wait()).await.unwrap());
    }
    supervisor.shutdown().await
}
