//! The sleep of a context.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use taskvisor::{RuntimeError, TaskContext, TaskFn, TaskSpec};
use tests::{ALWAYS, secs, settle, supervisor};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

#[tokio::test(start_paused = true)]
async fn e06_a_task_that_sleeps_by_its_context_stops_at_once() -> Result<(), RuntimeError> {
    // given
    let (rounds, supervisor) = (Arc::new(AtomicU32::new(0)), supervisor());
    let counted = Arc::clone(&rounds);
    let task = TaskFn::arc("poll", move |ctx: TaskContext| {
        let counted = Arc::clone(&counted);
        async move {
            while ctx.sleep(secs(10)).await {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        }
    });
    let _task = supervisor.add_task(TaskSpec::inherit(task).with_restart(ALWAYS)).await?;
    sleep(secs(35)).await;
    assert_eq!(rounds.load(Ordering::Relaxed), 3);
    // when
    let start = Instant::now();
    supervisor.shutdown().await?;
    // then
    assert_eq!((start.elapsed(), rounds.load(Ordering::Relaxed)), (secs(0), 3));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e06_a_canceled_context_does_not_sleep() {
    let token = CancellationToken::new();
    let ctx = TaskContext::detached("poll", token.clone());
    let start = Instant::now();
    assert!(ctx.sleep(secs(10)).await);
    assert_eq!(start.elapsed(), secs(10));
    let sleeping = tokio::spawn({
        let ctx = ctx.clone();
        async move { ctx.sleep(secs(10)).await }
    });
    settle().await;
    token.cancel();
    assert!(!sleeping.await.unwrap());
    assert!(!ctx.sleep(secs(10)).await && !ctx.sleep(secs(0)).await);
    assert_eq!(start.elapsed(), secs(10));
}
