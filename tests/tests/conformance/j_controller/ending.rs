//! The end of a supervisor, and of a runtime, while queues are not empty.

use std::sync::Arc;

use taskvisor::{ControllerError, ControllerSpec, EventKind, RuntimeError, SupervisorConfig, TaskState};
use tests::{OK, Script, Step, cooperative, deaf, recorded, secs, settle, supervisor};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use super::{Result, controlled, controlled_with, end_of, ends_of, queue_all, queued, surely};

#[tokio::test(start_paused = true)]
async fn j05_shutdown_resolves_every_queued_submission_and_run_returns() -> Result {
    // given queues in many slots, and one submission that replaces
    let (supervisor, recorder) = controlled(1024, 100);
    let (mut owners, mut waiting) = (Vec::new(), Vec::new());
    for n in 0..10 {
        let slot = supervisor.slot(&n.to_string());
        owners.push(slot.queue(deaf(slot.name()).with_stop_timeout(secs(1))).await?);
        waiting.extend(queue_all(&slot, &cooperative("x"), 5).await?);
    }
    let run = tokio::spawn({
        let supervisor = Arc::clone(&supervisor);
        async move { supervisor.run(vec![cooperative("declared")]).await }
    });
    settle().await;
    waiting.push(supervisor.slot("3").replace(cooperative("x")).await?);
    // when
    let shutdown = supervisor.shutdown();
    // then they are rejected at once, in the order of submission
    assert!(waiting.iter().all(|handle| handle.status().state == TaskState::Ended));
    assert!(ends_of(&waiting).await.iter().all(|end| *end == "shutting_down"));
    assert_eq!(waiting[0].outcome().await.to_string(), "rejected: the supervisor is shutting down");
    let error = shutdown.await.unwrap_err();
    assert!(matches!(error, RuntimeError::GraceExceeded { .. }), "{error}");
    assert_eq!(ends_of(&owners).await, ["aborted"; 10]);
    assert_eq!(run.await.unwrap().unwrap_err().to_string(), error.to_string());
    let rejected = recorder.seen().into_iter().filter(|seen| seen.kind == EventKind::ControllerRejected);
    assert!(rejected.map(|seen| seen.id.unwrap()).eq(super::ids(&waiting)));
    assert!((0..10).all(|n| supervisor.slot(&n.to_string()).is_idle()));
    Ok(())
}

