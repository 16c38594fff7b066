//! I01. The exact sequences of events of common runs.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use taskvisor::{
    BoxTaskFuture, CancellationToken, RestartPolicy, RuntimeError, SupervisorConfig, Task, TaskContext, TaskError,
    TaskFn, TaskSpec,
};
use tests::{
    ALWAYS, FAIL, OK, PANIC, Recorder, Script, Step, constant, cooperative, deaf, recorded, recorded_with, secs,
};

type Result = std::result::Result<(), RuntimeError>;

/// One line for each event: kind, task, attempt, delay and reason, where present.
fn told(recorder: &Recorder) -> Vec<String> {
    let seen = recorder.seen();
    assert!(seen.iter().map(|seen| seen.seq).eq(1..=seen.len() as u64), "none is missing");
    let line = |seen: tests::Seen| {
        let mut line = seen.kind.to_string();
        assert!(seen.task.is_some() == seen.id.is_some() || seen.kind == taskvisor::EventKind::ShutdownWaiting);
        for part in [seen.task, seen.attempt.map(|n| format!("#{n}")), seen.delay_ms.map(|ms| format!("+{ms}ms"))] {
            let _ = part.map(|part| write!(line, " {part}"));
        }
        let _ = seen.reason.map(|reason| write!(line, ": {reason}"));
        line
    };
    seen.into_iter().map(line).collect()
}

/// Runs one task until it ends or for this long, and compares the events.
async fn expect<const N: usize>(spec: TaskSpec, time: Duration, expected: [&str; N]) {
    let (supervisor, recorder) = recorded();
    let until =
        async { if time < Duration::MAX { tokio::time::sleep(time).await } else { std::future::pending().await } };
    supervisor.run_until(vec![spec], until).await.unwrap();
    assert_eq!(told(&recorder), expected);
}

#[tokio::test(start_paused = true)]
async fn i01_success() {
    let expected = [
        "TaskAddRequested x",
        "TaskAdded x",
        "TaskStarting x #1",
        "TaskStopped x #1",
        "ActorExhausted x #1",
        "TaskRemoved x",
    ];
    for restart in [RestartPolicy::Never, RestartPolicy::OnFailure] {
        expect(Script::new([OK]).spec("x").with_restart(restart), Duration::MAX, expected).await;
    }
}

#[tokio::test(start_paused = true)]
async fn i01_a_failure_and_a_retry() {
    let expected = [
        "TaskAddRequested x",
        "TaskAdded x",
        "TaskStarting x #1",
        "TaskFailed x #1: failure 1",
        "BackoffScheduled x #1 +2000ms: failure 1",
        "TaskStarting x #2",
        "TaskFailed x #2: panicked: panic 2",
        "BackoffScheduled x #2 +2000ms: panicked: panic 2",
        "TaskStarting x #3",
        "TaskStopped x #3",
        "ActorExhausted x #3",
        "TaskRemoved x",
    ];
    let spec = Script::new([FAIL, PANIC, OK]).spec("x").with_backoff(constant(secs(2)));
    expect(spec, Duration::MAX, expected).await;
}

#[tokio::test(start_paused = true)]
async fn i01_a_failure_with_never() {
    let expected = [
        "TaskAddRequested x",
        "TaskAdded x",
        "TaskStarting x #1",
        "TaskFailed x #1: failure 1",
        "ActorExhausted x #1: failure 1",
        "TaskRemoved x",
    ];
    expect(Script::new([FAIL]).spec("x").with_restart(RestartPolicy::Never), Duration::MAX, expected).await;
}

#[tokio::test(start_paused = true)]
async fn i01_failures_past_the_retries() {
    let expected = [
        "TaskAddRequested x",
        "TaskAdded x",
        "TaskStarting x #1",
        "TaskFailed x #1: failure 1",
        "BackoffScheduled x #1 +100ms: failure 1",
        "TaskStarting x #2",
        "TaskFailed x #2: failure 2",
        "ActorExhausted x #2: failure 2",
        "TaskRemoved x",
    ];
    expect(Script::new([FAIL]).spec("x").with_max_retries(1), Duration::MAX, expected).await;
}

#[tokio::test(start_paused = true)]
async fn i01_fatal() {
    let expected = [
        "TaskAddRequested x",
        "TaskAdded x",
        "TaskStarting x #1",
        "TaskFailed x #1: fatal",
        "ActorDead x #1: fatal",
        "TaskRemoved x",
    ];
    expect(Script::new([Step::Fatal]).spec("x").with_restart(ALWAYS), Duration::MAX, expected).await;
}

#[tokio::test(start_paused = true)]
async fn i01_canceled_of_its_own_accord() {
    let expected =
        ["TaskAddRequested x", "TaskAdded x", "TaskStarting x #1", "TaskStopped x #1: canceled", "TaskRemoved x"];
    expect(Script::new([Step::Cancel]).spec("x").with_restart(ALWAYS), Duration::MAX, expected).await;
}

