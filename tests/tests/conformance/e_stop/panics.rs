//! Panics during a stop.

use std::sync::Arc;
use std::time::Duration;

use taskvisor::{
    CancellationToken, EventKind, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskOutcome, TaskSpec, TaskState,
};
use tests::{cooperative, recorded, recorded_with, secs, settle, supervisor};
use tokio::time::Instant;

use super::{Result, answers, stuck};

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "boom");
    }
}

/// A task whose futures panic when dropped before they complete.
fn explosive(name: &str) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc(name, |_: TaskContext| async {
        let _bomb = Bomb;
        std::future::pending().await
    }))
}

#[tokio::test(start_paused = true)]
async fn e12_a_panic_in_the_drop_of_an_aborted_future_is_contained() -> Result {
    // given
    let (supervisor, recorder) = recorded();
    let bomb = supervisor.add_task(explosive("bomb").with_stop_timeout(secs(1))).await?;
    let polite = supervisor.add_task(answers("polite", secs(2), || Ok(()))).await?;
    settle().await;
    // when
    let start = Instant::now();
    let result = supervisor.shutdown().await;
    // then
    assert_eq!(stuck(result), ["bomb"]);
    assert_eq!(start.elapsed(), secs(2));
    assert!(matches!(bomb.outcome().await, TaskOutcome::Aborted { .. }));
    assert!(matches!(polite.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    assert_eq!(
        recorder.kinds_of("bomb")[2..],
        [EventKind::TaskStarting, EventKind::TaskFailed, EventKind::TaskRemoved]
    );
    assert!(supervisor.list_tasks().await.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e12_an_aborted_task_whose_drop_panics_leaves_name_and_permit() -> Result {
    let config = SupervisorConfig { max_concurrent: 1, ..SupervisorConfig::default() };
    let (supervisor, _) = recorded_with(config);
    supervisor.add_task(explosive("bomb")).await?;
    settle().await;
    assert!(supervisor.cancel_with_timeout("bomb", Duration::ZERO).await?);
    supervisor.add_task(cooperative("bomb")).await?;
    settle().await;
    assert!(supervisor.is_alive("bomb").await);
    Ok(())
}

/// A waker that panics when woken.
struct Rude;

impl std::task::Wake for Rude {
    fn wake(self: Arc<Self>) {
        panic!("woken");
    }
}

#[tokio::test]
async fn e12_a_panic_in_the_waker_of_one_who_waits_for_the_verdict_is_contained() -> Result {
    // given
    let supervisor = supervisor();
    let mut run = Box::pin(supervisor.run_until(vec![], std::future::pending()));
    let waker = std::task::Waker::from(Arc::new(Rude));
    assert!(run.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
    // then
    supervisor.shutdown().await?;
    run.await
}

/// An error that panics when dropped.
#[derive(Debug)]
struct Rotten(#[allow(dead_code, reason = "dropped")] Bomb);

impl std::fmt::Display for Rotten {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("rotten")
    }
}

impl std::error::Error for Rotten {}

impl std::fmt::Debug for Bomb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bomb")
    }
}

#[tokio::test(start_paused = true)]
async fn e12_a_panic_in_the_drop_of_an_error_is_contained() -> Result {
    // given
    let supervisor = supervisor();
    let rotten = TaskFn::arc("rotten", |token: CancellationToken| async move {
        token.cancelled().await;
        Err(TaskError::error(Rotten(Bomb)))
    });
    let task = supervisor.add_task(TaskSpec::inherit(rotten)).await?;
    settle().await;
    // when
    assert!(task.restart());
    settle().await;
    // then
    assert_eq!((task.status().state, task.status().attempt), (TaskState::Running, 2));
    // The test owns the error of the outcome, and must not drop it.
    assert!(task.cancel().await?);
    std::mem::forget((task.outcome().await, task));
    assert!(supervisor.list_tasks().await.is_empty());
    Ok(())
}
