//! Failures: backoff, and the next time of the schedule.

use super::*;
use taskvisor::{Strategy, TaskOutcome};

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

/// The failures of a run are those of no other, however its retries wait for the next time.
#[tokio::test(start_paused = true)]
async fn t1_a_retry_that_the_next_time_finds_has_a_streak_of_its_own() -> Result {
    // Without a backoff.
    let runs = Runs::from(DAY);
    let spec = runs.task("a", secs(1_000), |_| fail()).with_schedule(Schedule::cron("@hourly"));
    let tree =
        tree().task(spec.with_backoff(BackoffPolicy { max: Duration::ZERO, ..backoff(0) }).with_max_retries(4)).build();
    let recorder = Recorder::attach(tree.supervisor());
    tree.start().await?;
    sleep(HOUR * 3 + secs(1_000)).await;
    assert_eq!(runs.begun(), [3_600, 4_600, 5_600, 6_600, 7_600, 8_600, 9_600, 10_600, 11_600]);
    assert_eq!(recorder.count(EventKind::Warning), 0, "no run is given up");
    tree.shutdown().await?;
    // While it waits for a permit.
    let runs = Runs::from(DAY);
    let config = SupervisorConfig { max_concurrent: 1, ..SupervisorConfig::default() };
    let other = Runs::from(DAY).task("other", secs(3_300), |_| Ok(())).with_restart(RestartPolicy::Never);
    let spec = runs.task("a", Duration::ZERO, |_| fail()).with_schedule(Schedule::cron("@hourly"));
    let tree = Tree::builder(config)
        .task(other.with_initial_delay(secs(4_000)))
        .task(spec.with_backoff(backoff(1_000)).with_max_retries(1))
        .build();
    tree.start().await?;
    sleep(secs(10_799)).await;
    assert_eq!(runs.begun(), [3_600, 7_300, 8_300]);
    assert_eq!(runs.scheduled_for(DAY_SECS), [Some(3_600), Some(7_200), Some(7_200)]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t1_the_next_time_ends_the_backoff_that_a_group_waits_for() -> Result {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let runs = Runs::from(DAY);
        let spec = runs.task("a", Duration::ZERO, |_| fail()).with_schedule(Schedule::cron("@hourly"));
        let sibling = Runs::from(DAY).task("sibling", HOUR * 900, |_| Ok(()));
        let tree = tree().with_strategy(strategy).task(spec.with_backoff(backoff(2_000))).task(sibling).build();
        let recorder = Recorder::attach(tree.supervisor());
        tree.start().await?;
        sleep(HOUR * 3 + secs(1)).await;
        assert_eq!(runs.begun(), [3_600, 5_600, 7_200, 9_200, 10_800], "{strategy:?}");
        assert_eq!(tree.child("a").status().unwrap().failures, 1);
        assert_eq!(recorder.count(EventKind::RunsMissed), 0, "each began on time");
        tree.shutdown().await?;
    }
    Ok(())
}

/// A run that waits too long for its permit is skipped, or fails: it is told once.
#[tokio::test(start_paused = true)]
async fn t1_a_run_whose_start_takes_too_long_is_skipped_or_has_failed() -> Result {
    for (missed, retried, comes, failed) in [
        (Missed::Skip, vec![], "it is skipped", 1),
        (Missed::Once, vec![(9_000, 7_200)], "this attempt makes up for it", 2),
    ] {
        let runs = Runs::from(DAY);
        let config = SupervisorConfig { max_concurrent: 1, ..SupervisorConfig::default() };
        let spec = runs.task("a", Duration::ZERO, |attempt| if attempt == 1 { fail() } else { Ok(()) });
        let spec = spec.with_schedule(Schedule::cron("@hourly").missed(missed)).with_backoff(backoff(100_000));
        let other = Runs::from(DAY).task("other", secs(2_000), |_| Ok(())).with_restart(RestartPolicy::Never);
        let after = Runs::from(DAY).task("after", secs(1), |_| Ok(())).with_restart(RestartPolicy::Never);
        let tree = Tree::builder(config)
            .task(spec.with_start_timeout(secs(600)))
            .task(other.with_initial_delay(secs(7_000)))
            .task(after.with_after(["a"]))
            .build();
        let recorder = Recorder::attach(tree.supervisor());
        tree.start().await?;
        sleep(secs(8_000)).await;
        // Its time has ended the backoff of the run before.
        let state = tree.child("a").status().unwrap().state;
        assert_eq!(state, if failed == 1 { TaskState::Scheduled } else { TaskState::Backoff });
        assert_eq!(recorder.count(EventKind::TaskFailed), failed);
        if failed == 2 {
            sleep(secs(1_100)).await;
            assert!(tree.child("a").trigger());
        }
        sleep(secs(1_000)).await;
        let of = |(_, at): &(u64, u64)| Some(*at);
        let times: Vec<_> = [Some(3_600)].into_iter().chain(retried.iter().map(of)).collect();
        assert_eq!(runs.scheduled_for(DAY_SECS), times, "{missed:?}: {:?}", runs.begun());
        assert_eq!(told(&recorder), [(1, format!("1 run was missed, that of 2026-03-28T02:00:00+00:00; {comes}"))]);
        tree.shutdown().await?;
    }
    Ok(())
}
