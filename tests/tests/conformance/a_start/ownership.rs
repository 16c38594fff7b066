//! A12: the owners of a supervisor, and its state when they or its runtime are dropped.

use std::sync::Arc;
use std::time::Duration;

use taskvisor::{
    EventKind, RuntimeError, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskOutcome, TaskSpec, TaskState, Tree,
};
use tests::{OK, Script, Step, cooperative, deaf, recorded, secs, settle, supervisor};
use tokio::time::{Instant, sleep, timeout};

use super::{HANGS, current_thread, paused, poll_once, two_workers};

#[tokio::test(start_paused = true)]
async fn a12_dropping_the_future_of_run_stops_its_tasks() {
    let (supervisor, recorder) = recorded();
    let script = Script::new([Step::Wait]);

    let handle = tokio::select! {
        result = supervisor.run(vec![script.spec("daemon")]) => panic!("{result:?}"),
        handle = async {
            supervisor.wait_ready().await;
            supervisor.task("daemon").unwrap()
        } => handle,
    };

    let refused = supervisor.add_task(script.spec("late")).await;
    assert!(matches!(refused, Err(RuntimeError::ShuttingDown)), "{refused:?}");
    assert!(matches!(handle.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    assert!(supervisor.shutdown().await.is_ok());
    assert_eq!((script.attempts(), script.running()), (1, 0));
    assert_eq!(recorder.count(EventKind::AllStoppedWithinGrace), 1);
}

#[tokio::test(start_paused = true)]
async fn a12_a_future_of_run_that_was_never_polled_does_nothing() {
    let (supervisor, script) = (supervisor(), Script::new([OK]));

    drop(supervisor.run(vec![script.spec("never")]));
    settle().await;

    assert_eq!(script.attempts(), 0);
    assert!(supervisor.run(vec![script.spec("once")]).await.is_ok());
    assert_eq!(script.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn a12_dropping_the_last_owner_inside_a_runtime_cancels_all() -> Result<(), RuntimeError> {
    let (supervisor, script) = (supervisor(), Script::new([Step::Wait]));
    let start = Instant::now();
    let (other, handle) = (Arc::clone(&supervisor), supervisor.handle());
    let task = supervisor.add_task(script.spec("cooperative")).await?;
    let stuck = supervisor.add_task(deaf("deaf")).await?;
    let waits = supervisor.add_task(cooperative("waits").with_initial_delay(secs(100))).await?;

    drop(other);
    sleep(secs(1)).await;
    assert_eq!(script.running(), 1, "there is another owner");

    drop(supervisor);
    assert!(matches!(task.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    assert!(matches!(waits.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    assert_eq!((start.elapsed(), script.running()), (secs(1), 0));
    let refused = handle.add_task(script.spec("late")).await;
    assert!(matches!(refused, Err(RuntimeError::ShuttingDown)), "{refused:?}");

    assert!(matches!(stuck.outcome().await, TaskOutcome::Aborted { error: None }));
    assert_eq!(start.elapsed(), secs(61), "after the grace");
    assert!(handle.list_tasks().await.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a12_a_tree_and_its_supervisor_are_both_owners() -> Result<(), RuntimeError> {
    let script = Script::new([Step::Wait]);
    let tree = Tree::builder(SupervisorConfig::default()).task(script.spec("task")).build();
    tree.start().await?;
    let (child, supervisor) = (tree.child("task"), Arc::clone(tree.supervisor()));

    drop(tree);
    sleep(secs(1)).await;
    assert_eq!(child.status().map(|status| status.state), Some(TaskState::Running));

    drop(supervisor);
    sleep(secs(1)).await;
    assert!(child.status().is_none(), "the owner is gone, and what it remembered with it");
    assert_eq!(script.running(), 0);
    Ok(())
}

#[test]
fn a12_dropping_the_last_owner_outside_a_runtime_cancels_all() {
    drop(supervisor());
    drop(Tree::builder(SupervisorConfig::default()).task(cooperative("never_started")).build());

    let (supervisor, runtime) = (supervisor(), two_workers());
    let task = runtime.block_on(supervisor.add_task(cooperative("task"))).unwrap();
    drop(supervisor);
    let outcome = runtime.block_on(async { timeout(HANGS, task.outcome()).await });
    assert!(matches!(outcome, Ok(TaskOutcome::Canceled { error: None, .. })), "{outcome:?}");
}

#[test]
fn a12_dropping_the_last_owner_in_another_runtime_cancels_all() {
    let (supervisor, home, other) = (supervisor(), paused(), current_thread());
    let task = home.block_on(supervisor.add_task(cooperative("task"))).unwrap();

    other.block_on(async move { drop(supervisor) });
    drop(other);

    let outcome = home.block_on(async { timeout(secs(3600), task.outcome()).await });
    assert!(matches!(outcome, Ok(TaskOutcome::Canceled { error: None, .. })), "{outcome:?}");
}

#[test]
fn a12_a_runtime_that_goes_away_ends_its_tasks() {
    let (supervisor, runtime) = (supervisor(), current_thread());
    let running = Script::new([Step::Wait, OK]);
    let (task, waits, new) = runtime.block_on(async {
        let task = supervisor.add_task(running.spec("task")).await.unwrap();
        let waits = supervisor.add_task(cooperative("waits").with_initial_delay(secs(100))).await.unwrap();
        settle().await;
        (task, waits, supervisor.add_task(cooperative("never_polled")).await.unwrap())
    });
    assert_eq!(running.running(), 1);

    drop(runtime);

    for handle in [&task, &waits, &new] {
        assert!(matches!(poll_once(handle.outcome()), TaskOutcome::Aborted { error: None }), "{}", handle.name());
        assert_eq!(handle.status().state, TaskState::Ended);
    }
    assert_eq!((running.attempts(), running.running()), (1, 0));
    assert!(poll_once(supervisor.list_tasks()).is_empty());

    let again = current_thread().block_on(supervisor.run(vec![running.spec("task")]));
    assert!(again.is_ok(), "{again:?}");
    assert_eq!(running.attempts(), 2);
}

#[test]
fn a12_a_runtime_that_goes_away_under_run_leaves_nobody_waiting() {
    let (supervisor, runtime) = (supervisor(), two_workers());
    let script = Script::new([Step::Wait]);
    let spec = script.spec("task");
    let run = Arc::clone(&supervisor);
    runtime.spawn(async move { run.run(vec![spec]).await });
    runtime.block_on(supervisor.wait_ready());
    let task = supervisor.task("task").unwrap();

    drop(runtime);

    assert!(matches!(poll_once(task.outcome()), TaskOutcome::Aborted { error: None } | TaskOutcome::Canceled { .. }));
    assert_eq!(script.running(), 0);
    let _ = poll_once(supervisor.shutdown());
    poll_once(supervisor.wait_ready());
    drop(supervisor);
}

#[test]
fn a12_a_supervisor_that_outlives_its_runtime_still_tells_its_subscribers() {
    let (supervisor, recorder) = recorded();
    // The runtime is dropped before anything that was spawned on it has run.
    current_thread().block_on(async { supervisor.add_task(cooperative("first")).await.unwrap() });

    let runtime = paused();
    let lasted = runtime.block_on(async {
        let start = Instant::now();
        supervisor.run(vec![Script::new([OK]).spec("second")]).await.unwrap();
        start.elapsed()
    });

    assert_eq!(recorder.kinds_of("second").last(), Some(&EventKind::TaskRemoved));
    assert_eq!(lasted, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a12_dropping_handles_does_nothing() -> Result<(), RuntimeError> {
    let tree = Tree::builder(SupervisorConfig::default()).task(cooperative("declared")).build();
    tree.start().await?;
    let task = TaskFn::arc("added", |ctx: TaskContext| async move {
        drop((ctx.supervisor(), ctx.clone(), ctx.token()));
        ctx.cancelled().await;
        Err(TaskError::Canceled)
    });

    drop(tree.supervisor().add_task(TaskSpec::inherit(task)).await?);
    drop((tree.supervisor().handle(), tree.child("declared"), tree.child("declared").current()));
    drop(tree.child("declared").outcome());
    sleep(secs(10)).await;

    assert_eq!(tree.supervisor().snapshot(), ["added", "declared"]);
    drop(tree.shutdown());
    sleep(secs(1)).await;
    assert!(tree.supervisor().list_tasks().await.is_empty(), "a shutdown goes on whether it is awaited or not");
    Ok(())
}
