//! A task without siblings.

use std::time::Duration;

use taskvisor::{
    BackoffPolicy, EventKind, JitterPolicy, RestartPolicy, RuntimeError, SupervisorConfig, TaskContext, TaskError,
    TaskFn, TaskOutcome, TaskSpec, TaskState, Tree,
};
use tests::{ALWAYS, FAIL, OK, Script, Step, constant, ms, recorded, secs, settle, supervisor};
use tokio::time::{Instant, sleep};

use super::{Result, growing, told};

/// The times of the attempts of a task that follows these steps and is exhausted after so many retries.
async fn begun_ms(
    steps: &[Step],
    backoff: BackoffPolicy,
    retries: u32,
) -> std::result::Result<Vec<u128>, RuntimeError> {
    let (supervisor, script, start) = (supervisor(), Script::new(steps), Instant::now());
    let task = supervisor.add_task(script.spec("x").with_backoff(backoff).with_max_retries(retries)).await?;
    let outcome = task.outcome().await;
    assert!(matches!(outcome, TaskOutcome::Exhausted { failures, .. } if failures == retries + 1), "{outcome}");
    Ok(script.begun_ms(start))
}

#[tokio::test(start_paused = true)]
async fn o26_the_retry_comes_after_the_told_time_and_the_backoff_goes_on_where_it_was() -> Result {
    let steps = [FAIL, told(secs(60)), told(ms(1)), FAIL, FAIL, FAIL];
    // It is above `max`, each failure counts, and the backoff makes no step for it: 100, then 200, 400, 800.
    let begun = begun_ms(&steps, growing(), 6).await?;
    assert_eq!(begun, [0, 100, 60_100, 60_101, 60_301, 60_701, 61_501]);
    Ok(())
}

