//! A11. Slots, and when `run` returns.

use std::sync::Arc;

use taskvisor::{RuntimeError, SlotSpec, Supervisor, SupervisorConfig, Tree};
use tests::{OK, Script, Step, cooperative, secs, settle, supervisor};
use tokio::time::Instant;

use super::{Result, end_of, ends_of, queue_all};

#[tokio::test(start_paused = true)]
async fn a11_run_returns_when_all_that_was_queued_has_ended() -> Result {
    // given a run of one second, and a queue of five
    let supervisor = supervisor();
    let slot = supervisor.slot("s");
    let script = Script::new([Step::Succeed(secs(2))]);
    let start = Instant::now();
    let handles = queue_all(&slot, &script.spec("x"), 5).await?;
    // when
    supervisor.run(vec![Script::new([Step::Succeed(secs(1))]).spec("y")]).await?;
    // then
    assert_eq!(start.elapsed(), secs(10));
    assert_eq!(ends_of(&handles).await, ["completed"; 5]);
    // and the supervisor can run again
    let again = slot.queue(script.spec("x")).await?;
    supervisor.run(vec![Script::new([OK]).spec("y")]).await?;
    assert_eq!((end_of(&again).await, start.elapsed()), ("completed", secs(12)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a11_one_that_waits_for_backoff_or_replaces_keeps_run_up() -> Result {
    let supervisor = supervisor();
    let slot = supervisor.slot("s");
    let start = Instant::now();
    let failing = Script::new([tests::FAIL, OK]).spec("x").with_backoff(tests::constant(secs(3)));
    slot.queue(failing).await?;
    slot.queue(Script::new([tests::FAIL]).spec("x").with_max_retries(0)).await?;
    slot.queue(tests::deaf("x").with_stop_timeout(secs(1))).await?;
    let run = tokio::spawn({
        let supervisor = Arc::clone(&supervisor);
        async move { supervisor.run(vec![Script::new([OK]).spec("y")]).await }
    });
    tokio::time::sleep(secs(5)).await;
    let replaces = slot.replace(Script::new([Step::Succeed(secs(4))]).spec("z")).await?;
    run.await.unwrap()?;
    assert_eq!((end_of(&replaces).await, start.elapsed()), ("completed", secs(10)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a11_declared_slots_keep_run_up_until_shutdown() -> Result {
    let supervisor = Supervisor::builder(SupervisorConfig::default()).with_slot(SlotSpec::new("s")).build();
    let run = tokio::spawn({
        let supervisor = Arc::clone(&supervisor);
        async move { supervisor.run(vec![Script::new([OK]).spec("y")]).await }
    });
    for _ in 0..3 {
        tokio::time::sleep(secs(1000)).await;
        assert!(!run.is_finished());
        assert_eq!(end_of(&supervisor.slot("s").submit(Script::new([OK]).spec("x")).await?).await, "completed");
    }
    settle().await;
    assert!(!run.is_finished());
    supervisor.shutdown().await?;
    run.await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a11_a_tree_with_declared_slots_stays_up_until_shutdown() -> Result {
    for with_task in [false, true] {
        let mut builder = Tree::builder(SupervisorConfig::default()).with_slot(SlotSpec::new("s"));
        if with_task {
            builder = builder.task(Script::new([OK]).spec("y"));
        }
        let tree = builder.build();
        let start = Instant::now();
        let slot = tree.slot("s");
        let submits = async {
            tokio::time::sleep(secs(500)).await;
            assert_eq!(end_of(&slot.submit(Script::new([OK]).spec("x")).await.unwrap()).await, "completed");
            slot.submit(cooperative("z")).await.unwrap();
            tokio::time::sleep(secs(500)).await;
        };
        tree.run_until(submits).await?;
        assert_eq!(start.elapsed(), secs(1000));
        assert!(slot.is_idle());
        assert!(slot.submit(cooperative("z")).await.is_err());
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a11_a_tree_without_declared_slots_returns_after_the_last_submission() -> Result {
    let tree = Tree::builder(SupervisorConfig::default()).task(Script::new([OK]).spec("y")).build();
    let start = Instant::now();
    let handles = queue_all(&tree.slot("s"), &Script::new([Step::Succeed(secs(1))]).spec("x"), 3).await?;
    tree.run().await?;
    assert_eq!(start.elapsed(), secs(3));
    assert_eq!(ends_of(&handles).await, ["completed"; 3]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a11_an_exhausted_owner_fails_nobody() -> Result {
    let supervisor = supervisor();
    let owner = supervisor.slot("s").queue(Script::new([Step::Fatal]).spec("x")).await?;
    let result: std::result::Result<(), RuntimeError> =
        supervisor.run(vec![Script::new([Step::Succeed(secs(1))]).spec("y")]).await;
    assert_eq!(end_of(&owner).await, "fatal");
    result
}
