//! A trigger, a restart and a stop from other threads.

use std::sync::Arc;
use std::time::Duration;

use taskvisor::{RuntimeError, TaskOutcome, TaskState};
use tests::{Script, supervisor};

use super::{Result, told};

const RUNS: usize = 10_000;

/// Each trigger that is taken in the wait begins one attempt, on whichever thread it comes.
async fn triggers(rounds: usize) -> Result {
    let (supervisor, script) = (supervisor(), Script::new([told(Duration::MAX)]));
    let task = Arc::new(supervisor.add_task(script.spec("x")).await?);
    let mut taken = 0;
    while taken < rounds {
        let pair = [0, 1].map(|_| {
            let task = Arc::clone(&task);
            tokio::spawn(async move { usize::from(task.status().state == TaskState::Backoff && task.trigger()) })
        });
        for trigger in pair {
            taken += trigger.await.unwrap();
        }
        tokio::task::yield_now().await;
    }
    while task.status().state != TaskState::Backoff || script.running() > 0 {
        tokio::task::yield_now().await;
    }
    // Two triggers of one wait begin one attempt.
    assert!((rounds / 2..=taken + 1).contains(&script.attempts()), "{} of {taken}", script.attempts());
    assert_eq!(usize::try_from(task.status().failures).unwrap(), script.attempts());
    supervisor.shutdown().await
}

#[tokio::test]
async fn o26_a_trigger_overrules_the_wait_on_one_thread() -> Result {
    triggers(RUNS).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o26_a_trigger_overrules_the_wait_on_two_threads() -> Result {
    triggers(RUNS).await
}

/// A stop comes while the attempt fails, before or in the wait: the task ends canceled, and waits for nothing.
async fn stops(rounds: usize) -> std::result::Result<(), RuntimeError> {
    let supervisor = supervisor();
    for round in 0..rounds {
        let script = Script::new([told(Duration::MAX)]);
        let task = Arc::new(supervisor.add_task(script.spec("x")).await?);
        let other = Arc::clone(&task);
        let restarts = tokio::spawn(async move { round % 2 == 0 && other.restart() });
        task.cancel().await?;
        let outcome = task.outcome().await;
        assert!(matches!(outcome, TaskOutcome::Canceled { .. }), "{outcome}");
        restarts.await.unwrap();
    }
    supervisor.shutdown().await
}

#[tokio::test]
async fn o26_a_stop_overrules_the_wait_on_one_thread() -> Result {
    stops(RUNS).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o26_a_stop_overrules_the_wait_on_two_threads() -> Result {
    stops(RUNS).await
}
