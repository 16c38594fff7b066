//! O05 by a paused clock.

use std::sync::Arc;

use taskvisor::{EventKind, Group, RuntimeError, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec, Tree};
use tests::{Recorder, constant, cooperative, secs};
use tokio::time::sleep;

type Result = std::result::Result<(), RuntimeError>;

/// A task that takes this many seconds to stop.
fn slow(name: &str, seconds: u64) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc(name, move |ctx: TaskContext| async move {
        ctx.cancelled().await;
        sleep(secs(seconds)).await;
        Err(TaskError::Canceled)
    }))
}

/// The reports of a shutdown of this tree.
async fn reports(tree: Tree, recorder: &Recorder) -> std::result::Result<Vec<String>, RuntimeError> {
    tree.start().await?;
    tree.wait_ready().await;
    sleep(secs(1)).await;
    tree.shutdown().await?;
    let told = recorder.seen().into_iter().filter(|seen| seen.kind == EventKind::ShutdownWaiting);
    Ok(told.map(|seen| format!("{}: {}", seen.task.unwrap(), seen.reason.unwrap())).collect())
}

fn config(grace: u64) -> SupervisorConfig {
    SupervisorConfig { grace: secs(grace), ..SupervisorConfig::default() }
}

#[tokio::test(start_paused = true)]
async fn o05_reports_come_ever_more_rarely_and_name_the_one_that_stops_longest() -> Result {
    let recorder = Recorder::new();
    let store = Group::one_for_one("store").task(slow("pool", 10));
    let tree = Tree::builder(config(60))
        .with_subscriber(Arc::clone(&recorder))
        .task(cooperative("a"))
        .group(store)
        .task(slow("b", 3).with_after(["store"]))
        .build();
    let expected = [
        "b: stopping for 1 s, 2 of 3, 59 s left",
        "b: stopping for 2 s, 2 of 3, 58 s left",
        "store/pool: stopping for 1 s, 1 of 3, 56 s left",
        "store/pool: stopping for 5 s, 1 of 3, 52 s left",
    ];
    assert_eq!(reports(tree, &recorder).await?, expected);
    Ok(())
}