/// A submission from before the shutdown may start as long as the drain lasts; then those that wait are rejected.
#[tokio::test(start_paused = true)]
async fn j05_a_drain_lets_the_queue_go_on_and_rejects_what_waits_when_it_is_over() -> Result {
    let config = SupervisorConfig { drain: secs(10), ..SupervisorConfig::default() };
    let (supervisor, _) = controlled_with(config, 1024, 100);
    let slot = supervisor.slot("s");
    let script = Script::new([Step::Succeed(secs(4))]);
    let handles = queue_all(&slot, &script.spec("x"), 4).await?;
    let other = supervisor.slot("t").queue(cooperative("y")).await?;
    let start = Instant::now();
    let shutdown = supervisor.shutdown();
    assert!(matches!(slot.submit(cooperative("x")).await, Err(ControllerError::ShuttingDown)), "it is not declared");
    assert_eq!((end_of(&handles[1]).await, start.elapsed()), ("completed", secs(8)));
    assert_eq!((end_of(&handles[3]).await, start.elapsed()), ("shutting_down", secs(10)));
    assert_eq!((end_of(&other).await, start.elapsed()), ("canceled", secs(10)));
    shutdown.await?;
    assert_eq!(ends_of(&handles).await, ["completed", "completed", "canceled", "shutting_down"]);
    assert!(slot.is_idle());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j05_dropping_the_supervisor_resolves_all() -> Result {
    let (supervisor, recorder) = recorded();
    let slot = supervisor.slot("s");
    let owner = slot.queue(cooperative("x")).await?;
    let waiting = queue_all(&slot, &cooperative("x"), 5).await?;
    settle().await;
    drop(supervisor);
    assert_eq!(ends_of(&waiting).await, ["shutting_down"; 5]);
    assert_eq!(end_of(&owner).await, "canceled");
    assert!(matches!(slot.submit(cooperative("x")).await, Err(ControllerError::ShuttingDown)));
    assert_eq!(slot.cancel_all().await?, 0);
    settle().await;
    assert_eq!(recorder.count(EventKind::TaskStarting), 1);
    Ok(())
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Drops the runtime of 10,000 submissions that wait in one slot.
fn drop_a_runtime_with(spawned: Runtime) {
    const LONG: usize = 10_000;
    // given
    let (supervisor, recorder) = controlled(LONG, LONG);
    let slot = supervisor.slot("s");
    let script = Script::new([Step::Wait]);
    let (owner, waiting) = spawned.block_on(async {
        let owner = slot.queue(script.spec("x")).await.unwrap();
        settle().await;
        (owner, queue_all(&slot, &script.spec("x"), LONG).await.unwrap())
    });
    let other = runtime();
    let waits = other.spawn({
        let last = waiting[LONG - 1].clone();
        async move { last.outcome().await }
    });
    // when
    drop(spawned);
    // then none is left, and none has run
    other.block_on(async {
        assert_eq!(end_of(&owner).await, "aborted");
        for end in ends_of(&waiting).await {
            assert_eq!(end, "aborted");
        }
        surely(waits).await.unwrap();
        assert!(slot.is_idle());
        assert_eq!(script.attempts(), 1);
        // and the slot and the supervisor can be used again
        assert_eq!(end_of(&slot.queue(Script::new([OK]).spec("x")).await.unwrap()).await, "completed");
        surely(supervisor.run(vec![Script::new([OK]).spec("y")])).await.unwrap();
        surely(supervisor.shutdown()).await.unwrap();
    });
    let last = recorder.seen().into_iter().rev().find(|seen| seen.id == Some(owner.id()));
    assert!(last.is_some());
}

#[test]
fn j05_dropping_a_current_thread_runtime_with_a_long_queue_resolves_all() {
    drop_a_runtime_with(runtime());
}

#[test]
fn j05_dropping_a_multi_thread_runtime_with_a_long_queue_resolves_all() {
    drop_a_runtime_with(Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());
}

#[test]
fn j05_those_submitted_from_another_runtime_start_when_the_owners_runtime_is_dropped() {
    let supervisor = supervisor();
    let slot = supervisor.slot("s");
    let (doomed, lives) = (runtime(), runtime());
    let script = Script::new([OK]);
    let owner = doomed.block_on(slot.queue(cooperative("x"))).unwrap();
    let mut waiting = Vec::new();
    for runtime in [&doomed, &lives, &doomed, &lives] {
        waiting.push(runtime.block_on(slot.queue(script.spec("x"))).unwrap());
    }
    drop(doomed);
    lives.block_on(async {
        assert_eq!(end_of(&owner).await, "aborted");
        assert_eq!(ends_of(&waiting).await, ["aborted", "completed", "aborted", "completed"]);
        assert!(slot.is_idle());
    });
}

#[test]
fn j05_a_shutdown_from_outside_a_runtime_resolves_all() {
    let supervisor = supervisor();
    let slot = supervisor.slot("s");
    let runtime = runtime();
    let (owner, waits) = runtime
        .block_on(async { (slot.queue(cooperative("x")).await.unwrap(), slot.queue(cooperative("x")).await.unwrap()) });
    drop(supervisor);
    runtime.block_on(async {
        assert_eq!((end_of(&waits).await, end_of(&owner).await), ("shutting_down", "canceled"));
    });
}

#[tokio::test(start_paused = true)]
async fn j05_shutdown_now_resolves_all() -> Result {
    let (supervisor, _) = controlled(1024, 100);
    let owner = supervisor.submit(queued(deaf("x"))).await?;
    settle().await;
    let waits = supervisor.submit(queued(cooperative("x"))).await?;
    let replaces = supervisor.submit(ControllerSpec::replace(cooperative("x")).with_slot("s")).await?;
    assert!(supervisor.shutdown_now().await.is_err());
    assert_eq!(ends_of(&[owner, waits, replaces]).await, ["aborted", "shutting_down", "shutting_down"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j05_slot_tasks_stop_before_the_declared_ones() -> Result {
    // given a declared task and one in a slot, each of which takes a second to stop
    let journal = crate::journal::Journal::new();
    let (declared, _) = journal.slow("declared", secs(1));
    let (owner, _) = journal.slow("owner", secs(1));
    let tree = taskvisor::Tree::builder(SupervisorConfig::default()).task(declared).build();
    tree.start().await?;
    tree.slot("s").submit(owner).await?;
    settle().await;
    journal.take();
    // when
    let start = Instant::now();
    tree.shutdown().await?;
    // then
    assert_eq!((journal.take(), start.elapsed()), (vec!["-owner".into(), "-declared".into()], secs(2)));
    Ok(())
}
