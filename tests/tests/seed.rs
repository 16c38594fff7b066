//! The README of taskvisor's specification: each of its code blocks, copied verbatim and used in a test.
#![allow(
    clippy::ignored_unit_patterns,
    clippy::field_reassign_with_default,
    clippy::let_and_return,
    reason = "the blocks stand as they are"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use taskvisor::{
    BackoffPolicy, CancellationToken, ControllerConfig, ControllerSpec, Event, EventKind, JitterPolicy, RestartPolicy,
    Subscribe, Supervisor, SupervisorConfig, TaskError, TaskFn, TaskRef, TaskSpec,
};
use tests::{FAIL, OK, Script, Step, ms, secs, supervisor};
use tokio::time::Instant;

type Anyhow = Result<(), Box<dyn std::error::Error>>;

#[test]
#[cfg(unix)]
fn quick_start() -> Anyhow {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    let mut child = Command::new(env!("CARGO_BIN_EXE_seed_quick_start")).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line)?;
    assert_eq!(line, "[ping] pong\n");

    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status()?.success());

    assert!(child.wait()?.success(), "it shuts down on Ctrl+C");
    Ok(())
}

fn exponential() -> BackoffPolicy {
    let backoff = BackoffPolicy {
        first: Duration::from_millis(200),
        max: Duration::from_secs(30),
        factor: 2.0,                 // 200ms -> 400ms -> 800ms -> ...
        jitter: JitterPolicy::Equal, // recommended: [delay/2, delay]
    };
    backoff
}

