//! Quiet or dead: a heartbeat that a probe decides, the failure of a watchdog, and readiness before it strikes.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use taskvisor::{
    CancellationToken, Problem, RestartPolicy, RuntimeError, SupervisorConfig, TaskContext, TaskError, TaskFn,
    TaskOutcome, TaskSpec, Tree,
};
use tests::{constant, deaf, ms, placeless, secs, settle, supervisor};
use tokio::time::{sleep, timeout};

type Result = std::result::Result<(), RuntimeError>;

fn tree(spec: TaskSpec) -> Tree {
    Tree::builder(SupervisorConfig { grace: secs(1), ..SupervisorConfig::default() }).task(spec).build()
}

/// A server whose heartbeat depends on a flag; counts the calls of its probe.
fn server(is_well: &Arc<AtomicBool>, probed: &Arc<AtomicU32>) -> TaskSpec {
    let (is_well, probed) = (Arc::clone(is_well), Arc::clone(probed));
    let task = TaskFn::arc("serve", move |ctx: TaskContext| {
        let (is_well, probed) = (Arc::clone(&is_well), Arc::clone(&probed));
        async move {
            let probe = move || {
                probed.fetch_add(1, Ordering::SeqCst);
                let is_well = is_well.load(Ordering::SeqCst);
                async move { is_well }
            };
            ctx.heartbeat_while(probe, secs(5));
            ctx.cancelled().await;
            Ok(())
        }
    });
    TaskSpec::inherit(task).with_watchdog(secs(60)).with_backoff(constant(secs(1)))
}

