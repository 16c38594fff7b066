//! What `restart_and_wait` waits for.

use taskvisor::{EventKind, Ready, RuntimeError, TaskContext, TaskError, TaskFn, TaskSpec};
use tests::{constant, recorded, secs, settle};
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
