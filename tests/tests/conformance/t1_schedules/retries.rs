//! Failures: backoff, and the next time of the schedule.

use super::*;
use taskvisor::{BackoffPolicy, JitterPolicy, TaskOutcome};

fn backoff(first: u64) -> BackoffPolicy {
    BackoffPolicy { first: secs(first), max: secs(100_000), factor: 2.0, jitter: JitterPolicy::None }
}

#[tokio::test(start_paused = true)]
async fn t1_a_failure_backs_off_and_is_retried_for_the_same_time() -> Result {
    let runs = Runs::from(DAY);
    let spec = runs.task("a", Duration::ZERO, |attempt| if attempt < 4 { fail() } else { Ok(()) });
    let tree = tree().task(spec.with_schedule(Schedule::cron("@hourly")).with_backoff(backoff(100))).build();
    tree.start().await?;
    sleep(HOUR + secs(1)).await;
    let status = tree.child("a").status().unwrap();
    assert_eq!((status.state, status.failures), (TaskState::Backoff, 1));
    assert!(!tree.health().is_ready(), "it is in its backoff");
    sleep(HOUR * 2).await;
    assert_eq!(runs.begun(), [3_600, 3_700, 3_900, 4_300, 7_200, 10_800]);
    assert_eq!(runs.scheduled_for(DAY_SECS)[..5], [Some(3_600), Some(3_600), Some(3_600), Some(3_600), Some(7_200)]);
    assert_eq!(tree.child("a").status().unwrap().failures, 0);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t1_the_next_time_ends_the_backoff_and_the_streak() -> Result {
    let runs = Runs::from(DAY);
    let spec = runs.task("a", Duration::ZERO, |_| fail()).with_schedule(Schedule::cron("@hourly"));
    let tree = tree().task(spec.with_backoff(backoff(2_000))).build();
    let recorder = Recorder::attach(tree.supervisor());
    tree.start().await?;
    sleep(HOUR * 3 + secs(1)).await;
    // A backoff of 2,000 s, then one of 4,000 s that the next time ends; then the streak is new.
    assert_eq!(runs.begun(), [3_600, 5_600, 7_200, 9_200, 10_800]);
    assert_eq!(runs.scheduled_for(DAY_SECS).last(), Some(&Some(10_800)));
    assert_eq!(tree.child("a").status().unwrap().failures, 1);
    assert_eq!(recorder.count(EventKind::RunsMissed), 0, "each began on time");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t1_max_retries_bound_one_run_and_the_task_waits_for_the_next() -> Result {
    let runs = Runs::from(DAY);
    let spec = runs.task("a", Duration::ZERO, |_| fail()).with_schedule(Schedule::cron("@hourly"));
    let tree = tree().task(spec.with_backoff(backoff(10)).with_max_retries(2)).build();
    let recorder = Recorder::attach(tree.supervisor());
    tree.start().await?;
    sleep(HOUR * 2 + secs(1)).await;
    assert_eq!(runs.begun(), [3_600, 3_610, 3_630, 7_200]);
    sleep(secs(60)).await;
    assert_eq!(runs.begun(), [3_600, 3_610, 3_630, 7_200, 7_210, 7_230]);
    let status = tree.child("a").status().unwrap();
    assert_eq!((status.state, status.failures), (TaskState::Scheduled, 0));
    assert_eq!(status.last_error.unwrap().to_string(), "no route");
    assert!(tree.health().is_ready(), "it waits for its time");
    let warnings: Vec<_> = recorder.events().into_iter().filter(|event| event.kind == EventKind::Warning).collect();
    assert_eq!(warnings.len(), 2);
    let reason = warnings[0].reason.clone().unwrap().to_string();
    assert_eq!(
        reason,
        "its run has failed 3 times in a row and is given up, by `max_retries`: the task waits for its next time"
    );
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t1_a_limit_and_a_fatal_error_end_a_scheduled_task() -> Result {
    let runs = Runs::from(DAY);
    let spec = runs.task("a", Duration::ZERO, |_| fail()).with_schedule(Schedule::cron("@hourly"));
    let limited = spec.clone().with_max_retries(0).with_limit(2, HOUR * 24);
    let fatal = runs.task("b", Duration::ZERO, |_| Err(TaskError::Fatal { reason: "gone".into() }));
    let tree = tree().task(limited).task(fatal.with_schedule(Schedule::cron("@hourly"))).build();
    tree.start().await?;
    let (a, b) = (tree.child("a"), tree.child("b"));
    sleep(HOUR + secs(1)).await;
    assert!(matches!(b.outcome().await, Some(TaskOutcome::Fatal { .. })));
    sleep(HOUR * 2).await;
    assert!(matches!(a.outcome().await, Some(TaskOutcome::Exhausted { failures: 3, .. })));
    assert_eq!(a.status().unwrap().next_run, None);
    tree.run().await
}