#[tokio::test(start_paused = true)]
async fn i01_a_timeout() {
    let expected = [
        "TaskAddRequested x",
        "TaskAdded x",
        "TaskStarting x #1",
        "TimeoutHit x #1",
        "TaskFailed x #1: timed out after 3s",
        "BackoffScheduled x #1 +100ms: timed out after 3s",
        "TaskStarting x #2",
        "TaskStopped x #2",
        "ActorExhausted x #2",
        "TaskRemoved x",
    ];
    for first in [Step::Wait, Step::Deaf] {
        expect(Script::new([first, OK]).spec("x").with_timeout(secs(3)), Duration::MAX, expected).await;
    }
}

#[tokio::test(start_paused = true)]
async fn i01_a_timeout_with_never() {
    let expected = [
        "TaskAddRequested x",
        "TaskAdded x",
        "TaskStarting x #1",
        "TimeoutHit x #1",
        "TaskFailed x #1: timed out after 3s",
        "ActorExhausted x #1: timed out after 3s",
        "TaskRemoved x",
    ];
    let spec = Script::new([Step::Wait]).spec("x").with_restart(RestartPolicy::Never).with_timeout(secs(3));
    expect(spec, Duration::MAX, expected).await;
}

#[tokio::test(start_paused = true)]
async fn i01_a_periodic_task_and_a_shutdown_while_it_waits() {
    let expected = [
        "TaskAddRequested x",
        "TaskAdded x",
        "TaskStarting x #1",
        "TaskStopped x #1",
        "BackoffScheduled x #1 +10000ms: interval",
        "TaskStarting x #2",
        "TaskStopped x #2",
        "BackoffScheduled x #2 +10000ms: interval",
        "ShutdownRequested: run_until",
        "TaskRemoved x: shutdown",
        "AllStoppedWithinGrace",
    ];
    let spec = Script::new([OK]).spec("x").with_restart(RestartPolicy::Always { interval: Some(secs(10)) });
    expect(spec, secs(15), expected).await;
}

#[tokio::test(start_paused = true)]
async fn i01_a_periodic_task_without_an_interval() {
    let expected = [
        "TaskAddRequested x",
        "TaskAdded x",
        "TaskStarting x #1",
        "TaskStopped x #1",
        "TaskStarting x #2",
        "TaskStopped x #2: canceled",
        "TaskRemoved x",
    ];
    expect(Script::new([OK, Step::Cancel]).spec("x").with_restart(ALWAYS), Duration::MAX, expected).await;
}

