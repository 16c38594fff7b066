//! Stops and shutdowns of what is paused.

use taskvisor::{Group, RestartPolicy, StopReason, SupervisorConfig, TaskOutcome, TaskSpec, TaskState, Tree};
use tests::{FAIL, OK, Script, Step, constant, cooperative, secs, settle, supervisor};
use tokio::time::{Instant, advance};

use super::{Result, started, state};

#[tokio::test(start_paused = true)]
async fn t2_a_shutdown_ends_a_paused_task_at_once_without_a_final_attempt() -> Result {
    let script = Script::new([FAIL]);
    let task = |name: &str| script.spec(name).with_backoff(constant(secs(10))).with_final_attempt();
    let (tree, _) = started(|tree| tree.task(task("due")).task(task("waits"))).await?;
    assert!(tree.child("waits").pause() && tree.child("due").pause() && tree.child("due").restart());
    settle().await;
    assert_eq!((state(&tree, "due"), state(&tree, "waits")), (TaskState::Paused, TaskState::Backoff));
    let start = Instant::now();
    tree.shutdown().await?;
    assert_eq!((start.elapsed(), script.attempts()), (secs(0), 2));
    for path in ["due", "waits"] {
        let outcome = tree.child(path).outcome().await;
        assert!(matches!(outcome, Some(TaskOutcome::Canceled { reason: StopReason::Shutdown, .. })), "{outcome:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t2_a_drain_does_not_wait_for_what_is_paused() -> Result {
    let config = SupervisorConfig { drain: secs(60), ..SupervisorConfig::default() };
    let slow = Script::new([Step::Succeed(secs(5))]);
    let again = Script::new([Step::Fail(secs(5))]);
    let group = Group::one_for_all("g").with_limit(9, secs(60)).task(again.spec("again"));
    let fresh = Group::one_for_one("fresh").fresh(|| async { Ok::<_, String>([cooperative("c")]) }).with_paused(true);
    let tree = Tree::builder(config)
        .task(cooperative("rests").with_paused(true))
        .task(slow.spec("ends"))
        .group(group)
        .group(fresh)
        .build();
    tree.start().await?;
    settle().await;
    assert!(tree.child("ends").pause() && tree.group("g").pause());
    let start = Instant::now();
    // The attempts that run go on, as in any drain. Then nothing is left that could run.
    tree.shutdown().await?;
    assert_eq!(start.elapsed(), secs(5));
    assert_eq!((slow.attempts(), again.attempts()), (1, 1));
    assert!(matches!(tree.child("ends").outcome().await, Some(TaskOutcome::Completed)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t2_a_paused_task_is_canceled_and_removed_at_once() -> Result {
    let supervisor = supervisor();
    let script = Script::new([OK]);
    let spec = |name: &str| -> TaskSpec { script.spec(name).with_paused(true) };
    let canceled = supervisor.add_task(spec("a")).await?;
    let removed = supervisor.add_task(spec("b")).await?;
    settle().await;
    assert!(canceled.cancel().await?);
    assert!(supervisor.remove_task("b").await.is_ok());
    assert!(matches!(removed.outcome().await, TaskOutcome::Canceled { reason: StopReason::Removed, .. }));
    assert_eq!(script.attempts(), 0);
    supervisor.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_a_stop_outranks_a_pause() -> Result {
    let (tree, _) = started(|tree| tree.task(cooperative("t"))).await?;
    let task = tree.child("t");
    let cancel = {
        let task = task.clone();
        tokio::spawn(async move { task.cancel().await })
    };
    tokio::task::yield_now().await;
    task.pause_and_stop();
    cancel.await.unwrap()?;
    assert!(matches!(task.outcome().await, Some(TaskOutcome::Canceled { reason: StopReason::Canceled, .. })));
    advance(secs(1)).await;
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_a_stop_of_what_is_paused_outranks_an_earlier_trigger() -> Result {
    let script = Script::new([Step::Wait]);
    let task = script.spec("t").with_restart(RestartPolicy::Always { interval: Some(secs(60)) }).with_paused(true);
    let (tree, _) = started(|tree| tree.task(task)).await?;
    let task = tree.child("t");
    // The first begins an attempt; the second makes one more due.
    assert!(task.trigger());
    settle().await;
    assert!(task.trigger() && task.pause_and_stop());
    settle().await;
    assert_eq!((script.attempts(), state(&tree, "t")), (1, TaskState::Paused));
    tree.shutdown().await
}