#[test]
fn exponential_backoff_with_jitter() {
    for (n, delay) in [200, 400, 800].into_iter().enumerate() {
        let drawn = exponential().next(u32::try_from(n).unwrap());
        assert!(drawn >= ms(delay / 2) && drawn <= ms(delay), "{drawn:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn per_task_timeout() -> Anyhow {
    let script = Script::new([Step::Succeed(secs(6)), OK]);
    let (task, backoff) = (script.task("slow"), BackoffPolicy::default());
    let start = Instant::now();

    // Task gets 5s per attempt. If exceeded: TimeoutHit event + TaskError::Timeout + retry.
    let spec = TaskSpec::new(task, RestartPolicy::OnFailure, backoff, Some(Duration::from_secs(5)));

    supervisor().run(vec![spec]).await?;
    // The attempt ignores its token and ends within the cleanup window.
    assert_eq!(script.begun_ms(start), [0, 6_100]);
    Ok(())
}

struct Metrics {
    failures: AtomicU64,
}

#[async_trait]
impl Subscribe for Metrics {
    async fn on_event(&self, event: &Event) {
        if matches!(event.kind, EventKind::TaskFailed) {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn custom_subscriber() -> Anyhow {
    let config = SupervisorConfig::default();

    // Pass to supervisor:
    let metrics = Arc::new(Metrics { failures: AtomicU64::new(0) });
    let sup = Supervisor::new(config, vec![metrics.clone()]);

    sup.run(vec![Script::new([FAIL, FAIL, OK]).spec("flaky")]).await?;
    assert_eq!(metrics.failures.load(Ordering::Relaxed), 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn periodic_task() -> Anyhow {
    let script = Script::new([OK]);
    let task = script.task("tick");
    let start = Instant::now();

    // Runs, completes, waits 30s, runs again. Forever.
    let spec = TaskSpec::new(
        task,
        RestartPolicy::Always { interval: Some(Duration::from_secs(30)) },
        BackoffPolicy::default(), // backoff only applies on failure
        None,
    );

    supervisor().run_until(vec![spec], tokio::time::sleep(secs(61))).await?;
    assert_eq!(script.begun_ms(start), [0, 30_000, 60_000]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn runtime_task_management() -> Anyhow {
    let sup = supervisor();
    let spec = tests::cooperative("task-name");
    let other = tests::cooperative("task-name");

    // Add/remove/cancel while running
    sup.add_task(spec).await?;
    sup.cancel("task-name").await?;
    sup.add_task(other).await?;
    sup.remove_task("task-name").await?;
    let alive = sup.is_alive("task-name").await;
    let tasks = sup.list_tasks().await;

    assert!(!alive);
    assert_eq!(tasks, ["task-name"], "told to stop, and not gone yet");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn error_handling() -> Anyhow {
    for (result, kinds) in [
        (Ok(()), &[EventKind::TaskStopped, EventKind::ActorExhausted][..]),
        (Err(TaskError::Fail { reason: "x".into() }), &[EventKind::TaskFailed, EventKind::BackoffScheduled]),
        (Err(TaskError::Timeout { timeout: secs(1) }), &[EventKind::TaskFailed, EventKind::BackoffScheduled]),
        (Err(TaskError::Fatal { reason: "x".into() }), &[EventKind::TaskFailed, EventKind::ActorDead]),
        (Err(TaskError::Canceled), &[EventKind::TaskStopped]),
    ] {
        let (sup, recorder) = tests::recorded();
        let result = std::sync::Mutex::new(Some(result));
        let task: TaskRef = TaskFn::arc("once", move |_: CancellationToken| {
            let result = result.lock().unwrap().take().unwrap_or(Ok(()));
            async { result }
        });
        sup.run(vec![TaskSpec::with_defaults(task, &SupervisorConfig::default())]).await?;
        assert_eq!(recorder.kinds_of("once")[3..3 + kinds.len()], *kinds);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn cancellation_pattern() -> Anyhow {
    async fn do_work() -> Result<(), TaskError> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    }
    let selects: TaskRef = TaskFn::arc("selects", |ctx: CancellationToken| async move {
        // Pattern 1: select! (recommended for long-running tasks)
        tokio::select! {
            _ = ctx.cancelled() => Err(TaskError::Canceled),
            result = do_work() => result,
        }
    });
    let checks: TaskRef = TaskFn::arc("checks", |ctx: CancellationToken| async move {
        // Pattern 2: check before work (ok for short tasks)
        if ctx.is_cancelled() {
            return Err(TaskError::Canceled);
        }
        do_work().await
    });
    let sup = supervisor();
    let always = RestartPolicy::Always { interval: None };
    let [selects, checks] = [selects, checks].map(|task| TaskSpec::inherit(task).with_restart(always));
    let start = Instant::now();
    sup.run_until(vec![selects, checks], tokio::time::sleep(ms(10_500))).await?;
    assert_eq!(start.elapsed(), ms(11_000), "one stops at once, one when its work is done");
    Ok(())
}

#[test]
fn configuration() -> Anyhow {
    let mut cfg = SupervisorConfig::default();
    cfg.grace = Duration::from_secs(30); // shutdown grace period
    cfg.timeout = Duration::from_secs(5); // default per-task timeout (0 = none)
    cfg.max_concurrent = 4; // task concurrency limit (0 = unlimited)
    cfg.bus_capacity = 2048; // event bus ring buffer size
    cfg.restart = RestartPolicy::OnFailure;
    cfg.backoff = BackoffPolicy::default();

    Supervisor::builder(cfg).try_build()?;
    let table = SupervisorConfig::default();
    assert_eq!((table.grace, table.timeout, table.max_concurrent), (secs(60), Duration::ZERO, 0));
    assert_eq!((table.bus_capacity, table.restart), (1024, RestartPolicy::OnFailure));
    assert_eq!((table.backoff.first, table.backoff.max, table.backoff.factor), (ms(100), secs(30), 1.0));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn controller() -> Anyhow {
    let cfg = SupervisorConfig::default();
    let (replaced, replacing, dropped) = (Script::new([Step::Wait]), Script::new([OK]), Script::new([OK]));

    let sup = Supervisor::builder(cfg).with_controller(ControllerConfig::default()).build();

    // Submit with admission policy
    let spec = replaced.spec("task-name");
    sup.submit(ControllerSpec::queue(spec)).await?;
    tests::settle().await;
    let spec = replacing.spec("task-name");
    sup.submit(ControllerSpec::replace(spec)).await?;
    let spec = dropped.spec("task-name");
    sup.submit(ControllerSpec::drop_if_running(spec)).await?;

    tests::settle().await;
    assert_eq!([replaced, replacing, dropped].map(|script| script.attempts()), [1, 1, 0]);
    assert!(sup.list_tasks().await.is_empty(), "the first was told to stop, and made way for the second");
    Ok(())
}
