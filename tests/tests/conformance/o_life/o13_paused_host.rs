//! After a pause of the host: a limit whose own timer is late is granted once more before it is judged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use taskvisor::test::Recorder;
use taskvisor::{
    EventKind, Group, Problem, Ready, RuntimeError, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskOutcome,
    TaskSpec, Tree,
};
use tests::{constant, deaf, ms, secs, settle, supervisor};
use tokio::time::{Instant, advance};

#[cfg(unix)]
use crate::e_stop::signals::{LONG, Victim};

type Result = std::result::Result<(), RuntimeError>;

/// Each limit of a task that does nothing.
fn limited() -> [TaskSpec; 3] {
    let spec = |name| deaf(name).with_cleanup(ms(0)).with_max_retries(0);
    [
        spec("timeout").with_timeout(secs(1)),
        spec("start").with_ready(Ready::Signal).with_start_timeout(secs(1)),
        spec("watchdog").with_watchdog(secs(1)),
    ]
}

/// The time after which the task has failed, if the clock jumps by these steps.
async fn struck_after(spec: TaskSpec, steps: impl IntoIterator<Item = u64>) -> Duration {
    let supervisor = supervisor();
    let start = Instant::now();
    let task = supervisor.add_task(spec).await.unwrap();
    settle().await;
    for step in steps {
        advance(ms(step)).await;
        settle().await;
        if let Some(outcome) = task.try_outcome() {
            assert!(matches!(outcome, TaskOutcome::Exhausted { failures: 1, .. }), "{outcome}");
            break;
        }
    }
    let struck = start.elapsed();
    assert!(task.try_outcome().is_some(), "not after {struck:?}");
    struck
}

#[tokio::test(start_paused = true)]
async fn o13_a_late_wake_grants_one_period_more() {
    for spec in limited() {
        // Late by no more than half of the period: judged.
        assert_eq!(struck_after(spec.clone(), [1500, 9000]).await, ms(1500), "{}", spec.name());
        // Late by more than that: it is caught one period later.
        assert_eq!(struck_after(spec.clone(), [1600, 900, 99, 1, 9000]).await, ms(2600), "{}", spec.name());
        assert_eq!(struck_after(spec.clone(), [4000, 1000, 9000]).await, ms(5000), "{}", spec.name());
        // Granted once: a second pause is judged.
        assert_eq!(struck_after(spec.clone(), [4000, 4000, 9000]).await, ms(8000), "{}", spec.name());
    }
}

#[tokio::test(start_paused = true)]
async fn o13_each_attempt_has_its_own_grant() -> Result {
    for spec in limited() {
        let supervisor = supervisor();
        let task = supervisor.add_task(spec.with_max_retries(1).with_backoff(constant(ms(1)))).await?;
        settle().await;
        for failures in [1, 2] {
            advance(secs(3)).await;
            settle().await;
            assert_eq!(task.status().failures, failures - 1, "{}: granted", task.name());
            advance(secs(1)).await;
            settle().await;
            advance(ms(2)).await;
            settle().await;
            if failures == 2 {
                assert!(matches!(task.outcome().await, TaskOutcome::Exhausted { failures: 2, .. }));
            }
        }
    }
    Ok(())
}