/// The count of told retries is elsewhere for a task that has a limit or a watchdog from the start.
#[tokio::test(start_paused = true)]
async fn o26_a_limit_and_a_watchdog_change_nothing() -> Result {
    let (supervisor, start) = (supervisor(), Instant::now());
    let script = Script::new([FAIL, told(secs(60)), told(ms(1)), FAIL, FAIL, OK, FAIL, Step::Wait]);
    let spec = script.spec("x").with_backoff(growing()).with_restart(ALWAYS);
    supervisor.add_task(spec.with_limit(9, secs(3600)).with_watchdog(secs(5000))).await?;
    sleep(secs(90)).await;
    assert_eq!(script.begun_ms(start), [0, 100, 60_100, 60_101, 60_301, 60_701, 60_701, 60_801]);
    supervisor.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o26_it_has_no_jitter() -> Result {
    for jitter in [JitterPolicy::Full, JitterPolicy::Equal, JitterPolicy::Decorrelated] {
        let begun = begun_ms(&[told(secs(7))], BackoffPolicy { jitter, ..growing() }, 3).await?;
        assert_eq!(begun, [0, 7_000, 14_000, 21_000], "{jitter:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o26_zero_is_at_once_and_says_no_backoff() -> Result {
    let (supervisor, recorder) = recorded();
    let (script, start) = (Script::new([told(Duration::ZERO), FAIL]), Instant::now());
    let spec = script.spec("x").with_backoff(growing()).with_max_retries(2);
    supervisor.add_task(spec).await?.outcome().await;
    assert_eq!(script.begun_ms(start), [0, 0, 100]);
    supervisor.shutdown().await?;
    assert_eq!(recorder.count(EventKind::BackoffScheduled), 1);
    Ok(())
}

/// A task that is told to retry at once takes its turn like others.
#[tokio::test(start_paused = true)]
async fn o26_zero_starves_nobody() -> Result {
    let supervisor = supervisor();
    let script = Script::new([told(Duration::ZERO)]);
    let task = supervisor.add_task(script.spec("x")).await?;
    settle().await;
    assert!(script.attempts() > 1);
    assert!(task.cancel().await?);
    let outcome = task.outcome().await;
    assert!(matches!(outcome, TaskOutcome::Canceled { .. }), "{outcome}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o26_the_longest_times_overflow_nowhere() -> Result {
    for delay in [Duration::MAX, Duration::from_secs(u64::MAX / 2), secs(400 * 86_400)] {
        let (supervisor, recorder) = recorded();
        let script = Script::new([told(delay), Step::Wait]);
        let task = supervisor.add_task(script.spec("x").with_backoff(growing())).await?;
        sleep(secs(399 * 86_400)).await;
        assert_eq!((script.attempts(), task.status().state), (1, TaskState::Backoff));
        assert!(task.trigger());
        settle().await;
        assert_eq!(script.running(), 1);
        supervisor.shutdown().await?;
        let shown = recorder.seen().into_iter().find_map(|seen| seen.delay_ms);
        assert_eq!(shown, Some(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o26_what_is_shown_is_the_error_and_the_told_time() -> Result {
    let (supervisor, recorder) = recorded();
    let script = Script::new([told(secs(60)), Step::Wait]);
    let task = supervisor.add_task(script.spec("x").with_backoff(growing())).await?;
    settle().await;
    let status = task.status();
    assert_eq!((status.state, status.failures, status.attempt), (TaskState::Backoff, 1, 1));
    let error = status.last_error.unwrap();
    assert!(matches!(&*error, TaskError::Fail { reason } if reason == "failure 1"), "{error:?}");
    sleep(secs(60)).await;
    supervisor.shutdown().await?;
    let seen = recorder.seen();
    let shown = |kind| {
        let seen = seen.iter().find(|seen| seen.kind == kind).unwrap();
        (seen.delay_ms, seen.reason.as_deref().map(str::to_owned))
    };
    assert_eq!(shown(EventKind::TaskFailed), (None, Some("failure 1".into())));
    assert_eq!(shown(EventKind::BackoffScheduled), (Some(60_000), Some("failure 1".into())));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o26_a_trigger_or_a_restart_ends_the_wait() -> Result {
    let (supervisor, start) = (supervisor(), Instant::now());
    let script = Script::new([FAIL, told(secs(60)), FAIL, told(secs(60)), FAIL, Step::Wait]);
    let task = supervisor.add_task(script.spec("x").with_backoff(growing())).await?;
    sleep(secs(1)).await;
    // The backoff goes on where it was: 200 ms.
    assert!(task.trigger());
    sleep(secs(1)).await;
    assert_eq!(script.begun_ms(start), [0, 100, 1_000, 1_200]);
    // A restart forgets the failures: 100 ms.
    assert!(task.restart());
    sleep(secs(1)).await;
    assert_eq!(script.begun_ms(start)[4..], [2_000, 2_100]);
    supervisor.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o26_a_stop_during_the_wait_does_not_wait_for_it() -> Result {
    for cancels in [false, true] {
        let (supervisor, start) = (supervisor(), Instant::now());
        let task = supervisor.add_task(Script::new([told(secs(60))]).spec("x")).await?;
        settle().await;
        if cancels {
            assert!(task.cancel().await?);
        } else {
            supervisor.shutdown().await?;
        }
        let outcome = task.outcome().await;
        assert!(matches!(outcome, TaskOutcome::Canceled { .. }), "{outcome}");
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o26_where_no_retry_follows_it_means_nothing() -> Result {
    let (supervisor, start) = (supervisor(), Instant::now());
    let never = Script::new([told(secs(60))]).spec("never").with_restart(RestartPolicy::Never);
    let outcome = supervisor.add_task(never).await?.outcome().await;
    assert!(
        matches!(&outcome, TaskOutcome::Failed { error } if matches!(**error, TaskError::Fail { .. })),
        "{outcome}"
    );
    let exhausted = Script::new([told(secs(60))]).spec("exhausted").with_max_retries(0);
    let outcome = supervisor.add_task(exhausted).await?.outcome().await;
    let TaskOutcome::Exhausted { error, failures: 1 } = &outcome else { panic!("{outcome}") };
    assert!(matches!(**error, TaskError::Fail { .. }), "{error:?}");
    let limited = Script::new([told(Duration::ZERO)]).spec("limited").with_limit(2, secs(60));
    let outcome = supervisor.add_task(limited).await?.outcome().await;
    assert!(matches!(outcome, TaskOutcome::Exhausted { failures: 3, .. }), "{outcome}");
    assert_eq!(start.elapsed(), Duration::ZERO);
    Ok(())
}

/// A task that fails at once with what is made here.
fn failing(name: &str, error: fn() -> TaskError) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc(name, move |_: TaskContext| async move { Err(error()) }))
}

#[tokio::test(start_paused = true)]
async fn o26_an_error_that_is_not_retried_stays_as_it_is() -> Result {
    let (supervisor, start) = (supervisor(), Instant::now());
    let fatal = || TaskError::Fatal { reason: "no such table".into() }.retry_after(secs(60));
    let outcome = supervisor.add_task(failing("fatal", fatal)).await?.outcome().await;
    assert_eq!(outcome.to_string(), "fatal: no such table");
    let permanent = || TaskError::permanent("no such table").retry_after(secs(60));
    let outcome = supervisor.add_task(failing("permanent", permanent)).await?.outcome().await;
    assert_eq!(outcome.to_string(), "fatal: no such table");
    let outcome = supervisor.add_task(failing("canceled", || TaskError::Canceled.retry_after(secs(60)))).await?;
    let outcome = outcome.outcome().await;
    assert!(matches!(outcome, TaskOutcome::Canceled { error: None, .. }), "{outcome}");
    assert_eq!(start.elapsed(), Duration::ZERO);
    Ok(())
}

/// What ends a streak ends it with what the error told: the backoff begins again.
#[tokio::test(start_paused = true)]
async fn o26_a_success_a_long_life_and_progress_begin_the_backoff_again() -> Result {
    let (supervisor, start) = (supervisor(), Instant::now());
    let script = Script::new([FAIL, told(secs(3)), OK, FAIL, FAIL, Step::Fail(secs(20)), FAIL, Step::Wait]);
    let always = RestartPolicy::Always { interval: Some(Duration::ZERO) };
    supervisor.add_task(script.spec("x").with_backoff(growing()).with_restart(always)).await?;
    sleep(secs(60)).await;
    assert_eq!(script.begun_ms(start), [0, 100, 3_100, 3_100, 3_200, 3_400, 23_500, 23_700]);

    let spec = TaskSpec::inherit(TaskFn::arc("progress", |ctx: TaskContext| async move {
        if ctx.attempt() % 2 == 0 {
            ctx.progress();
        }
        let error = TaskError::Fail { reason: "down".into() };
        Err(if ctx.attempt() == 1 { error.retry_after(secs(1)) } else { error })
    }));
    let task = supervisor.add_task(spec.with_backoff(growing())).await?;
    // After 1 s the second attempt: the first in a row, 100 ms; the third: 200 ms; the fourth: 100 ms.
    sleep(ms(1_450)).await;
    assert_eq!(task.status().attempt, 5);
    supervisor.shutdown().await
}

/// The supervisor ended the attempt, and what it returns then is not used.
#[tokio::test(start_paused = true)]
async fn o26_an_attempt_past_its_timeout_tells_nothing() -> Result {
    let (supervisor, start) = (supervisor(), Instant::now());
    let spec = TaskSpec::inherit(TaskFn::arc("x", |ctx: TaskContext| async move {
        ctx.cancelled().await;
        Err(TaskError::error("too late").retry_after(secs(60)))
    }));
    let spec = spec.with_timeout(secs(1)).with_backoff(constant(secs(2))).with_max_retries(1);
    let outcome = supervisor.add_task(spec).await?.outcome().await;
    assert_eq!(outcome.to_string(), "exhausted after 2 failures: timed out after 1s");
    assert_eq!(start.elapsed(), secs(4));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o26_what_it_told_before_a_requested_end_is_the_error_alone() -> Result {
    let (supervisor, start) = (supervisor(), Instant::now());
    let spec = TaskSpec::inherit(TaskFn::arc("x", |ctx: TaskContext| async move {
        ctx.cancelled().await;
        Err(TaskError::error("interrupted").retry_after(secs(60)))
    }));
    let task = supervisor.add_task(spec).await?;
    settle().await;
    assert!(task.restart());
    settle().await;
    assert_eq!(task.status().attempt, 2, "the restart does not wait");
    assert!(task.cancel().await?);
    let outcome = task.outcome().await;
    let TaskOutcome::Canceled { error: Some(error), .. } = &outcome else { panic!("{outcome}") };
    assert!(matches!(**error, TaskError::Error(_)), "{error:?}");
    assert_eq!(start.elapsed(), Duration::ZERO);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o26_a_pause_lasts_longer_than_the_wait() -> Result {
    let (script, start) = (Script::new([told(secs(60)), Step::Wait]), Instant::now());
    let tree = Tree::builder(SupervisorConfig::default()).task(script.spec("x").with_backoff(growing())).build();
    tree.start().await?;
    settle().await;
    assert!(tree.child("x").pause());
    sleep(secs(90)).await;
    assert_eq!(script.attempts(), 1);
    assert!(tree.child("x").resume());
    settle().await;
    assert_eq!(script.begun_ms(start), [0, 90_000]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o26_a_fixed_rate_is_not_moved_by_it() -> Result {
    let (supervisor, start) = (supervisor(), Instant::now());
    let script = Script::new([told(secs(25)), OK]);
    supervisor.add_task(script.spec("x").with_restart(ALWAYS).with_every(secs(10)).with_backoff(growing())).await?;
    sleep(secs(41)).await;
    assert_eq!(script.begun_ms(start), [0, 25_000, 30_000, 40_000]);
    supervisor.shutdown().await
}
