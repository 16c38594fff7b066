//! C. Limits and backoff, and the permits of `max_concurrent`.

mod backoff;
mod groups;
mod permits;

use std::time::Duration;

use taskvisor::{
    BackoffPolicy, EventKind, JitterPolicy, RestartPolicy, RuntimeError, SupervisorConfig, TaskOutcome, TaskState,
};
use tests::{ALWAYS, FAIL, OK, PANIC, Script, Step, constant, ms, recorded, recorded_with, secs, supervisor};
use tokio::time::{Instant, sleep};

/// 1 s, 2 s, 4 s, .. up to 10 s.
const DOUBLING: BackoffPolicy =
    BackoffPolicy { first: secs(1), max: secs(10), factor: 2.0, jitter: JitterPolicy::None };

const FAIL_1S: Step = Step::Fail(secs(1));

#[tokio::test(start_paused = true)]
async fn c08_the_streak_grows_with_failures_and_starts_again_after_success() -> Result<(), RuntimeError> {
    let (supervisor, recorder) = recorded();
    let script = Script::new([FAIL, PANIC, FAIL, FAIL, FAIL, FAIL, OK, FAIL, FAIL, Step::Wait]);
    let start = Instant::now();

    supervisor.add_task(script.spec("flaky").with_restart(ALWAYS).with_backoff(DOUBLING)).await?;
    sleep(secs(1000)).await;

    let waits: Vec<_> = recorder.seen().into_iter().filter_map(|seen| seen.delay_ms).collect();
    assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 1_000, 2_000]);
    assert_eq!(script.begun_ms(start), [0, 1_000, 3_000, 7_000, 15_000, 25_000, 35_000, 35_000, 36_000, 38_000]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn c08_the_streak_starts_again_after_reset_after_and_not_before() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let almost = Step::Fail(Duration::from_millis(19_999));
    let script = Script::new([FAIL_1S, FAIL_1S, almost, Step::Fail(secs(20)), FAIL_1S, FAIL_1S, Step::Wait]);
    let start = Instant::now();

    supervisor.add_task(script.spec("daemon").with_backoff(DOUBLING).with_reset_after(secs(20))).await?;
    sleep(secs(1000)).await;

    let waits = [1_000, 2_000, 4_000, 1_000, 2_000, 4_000];
    let lives = [1_000, 1_000, 19_999, 20_000, 1_000, 1_000];
    let mut begun = vec![0];
    begun.extend(waits.iter().zip(lives).scan(0, |at, (wait, life)| {
        *at += wait + life;
        Some(*at)
    }));
    assert_eq!(script.begun_ms(start), begun);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn c08_reset_after_is_the_larger_of_the_longest_backoff_and_ten_seconds() -> Result<(), RuntimeError> {
    for (max, resets) in [(secs(4), secs(10)), (secs(10), secs(10)), (secs(40), secs(40))] {
        for (life, third) in [(resets.saturating_sub(ms(1)), 4), (resets, 1)] {
            let (supervisor, recorder) = recorded();
            let script = Script::new([FAIL, FAIL, Step::Fail(life), Step::Wait]);
            supervisor.add_task(script.spec("daemon").with_backoff(BackoffPolicy { max, ..DOUBLING })).await?;
            sleep(secs(1000)).await;
            let waits: Vec<_> = recorder.seen().into_iter().filter_map(|seen| seen.delay_ms).collect();
            assert_eq!(waits, [1_000, 2_000, third * 1_000], "max {max:?}, life {life:?}");
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn c08_reset_after_zero_resets_after_any_life_at_all() -> Result<(), RuntimeError> {
    let (supervisor, recorder) = recorded();
    let script = Script::new([Step::Fail(ms(1)), Step::Fail(ms(1)), Step::Fail(ms(1)), Step::Wait]);

    let spec = script.spec("s").with_backoff(DOUBLING).with_reset_after(Duration::ZERO).with_max_retries(1);
    supervisor.add_task(spec).await?;
    sleep(secs(100)).await;

    let waits: Vec<_> = recorder.seen().into_iter().filter_map(|seen| seen.delay_ms).collect();
    assert_eq!(waits, [1_000, 1_000, 1_000]);
    assert_eq!(script.running(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn c08_the_window_after_a_timeout_is_no_healthy_life() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let script = Script::new([Step::Deaf]);
    let start = Instant::now();

    // Each attempt runs for 8 s; its cleanup window of 5 s then ends without effect.
    let spec = script.spec("hangs").with_timeout(secs(8)).with_backoff(constant(secs(1)));
    let handle = supervisor.add_task(spec.with_reset_after(secs(10)).with_max_retries(1)).await?;
    sleep(secs(1000)).await;

    assert_eq!(script.begun_ms(start), [0, 14_000]);
    assert_eq!(handle.status().state, TaskState::Ended);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn c08_waits_are_no_healthy_life() -> Result<(), RuntimeError> {
    let (supervisor, recorder) = recorded();
    let script = Script::new([FAIL, FAIL, FAIL, Step::Wait]);

    let spec =
        script.spec("s").with_backoff(constant(secs(20))).with_reset_after(secs(10)).with_initial_delay(secs(50));
    let handle = supervisor.add_task(spec.with_max_retries(1)).await?;

    let outcome = handle.outcome().await;
    assert!(matches!(outcome, TaskOutcome::Exhausted { failures: 2, .. }), "{outcome}");
    assert_eq!(recorder.count(EventKind::TaskStarting), 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn c09_max_retries_is_that_many_and_then_exhausted() -> Result<(), RuntimeError> {
    let (supervisor, recorder) = recorded();
    let script = Script::new([FAIL, PANIC, FAIL, FAIL, OK]);
    let start = Instant::now();

    let spec = script.spec("flaky").with_backoff(constant(secs(1))).with_max_retries(3);
    let outcome = supervisor.add_task(spec).await?.outcome().await;

    assert_eq!(script.begun_ms(start), [0, 1_000, 2_000, 3_000]);
    assert!(matches!(&outcome, TaskOutcome::Exhausted { failures: 4, .. }), "{outcome}");
    assert_eq!(outcome.source().map(ToString::to_string).as_deref(), Some("failure 4"));
    assert_eq!(outcome.to_string(), "exhausted after 4 failures: failure 4");
    sleep(secs(1000)).await;
    assert_eq!(script.attempts(), 4);
    assert_eq!(recorder.count(EventKind::BackoffScheduled), 3);
    assert_eq!(
        recorder.kinds_of("flaky").iter().rev().take(3).rev().copied().collect::<Vec<_>>(),
        [EventKind::TaskFailed, EventKind::ActorExhausted, EventKind::TaskRemoved]
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn c09_no_retries_is_one_attempt() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    for restart in [RestartPolicy::OnFailure, ALWAYS] {
        let script = Script::new([FAIL, OK]);
        let spec = script.spec("once").with_restart(restart).with_max_retries(0);
        let outcome = supervisor.add_task(spec).await?.outcome().await;
        assert!(matches!(outcome, TaskOutcome::Exhausted { failures: 1, .. }), "{outcome}");
        assert_eq!(script.attempts(), 1);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn c09_only_failures_in_a_row_count() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let script = Script::new([FAIL, FAIL, OK, FAIL, FAIL, Step::Fail(secs(10)), FAIL, FAIL, OK]);

    let spec = script.spec("flaky").with_restart(ALWAYS).with_backoff(constant(secs(1))).with_max_retries(2);
    let handle = supervisor.add_task(spec).await?;
    sleep(secs(60)).await;

    // The sixth attempt ran for `reset_after`: its failure is the first of a new row, and that of the eighth is the
    // third.
    let outcome = handle.outcome().await;
    assert!(matches!(outcome, TaskOutcome::Exhausted { failures: 3, .. }), "{outcome}");
    assert_eq!(script.attempts(), 8);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn c09_a_restart_by_hand_forgets_the_row() -> Result<(), RuntimeError> {
    let config = SupervisorConfig { max_retries: Some(1), backoff: constant(secs(10)), ..SupervisorConfig::default() };
    let (supervisor, recorder) = recorded_with(config);
    let script = Script::new([FAIL, FAIL, FAIL, OK]);
    let start = Instant::now();
    let handle = supervisor.add_task(script.spec("flaky")).await?;
    sleep(secs(5)).await;

    assert!(handle.restart());

    let outcome = handle.outcome().await;
    assert!(matches!(outcome, TaskOutcome::Exhausted { failures: 2, .. }), "{outcome}");
    assert_eq!(script.begun_ms(start), [0, 5_000, 15_000]);
    assert_eq!(recorder.count(EventKind::TaskFailed), 3);
    Ok(())
}