/// The first of them says so. Many are late at once, so there is one line a minute.
#[tokio::test(start_paused = true)]
async fn o13_a_late_timer_is_told_once_a_minute() -> Result {
    let makes = Group::one_for_one("fresh")
        .fresh(std::future::pending::<std::result::Result<Vec<TaskSpec>, TaskError>>)
        .with_start_timeout(secs(1));
    let trees = limited().map(|spec| Tree::builder(SupervisorConfig::default()).task(spec.with_max_retries(9)));
    for (n, tree) in trees.into_iter().chain([Tree::builder(SupervisorConfig::default()).group(makes)]).enumerate() {
        let others = (0..9).map(|n| deaf(&format!("other-{n}")).with_timeout(secs(2)));
        let tree = tree.tasks(others.take(if n == 3 { 0 } else { 9 })).build();
        let recorder = Recorder::attach(tree.supervisor());
        tree.start().await?;
        settle().await;
        let warned = || {
            let warned = recorder.events().into_iter().filter(|event| event.kind == EventKind::Warning);
            warned.filter_map(|event| event.reason.map(|reason| reason.to_string())).collect::<Vec<_>>()
        };
        for (late, told) in [(4_500, 1), (30_000, 1), (40_000, 2)] {
            advance(ms(late)).await;
            settle().await;
            // The next attempt begins.
            advance(ms(1_500)).await;
            settle().await;
            tokio::time::sleep(secs(2)).await;
            assert_eq!(warned().len(), told, "{n}: {:?}", warned());
        }
        let expected =
            "its timer fired 3s500ms late, so its time is granted once more: the host was suspended, or code";
        assert!(warned()[0].starts_with(expected), "{n}: {}", warned()[0]);
        let _ = tree.supervisor().shutdown_now().await;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o13_ten_tasks_that_beat_survive_a_pause() -> Result {
    let beaten = Arc::new(AtomicU32::new(0));
    let beats = |n: u32| {
        let beaten = Arc::clone(&beaten);
        let task = TaskFn::arc(format!("t{n}"), move |ctx: TaskContext| {
            let beaten = Arc::clone(&beaten);
            async move {
                loop {
                    if ctx.run_until_cancelled(tokio::time::sleep(ms(800))).await.is_none() {
                        return Ok(());
                    }
                    ctx.heartbeat();
                    beaten.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        TaskSpec::inherit(task).with_watchdog(secs(1))
    };
    // The heartbeat of another task, which is woken after the watchdog.
    let remote = TaskFn::arc("remote", |ctx: TaskContext| async move {
        let inner = ctx.clone();
        ctx.spawn(async move {
            while inner.run_until_cancelled(tokio::time::sleep(ms(800))).await.is_some() {
                tokio::task::yield_now().await;
                inner.heartbeat();
            }
        });
        ctx.cancelled().await;
        Ok(())
    });
    let remote = TaskSpec::inherit(remote).with_watchdog(secs(1)).with_cleanup(ms(0));
    let tree = Tree::builder(SupervisorConfig::default()).tasks((0..10).map(beats)).task(remote).build();
    tree.start().await?;
    settle().await;
    for pause in [300, 3000, 700, 3000, 10_000, 500] {
        advance(ms(pause)).await;
        settle().await;
        advance(ms(100)).await;
        settle().await;
        for n in 0..10 {
            assert_eq!(tree.child(&format!("t{n}")).status().unwrap().attempt, 1, "{pause}");
        }
        assert_eq!(tree.child("remote").status().unwrap().attempt, 1, "{pause}");
        assert!(tree.health().is_live());
    }
    assert!(beaten.load(Ordering::SeqCst) > 30);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o13_health_grants_what_the_watchdog_grants() -> Result {
    let tree = Tree::builder(SupervisorConfig { grace: ms(1), ..SupervisorConfig::default() })
        .task(deaf("t").with_watchdog(secs(60)).with_cleanup(ms(0)))
        .build();
    tree.start().await?;
    settle().await;
    advance(secs(100)).await;
    settle().await;
    let health = tree.health();
    assert!(health.is_live() && !health.is_ready(), "{health:?}");
    assert!(matches!(health.not_ready[0].problem, Problem::Quiet { .. }));
    assert_eq!(tree.child("t").status().unwrap().attempt, 1);
    advance(secs(60)).await;
    settle().await;
    assert!(matches!(*tree.child("t").status().unwrap().last_error.unwrap(), TaskError::Silent { .. }));
    let _ = tree.shutdown().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o13_a_result_beside_the_late_wake_is_taken() -> Result {
    let task = TaskFn::arc("t", |_: TaskContext| async {
        tokio::time::sleep(ms(1100)).await;
        Ok(())
    });
    let supervisor = supervisor();
    let task = supervisor.add_task(TaskSpec::inherit(task).with_timeout(secs(1)).with_max_retries(0)).await?;
    settle().await;
    advance(secs(5)).await;
    assert!(task.outcome().await.is_completed());
    Ok(())
}

/// A real pause: ten tasks that beat, in a process that is stopped for three times their watchdog.
#[cfg(unix)]
#[test]
fn o13_a_process_that_was_stopped_restarts_no_task() {
    let tasks: Vec<String> = (0..10).map(|n| format!("beats-{n}")).collect();
    let arguments: Vec<&str> = [LONG, "beats-quiet"].into_iter().chain(tasks.iter().map(String::as_str)).collect();
    let mut watchdogs = tests::longer(secs(1)).take(2);
    let mut longer = || watchdogs.next().expect("a busy machine runs each task in time");
    let mut watchdog = longer();
    loop {
        let mut victim = Victim::start_with(watchdog, &arguments);
        victim.signal("-STOP");
        std::thread::sleep(3 * watchdog);
        if !victim.is_stopped() {
            // Something else has let it go on, so it may have had no pause.
            continue;
        }
        victim.signal("-CONT");
        // Each has beaten after the pause.
        assert_eq!(victim.line(), "beaten\n");
        victim.signal("-TERM");
        let ended = victim.wait();
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        if ended.stdout == "attempts: 10\n" {
            break;
        }
        watchdog = longer();
    }
}
