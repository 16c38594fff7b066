//! The answers to `/livez` and `/readyz`.

use taskvisor::{Group, Probe, Ready, RuntimeError, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec, Tree};
use tests::{ALWAYS, FAIL, OK, Script, Step, another_turn, constant, deaf, ms, secs, settle};
use tokio::time::sleep;

fn livez(tree: &Tree) -> (u16, String) {
    let Probe { status, body, .. } = tree.health().livez();
    (status, without_times(&body))
}

fn readyz(tree: &Tree) -> (u16, String) {
    let Probe { status, body, .. } = tree.health().readyz();
    (status, without_times(&body))
}

/// Removes the times of day, which are real even where time is paused.
fn without_times(body: &str) -> String {
    let lines = body.lines().map(|line| match line.rsplit_once(", since ") {
        Some((who, since)) => {
            assert!(since.len() == "2026-11-23T08:15:30Z".len() && since.ends_with('Z'), "{since}");
            format!("{who}\n")
        }
        None => format!("{line}\n"),
    });
    lines.collect()
}

fn ok() -> (u16, String) {
    (200, "ok\n".to_owned())
}

fn no(body: &str) -> (u16, String) {
    (503, body.to_owned())
}

#[tokio::test(start_paused = true)]
async fn probes_follow_a_tree_from_its_start_to_its_end() -> Result<(), RuntimeError> {
    let slow = TaskFn::arc("slow", |ctx: TaskContext| async move {
        sleep(secs(2)).await;
        ctx.ready();
        ctx.cancelled().await;
        sleep(secs(3)).await;
        Err(TaskError::Canceled)
    });
    let flaky = Script::new([Step::Wait, FAIL, Step::Wait]).spec("flaky").with_backoff(constant(secs(5)));
    let config = SupervisorConfig { drain: secs(10), ..SupervisorConfig::default() };
    let tree = Tree::builder(config)
        .task(TaskSpec::inherit(slow).with_ready(Ready::Signal))
        .group(Group::one_for_one("g").task(flaky.with_restart(ALWAYS)))
        .build();
    assert_eq!((livez(&tree), readyz(&tree)), (ok(), no("not ready\nnot started\n")));

    tree.start().await?;
    settle().await;
    assert_eq!((livez(&tree), readyz(&tree)), (ok(), no("not ready\nslow: not ready: running\n")));
    sleep(secs(2)).await;
    settle().await;
    assert_eq!((livez(&tree), readyz(&tree)), (ok(), ok()));

    assert!(tree.child("g/flaky").restart());
    settle().await;
    assert_eq!((livez(&tree), readyz(&tree)), (ok(), no("not ready\ng/flaky: not ready: backoff\n")));
    sleep(secs(6)).await;
    assert_eq!(readyz(&tree), ok());

    let shutdown = tree.shutdown();
    assert_eq!((livez(&tree), readyz(&tree)), (ok(), no("not ready\nshutting down\n")));
    sleep(secs(11)).await;
    let stopping = no("not ready\nshutting down\nslow: not ready: stopping\n");
    assert_eq!((livez(&tree), readyz(&tree)), (ok(), stopping));
    shutdown.await?;
    assert_eq!((livez(&tree), readyz(&tree)), (no("not live\nstopped\n"), no("not ready\nstopped\n")));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_has_ended_of_itself_takes_tasks_and_is_well() -> Result<(), RuntimeError> {
    let tree = Tree::builder(SupervisorConfig::default()).task(Script::new([OK]).spec("migrate")).build();
    tree.run().await?;
    assert_eq!((livez(&tree), readyz(&tree)), (ok(), ok()));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_has_failed_is_not_live() {
    let fails = Script::new([Step::Fatal]).spec("core").critical();
    let tree = Tree::builder(SupervisorConfig::default()).task(fails).build();
    let failure = tree.run().await.unwrap_err();
    let reason = format!("stopped, as the tree failed: {failure:#}\n");
    assert_eq!(tree.health().livez().body, format!("not live\n{reason}"));
    assert_eq!(tree.health().readyz().body, format!("not ready\n{reason}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_task_is_not_live() -> Result<(), RuntimeError> {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Arc::new(std::sync::Mutex::new(released));
    let stuck = TaskFn::arc("a\nb", move |_: TaskContext| {
        let released = released.clone();
        async move {
            another_turn().await;
            let _ = released.lock().unwrap().recv();
            Ok(())
        }
    });
    let tree = Tree::builder(SupervisorConfig::default()).task(TaskSpec::inherit(stuck).with_watchdog(ms(20))).build();
    tree.start().await?;
    let stuck = async {
        while livez(&tree).0 == 200 {
            sleep(ms(1)).await;
        }
    };
    tokio::time::timeout(secs(60), stuck).await.expect("its watchdog is over");
    assert_eq!(livez(&tree), no("not live\na\\nb: silent for longer than its watchdog allows\n"));
    release.send(()).unwrap();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_body_is_short_however_many_are_not_well() -> Result<(), RuntimeError> {
    let slow = |n: u32| deaf(&format!("{n}-{}", "ü".repeat(1000))).with_ready(Ready::Signal);
    let tree = Tree::builder(SupervisorConfig::default()).tasks((0..1000).map(slow)).build();
    tree.start().await?;
    settle().await;
    let Probe { status, body, .. } = tree.health().readyz();
    assert_eq!((status, body.lines().count(), body.lines().last()), (503, 34, Some("and 968 more")));
    assert!(body.len() < 16 * 1024, "{}", body.len());
    assert!(body.starts_with("not ready\n0-üü"), "{body}");
    Ok(())
}
