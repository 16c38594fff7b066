//! A trigger, a restart and a stop from other threads.

use std::sync::Arc;
use std::time::Duration;

use taskvisor::{Group, SupervisorConfig, TaskOutcome, TaskState, Tree};
use tests::{FAIL, Script, Step, constant, supervisor};

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
async fn stops(rounds: usize) -> Result {
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

/// Two tasks of a group that restarts together fail in the same instant. Whoever is heard first, the group waits without
/// end if the told time was heard, and a trigger of that task ends the wait for both.
async fn groups(rounds: usize) -> Result {
    let mut waited = 0;
    for _ in 0..rounds {
        let (a, b) = (Script::new([FAIL, Step::Wait]), Script::new([told(Duration::MAX), Step::Wait]));
        let a_spec = a.spec("a").with_backoff(constant(Duration::ZERO));
        let group = Group::one_for_all("g").task(a_spec).task(b.spec("b"));
        let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
        tree.start().await?;
        let child = tree.child("g/b");
        while a.running() + b.running() < 2 {
            let waits = child.status().is_some_and(|status| status.state == TaskState::Backoff);
            waited += usize::from(waits && child.trigger());
            tokio::task::yield_now().await;
        }
        tree.shutdown().await?;
        assert_eq!((a.running(), b.running()), (0, 0));
    }
    assert!(waited > 0, "the told time was never heard");
    Ok(())
}

#[tokio::test]
async fn o26_two_that_fail_together_lose_nobody_on_one_thread() -> Result {
    groups(RUNS / 10).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o26_two_that_fail_together_lose_nobody_on_two_threads() -> Result {
    groups(RUNS).await
}