/// When a report is due between two layers, none of the tasks that are left is stopping: how long they have run does not
/// count.
#[tokio::test(start_paused = true)]
async fn o05_a_task_of_a_later_layer_is_not_stopping_yet() -> Result {
    for seconds in [1, 2, 4] {
        let recorder = Recorder::new();
        let tree = Tree::builder(config(60))
            .with_subscriber(Arc::clone(&recorder))
            .task(slow("later", 10))
            .task(slow("first", seconds).with_after(["later"]))
            .build();
        let reports = reports(tree, &recorder).await?;
        let of_later: Vec<_> = reports.iter().filter(|report| report.starts_with("later")).collect();
        let since = [1, 2, 4, 8].into_iter().filter(|at| *at >= seconds).map(|at| at - seconds);
        let expected =
            since.map(|since| format!("later: stopping for {since} s, 1 of 2, {} s left", 60 - since - seconds));
        assert!(
            expected.rev().zip(of_later.iter().rev()).all(|(expected, report)| expected == **report),
            "{reports:?}"
        );
        assert!(of_later.len() >= 2, "{reports:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o05_a_task_in_its_final_attempt_is_waited_for() -> Result {
    let recorder = Recorder::new();
    let relay = TaskFn::arc("relay", |ctx: TaskContext| async move {
        if ctx.attempt() == 1 {
            return Err(TaskError::Fail { reason: "the broker is down".into() });
        }
        sleep(secs(3) / 2).await;
        Ok(())
    });
    let relay = TaskSpec::inherit(relay).with_backoff(constant(secs(3600))).with_final_attempt();
    let tree = Tree::builder(config(60))
        .with_subscriber(Arc::clone(&recorder))
        .task(cooperative("pool"))
        .task(relay.with_after(["pool"]))
        .build();
    assert_eq!(reports(tree, &recorder).await?, ["relay: stopping for 1 s, 2 of 2, 59 s left"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o05_a_quick_shutdown_says_nothing_and_a_drain_is_no_wait() -> Result {
    let recorder = Recorder::new();
    let config = SupervisorConfig { drain: secs(20), ..config(60) };
    let tree = Tree::builder(config).with_subscriber(Arc::clone(&recorder)).task(cooperative("a")).build();
    assert!(reports(tree, &recorder).await?.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o05_a_grace_without_an_end_has_no_time_left() -> Result {
    let recorder = Recorder::new();
    let config = SupervisorConfig { grace: std::time::Duration::MAX, ..config(60) };
    let tree = Tree::builder(config).with_subscriber(Arc::clone(&recorder)).task(slow("a", 3)).build();
    assert_eq!(reports(tree, &recorder).await?, ["a: stopping for 1 s, 1 of 1", "a: stopping for 2 s, 1 of 1"]);
    Ok(())
}

/// A task that returns when it is requested to stop, and leaves helpers that do not.
fn leaves(name: &str, helpers: usize) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc(name, move |ctx: TaskContext| async move {
        for _ in 0..helpers {
            ctx.spawn(sleep(secs(3600)));
        }
        ctx.cancelled().await;
        Ok(())
    }))
}

/// A task that ignores its stop request, and has a helper that does.
fn ignores(name: &str) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc(name, |ctx: TaskContext| async move {
        ctx.spawn(sleep(secs(3600)));
        std::future::pending::<()>().await;
        Ok(())
    }))
}

#[tokio::test(start_paused = true)]
async fn o05_a_task_whose_helpers_are_left_is_told_from_one_that_ignores_its_request() -> Result {
    let recorder = Recorder::new();
    let tree = Tree::builder(config(5))
        .with_subscriber(Arc::clone(&recorder))
        .task(leaves("one", 1))
        .task(leaves("two", 2).with_stop_timeout(secs(3) / 2))
        .task(ignores("deaf"))
        .build();
    tree.start().await?;
    tree.wait_ready().await;
    sleep(secs(1)).await;
    let error = tree.shutdown().await.unwrap_err();
    let [one, two] = ["its function has returned, 1 helper runs", "its function has returned, 2 helpers run"];
    assert_eq!(
        error.to_string(),
        format!("3 tasks not stopped in time (grace 5s): one ({one}), two (past its `stop_timeout`: {two}), deaf")
    );
    let RuntimeError::GraceExceeded { helpers, .. } = error else { panic!("{error}") };
    assert_eq!(helpers, [1, 2, 0]);
    let seen = recorder.seen();
    let of = |kind| {
        let told = seen.iter().filter(move |seen| seen.kind == kind);
        told.map(|seen| format!("{}: {}", seen.task.clone().unwrap(), seen.reason.clone().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(
        of(EventKind::ShutdownWaiting),
        [
            format!("one: stopping for 1 s, 3 of 3, 4 s left: {one}"),
            format!("one: stopping for 2 s, 2 of 3, 3 s left: {one}"),
            format!("one: stopping for 4 s, 2 of 3, 1 s left: {one}"),
        ]
    );
    let aborted = "aborted: did not stop in time";
    assert_eq!(
        of(EventKind::TaskFailed),
        [format!("two: {aborted}: {two}"), format!("one: {aborted}: {one}"), format!("deaf: {aborted}")]
    );
    Ok(())
}

/// A restart by hand aborts them too, and the next attempt has nothing of them.
#[tokio::test(start_paused = true)]
async fn o05_the_helpers_of_an_attempt_before_are_not_told() -> Result {
    let recorder = Recorder::new();
    let first = TaskFn::arc("a", |ctx: TaskContext| async move {
        if ctx.attempt() == 1 {
            ctx.spawn(sleep(secs(3600)));
        } else {
            std::future::pending::<()>().await;
        }
        ctx.cancelled().await;
        Ok(())
    });
    let spec = TaskSpec::inherit(first).with_stop_timeout(secs(1));
    let tree = Tree::builder(config(5)).with_subscriber(Arc::clone(&recorder)).task(spec).build();
    tree.start().await?;
    tree.wait_ready().await;
    sleep(secs(1)).await;
    assert!(tree.child("a").restart());
    sleep(secs(5)).await;
    let error = tree.shutdown().await.unwrap_err();
    assert_eq!(error.to_string(), "1 task not stopped in time: a (past its `stop_timeout`)");
    let failed = recorder.seen().into_iter().filter(|seen| seen.kind == EventKind::TaskFailed);
    assert_eq!(
        failed.map(|seen| seen.reason.unwrap()).collect::<Vec<_>>(),
        ["aborted: did not stop in time: its function has returned, 1 helper runs", "aborted: did not stop in time"]
    );
    Ok(())
}

/// Runs a process that cannot create threads: their stacks would be too large.
#[cfg(unix)]
fn threadless(does: &str) -> (Option<i32>, String, String) {
    let mut process = std::process::Command::new(env!("CARGO_BIN_EXE_threadless"));
    let output = process.arg(does).env("RUST_MIN_STACK", (usize::MAX / 8 * 7).to_string()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[cfg(unix)]
#[test]
fn o01_without_a_thread_for_the_exit_the_process_ends_with_the_error() {
    let (status, _, err) = threadless("exit");
    assert!(err.starts_with("Error: cannot listen for signals: ") && !err.contains("panicked"), "{err}");
    assert_eq!(status, Some(2), "{err}");
}

#[cfg(unix)]
#[test]
fn t5_without_threads_of_its_own_a_fleet_shares_the_runtime_of_the_tasks() {
    let (status, out, err) = threadless("fleet");
    assert_eq!((status, out.as_str(), err.as_str()), (Some(0), "an attempt with a lease: true\n", ""));
}

#[test]
fn o01_without_timers_the_process_ends_with_the_error() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_timerless")).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("Error: "), "{err}");
}
