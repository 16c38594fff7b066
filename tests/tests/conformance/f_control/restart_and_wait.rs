//! What `restart_and_wait` waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use taskvisor::{EventKind, Ready, RuntimeError, TaskContext, TaskError, TaskFn, TaskSpec};
use tests::{ALWAYS, constant, recorded, secs, settle, supervisor};
use tokio::time::{Instant, sleep};

#[tokio::test(start_paused = true)]
async fn f06_an_attempt_that_signals_and_fails_at_once_is_not_ready() -> Result<(), RuntimeError> {
    let (supervisor, recorder) = recorded();
    let task = TaskFn::arc("t", |ctx: TaskContext| async move {
        ctx.ready();
        if ctx.attempt() == 2 {
            return Err(TaskError::error("lost"));
        }
        ctx.cancelled().await;
        Ok(())
    });
    let task = TaskSpec::inherit(task).with_ready(Ready::Signal).with_backoff(constant(secs(10)));
    let task = supervisor.add_task(task).await?;
    settle().await;
    let start = Instant::now();
    assert!(task.restart_and_wait().await);
    assert_eq!((start.elapsed(), task.status().attempt), (secs(10), 3));
    assert_eq!(recorder.count(EventKind::TaskReady), 3, "the event is published");
    sleep(secs(1)).await;
    supervisor.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o27_a_task_that_stays_ready_is_waited_for_until_its_attempt_begins() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let task = TaskFn::arc("t", |ctx: TaskContext| async move {
        ctx.run_until_cancelled(sleep(secs(3))).await;
        Ok(())
    });
    let task = TaskSpec::inherit(task).with_restart(ALWAYS).with_ready(Ready::FirstSuccess);
    let task = supervisor.add_task(task).await?;
    let start = Instant::now();
    assert!(task.restart_and_wait().await);
    assert_eq!(start.elapsed(), secs(3), "its first success");
    assert!(task.restart_and_wait().await);
    assert_eq!(start.elapsed(), secs(3), "it has been ready");
    supervisor.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o27_two_tasks_that_restart_each_other_do_not_wait_for_each_other() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let waited = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    for (name, other) in [("a", "b"), ("b", "a")] {
        let waited = Arc::clone(&waited);
        let task = TaskFn::arc(name, move |ctx: TaskContext| {
            let waited = Arc::clone(&waited);
            async move {
                if ctx.attempt() == 1 {
                    sleep(secs(1)).await;
                    assert!(ctx.supervisor().child(other).restart_and_wait().await);
                    assert_eq!(start.elapsed(), secs(1));
                    waited.fetch_add(1, Ordering::Relaxed);
                }
                ctx.cancelled().await;
                Ok(())
            }
        });
        supervisor.add_task(TaskSpec::inherit(task)).await?;
    }
    sleep(secs(100)).await;
    assert_eq!(waited.load(Ordering::Relaxed), 2);
    for name in ["a", "b"] {
        let task = supervisor.task(name).unwrap();
        assert_eq!(task.status().attempt, 2, "{name}");
    }
    supervisor.shutdown().await
}