/// Cancels or removes a task after a second, and compares the events since then.
async fn expect_after_cancel<const N: usize>(spec: TaskSpec, expected: [&str; N]) -> Result {
    for removes in [false, true] {
        let (supervisor, recorder) = recorded();
        let task = supervisor.add_task(spec.clone()).await?;
        tokio::time::sleep(secs(1)).await;
        let before = recorder.seen().len();
        if removes {
            supervisor.remove_task("x").await?;
        } else {
            assert!(supervisor.cancel("x").await?);
        }
        task.outcome().await;
        tokio::time::sleep(secs(100)).await;
        let reason = if removes { ": removed" } else { ": canceled" };
        assert_eq!(told(&recorder)[before..], expected.map(|line| line.replace(": canceled", reason)));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn i01_cancel_and_remove_while_running() -> Result {
    let stopped = ["TaskRemoveRequested x", "TaskStopped x #1: canceled", "TaskRemoved x"];
    expect_after_cancel(cooperative("x"), stopped).await?;
    expect_after_cancel(TaskSpec::inherit(Arc::new(WithoutContext)), stopped).await?;
    let fails = TaskFn::arc("x", |ctx: TaskContext| async move {
        ctx.cancelled().await;
        Err(TaskError::Fail { reason: "dirty".into() })
    });
    let dirty = ["TaskRemoveRequested x", "TaskStopped x #1: dirty", "TaskRemoved x"];
    expect_after_cancel(TaskSpec::inherit(fails), dirty).await
}

/// A task without a context: it is dropped when it is requested to stop.
struct WithoutContext;

impl Task for WithoutContext {
    fn name(&self) -> &'static str {
        "x"
    }

    fn spawn(&self, _: CancellationToken) -> BoxTaskFuture {
        Box::pin(std::future::pending())
    }

    fn takes_context(&self) -> bool {
        false
    }
}

#[tokio::test(start_paused = true)]
async fn i01_cancel_and_remove_in_backoff_interval_and_initial_delay() -> Result {
    let removed = ["TaskRemoveRequested x", "TaskRemoved x: canceled"];
    let interval = RestartPolicy::Always { interval: Some(secs(10)) };
    expect_after_cancel(Script::new([FAIL]).spec("x").with_backoff(constant(secs(10))), removed).await?;
    expect_after_cancel(Script::new([OK]).spec("x").with_restart(interval), removed).await?;
    expect_after_cancel(cooperative("x").with_initial_delay(secs(10)), removed).await
}

#[tokio::test(start_paused = true)]
async fn i01_cancel_and_remove_of_a_deaf_task() -> Result {
    let aborted = ["TaskRemoveRequested x", "TaskFailed x #1: aborted: did not stop in time", "TaskRemoved x"];
    expect_after_cancel(deaf("x").with_stop_timeout(secs(2)), aborted).await
}

#[tokio::test(start_paused = true)]
async fn i01_told_to_stop_while_cleaning_up_after_a_timeout() -> Result {
    let canceled = ["TaskRemoveRequested x", "TaskStopped x #1: timed out after 500ms", "TaskRemoved x"];
    let (supervisor, recorder) = recorded();
    supervisor.add_task(deaf("x").with_timeout(Duration::from_millis(500))).await?;
    tokio::time::sleep(secs(1)).await;
    assert!(supervisor.cancel("x").await?);
    tokio::time::sleep(secs(1)).await;
    assert_eq!(told(&recorder)[3], "TimeoutHit x #1");
    assert_eq!(told(&recorder)[4..], canceled);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn i01_remove_of_an_unknown_name_tells_nothing() -> Result {
    let (supervisor, recorder) = recorded();
    supervisor.add_task(cooperative("x")).await?;
    assert!(supervisor.remove_task("y").await.is_err());
    assert!(!supervisor.cancel("y").await?);
    tokio::time::sleep(secs(1)).await;
    assert_eq!(told(&recorder), ["TaskAddRequested x", "TaskAdded x", "TaskStarting x #1"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn i01_a_shutdown_within_the_grace() -> Result {
    let (supervisor, recorder) = recorded();
    let specs = vec![cooperative("a"), cooperative("b")];
    supervisor.run_until(specs, tokio::time::sleep(secs(1))).await?;
    let expected = [
        "TaskAddRequested a",
        "TaskAdded a",
        "TaskAddRequested b",
        "TaskAdded b",
        "TaskStarting a #1",
        "TaskStarting b #1",
        "ShutdownRequested: run_until",
        "TaskStopped a #1: shutdown",
        "TaskRemoved a",
        "TaskStopped b #1: shutdown",
        "TaskRemoved b",
        "AllStoppedWithinGrace",
    ];
    assert_eq!(told(&recorder), expected);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn i01_a_shutdown_past_the_grace() {
    let (supervisor, recorder) = recorded_with(SupervisorConfig { grace: secs(4), ..SupervisorConfig::default() });
    let specs = vec![cooperative("a"), deaf("b")];
    assert!(supervisor.run_until(specs, tokio::time::sleep(secs(1))).await.is_err());
    let expected = [
        "ShutdownRequested: run_until",
        "TaskStopped a #1: shutdown",
        "TaskRemoved a",
        "ShutdownWaiting b +1000ms: stopping for 1 s, 1 of 2, 3 s left",
        "ShutdownWaiting b +2000ms: stopping for 2 s, 1 of 2, 2 s left",
        "TaskFailed b #1: aborted: did not stop in time",
        "TaskRemoved b",
        "GraceExceeded: 1 task not stopped in time (grace 4s): b",
    ];
    assert_eq!(told(&recorder)[6..], expected);
}

#[tokio::test(start_paused = true)]
async fn i01_a_restart_by_hand() -> Result {
    let (supervisor, recorder) = recorded();
    let task = supervisor.add_task(Script::new([Step::Wait, FAIL]).spec("x")).await?;
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(task.restart());
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
    let expected = [
        "TaskStopped x #1: restart",
        "TaskStarting x #2",
        "TaskFailed x #2: failure 2",
        "BackoffScheduled x #2 +100ms: failure 2",
        "TaskStarting x #3",
        "TaskFailed x #3: failure 3",
        "BackoffScheduled x #3 +100ms: failure 3",
    ];
    assert_eq!(told(&recorder)[3..], expected);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn i01_the_end_between_two_attempts_has_its_stop() {
    let (supervisor, recorder) = recorded();
    let task = supervisor.add_task(cooperative("x").with_initial_delay(secs(60))).await.unwrap();
    assert!(supervisor.cancel("x").await.unwrap() && task.try_outcome().is_some());
    supervisor.shutdown().await.unwrap();
    let removed = recorder.seen().into_iter().find(|seen| seen.kind == taskvisor::EventKind::TaskRemoved).unwrap();
    assert_eq!((removed.reason.as_deref(), removed.stop), (Some("canceled"), Some(taskvisor::StopReason::Canceled)));
}