#[tokio::test(start_paused = true)]
async fn o17_the_failure_of_a_watchdog_is_a_silence_and_no_timeout() -> Result {
    let supervisor = supervisor();
    for cleanup in [ms(0), secs(1)] {
        let spec = deaf("t").with_watchdog(secs(60)).with_cleanup(cleanup).with_restart(RestartPolicy::Never);
        let outcome = supervisor.add_task(spec).await?.outcome().await;
        let TaskOutcome::Failed { error } = &outcome else { panic!("{outcome}") };
        assert!(matches!(**error, TaskError::Silent { silence } if silence == secs(60)));
        assert_eq!((error.to_string(), error.as_label()), ("silent for 60s".to_owned(), "task_silent"));
        assert!(error.is_retryable() && !error.is_fatal());
    }
    let spec = deaf("t").with_timeout(secs(60)).with_restart(RestartPolicy::Never);
    let outcome = supervisor.add_task(spec).await?.outcome().await;
    assert!(matches!(outcome.error().map(|error| &**error), Some(TaskError::Timeout { .. })), "{outcome}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o17_readyz_tells_before_it_strikes() -> Result {
    let tree = tree(deaf("t").with_watchdog(secs(60)).with_cleanup(ms(0)).with_backoff(constant(secs(600))));
    tree.start().await?;
    sleep(secs(44)).await;
    assert!(tree.health().is_ready());
    sleep(secs(2)).await;
    let health = tree.health();
    assert!(!health.is_ready() && health.is_live());
    assert!(matches!(health.not_ready[0].problem, Problem::Quiet { watchdog, .. } if watchdog == secs(60)));
    let body = health.readyz().body;
    let expected = "not ready\nt: not ready: no heartbeat for 46s, its watchdog allows 60s, since 20";
    assert!(body.starts_with(expected), "{body}");
    sleep(secs(15)).await;
    assert_eq!(tree.child("t").status().unwrap().failures, 1, "it has struck");
    let _ = tree.shutdown().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o17_one_that_beats_twice_in_its_time_is_never_quiet() -> Result {
    let beats = TaskFn::arc("beats", |ctx: TaskContext| async move {
        while ctx.run_until_cancelled(sleep(secs(30))).await.is_some() {
            ctx.heartbeat();
        }
        Ok(())
    });
    let tree = tree(TaskSpec::inherit(beats).with_watchdog(secs(60)));
    tree.start().await?;
    for _ in 0..1000 {
        sleep(ms(777)).await;
        assert!(tree.health().is_ready());
    }
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o17_a_heartbeat_follows_its_probe() -> Result {
    let (is_well, probed) = (Arc::new(AtomicBool::new(true)), Arc::default());
    let tree = tree(server(&is_well, &probed));
    tree.start().await?;
    sleep(secs(1000)).await;
    assert!(tree.health().is_ready());
    assert_eq!(tree.child("serve").status().unwrap().attempt, 1);
    assert_eq!(probed.load(Ordering::SeqCst), 200);
    // A probe that fails makes it quiet at once.
    is_well.store(false, Ordering::SeqCst);
    sleep(secs(6)).await;
    let health = tree.health();
    assert!(health.is_live() && !health.is_ready());
    assert!(matches!(health.not_ready[0].problem, Problem::Quiet { .. }));
    // It recovers.
    is_well.store(true, Ordering::SeqCst);
    sleep(secs(5)).await;
    assert!(tree.health().is_ready());
    assert_eq!(tree.child("serve").status().unwrap().attempt, 1);
    // Or it is dead.
    is_well.store(false, Ordering::SeqCst);
    sleep(secs(66)).await;
    let status = tree.child("serve").status().unwrap();
    assert!(matches!(*status.last_error.unwrap(), TaskError::Silent { .. }));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o17_a_context_of_an_earlier_attempt_sends_no_heartbeat() -> Result {
    let leaks = TaskFn::arc("leaks", |ctx: TaskContext| async move {
        if ctx.attempt() == 1 {
            tokio::spawn(async move {
                loop {
                    sleep(secs(1)).await;
                    ctx.heartbeat();
                }
            });
            return Err(TaskError::Fail { reason: "first".into() });
        }
        pending().await
    });
    let supervisor = supervisor();
    let spec = TaskSpec::inherit(leaks).with_watchdog(secs(10)).with_max_retries(1).with_cleanup(ms(0));
    let task = supervisor.add_task(spec).await?;
    let outcome = timeout(secs(3600), task.outcome()).await.expect("a heartbeat of the first attempt counted");
    assert!(matches!(outcome.error().map(|error| &**error), Some(TaskError::Silent { .. })), "{outcome}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o17_a_probe_that_hangs_sends_no_heartbeat() -> Result {
    let hangs = TaskFn::arc("hangs", |ctx: TaskContext| async move {
        ctx.heartbeat_while(pending, secs(1));
        ctx.cancelled().await;
        Ok(())
    });
    let supervisor = supervisor();
    let spec = TaskSpec::inherit(hangs).with_watchdog(secs(10)).with_max_retries(0);
    let outcome = supervisor.add_task(spec).await?.outcome().await;
    assert!(matches!(outcome.error().map(|error| &**error), Some(TaskError::Silent { .. })), "{outcome}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o17_a_probe_that_panics_is_a_failure_with_that_panic() -> Result {
    let panics = TaskFn::arc("panics", |ctx: TaskContext| async move {
        ctx.heartbeat_while(|| async { panic!("in the probe") }, secs(1));
        ctx.cancelled().await;
        Ok(())
    });
    let supervisor = supervisor();
    let spec = TaskSpec::inherit(panics).with_watchdog(secs(10)).with_restart(RestartPolicy::Never);
    let outcome = supervisor.add_task(spec).await?.outcome().await;
    assert_eq!(placeless(outcome), "panicked: in the probe");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o17_the_probe_ends_with_its_attempt() -> Result {
    let (is_well, probed) = (Arc::new(AtomicBool::new(true)), Arc::<AtomicU32>::default());
    let supervisor = supervisor();
    let task = supervisor.add_task(server(&is_well, &probed)).await?;
    sleep(secs(12)).await;
    assert!(task.cancel().await?);
    let before = probed.load(Ordering::SeqCst);
    sleep(secs(100)).await;
    assert_eq!((before, probed.load(Ordering::SeqCst)), (3, 3));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o17_without_a_watchdog_or_a_supervisor_no_probe_is_called() -> Result {
    let (is_well, probed) = (Arc::new(AtomicBool::new(true)), Arc::<AtomicU32>::default());
    let spec = server(&is_well, &probed);
    let task = TaskSpec::inherit(Arc::clone(spec.task()));
    let supervisor = supervisor();
    let task = supervisor.add_task(task).await?;
    sleep(secs(100)).await;
    task.cancel().await?;
    let context = TaskContext::detached("t", CancellationToken::new());
    context.heartbeat_while(|| async { unreachable!() }, secs(0));
    settle().await;
    assert_eq!(probed.load(Ordering::SeqCst), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o17_a_period_that_cannot_work_is_a_clear_failure() -> Result {
    let supervisor = supervisor();
    for every in [secs(0), secs(10), secs(11)] {
        let task = TaskFn::arc("t", move |ctx: TaskContext| async move {
            ctx.heartbeat_while(|| async { true }, every);
            ctx.cancelled().await;
            Ok(())
        });
        let spec = TaskSpec::inherit(task).with_watchdog(secs(10)).with_restart(RestartPolicy::Never);
        let outcome = supervisor.add_task(spec).await?.outcome().await;
        let expected = format!(
            "panicked: `heartbeat_while` every {every:?}: it must be longer than zero and shorter than the watchdog, \
             which is 10s"
        );
        assert_eq!(placeless(outcome), expected);
    }
    Ok(())
}

/// Probes that run beside stops.
async fn races() {
    for _ in 0..200 {
        let (is_well, probed) = (Arc::new(AtomicBool::new(true)), Arc::default());
        let supervisor = supervisor();
        let task = supervisor.add_task(server(&is_well, &probed)).await.unwrap();
        while probed.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        assert!(task.cancel().await.unwrap());
        supervisor.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn o17_a_probe_does_not_hold_up_a_stop_on_one_thread() {
    races().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o17_a_probe_does_not_hold_up_a_stop_on_two_threads() {
    races().await;
}
