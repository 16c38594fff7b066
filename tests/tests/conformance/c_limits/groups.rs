//! The limits of groups.

use std::future::pending;
use std::sync::Arc;

use taskvisor::{
    EventKind, Group, RestartPolicy, RuntimeError, Strategy, SupervisorConfig, TaskOutcome, TaskState, Tree,
};
use tests::{ALWAYS, Recorder, Script, Step, constant, ms, secs};
use tokio::time::sleep;

use crate::journal::Journal;

const STRATEGIES: [Strategy; 3] = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];

fn limits(error: &RuntimeError) -> Vec<(String, Option<u32>)> {
    let (RuntimeError::Failed { chain, .. } | RuntimeError::IntensityExceeded { chain, .. }) = error else {
        panic!("{error}")
    };
    chain.links().iter().map(|link| (link.path.clone(), link.limit.map(|(max, _)| max))).collect()
}

#[tokio::test(start_paused = true)]
async fn c01_the_third_failure_stops_the_group_in_order_and_fails_it() {
    let (journal, recorder) = (Journal::new(), Recorder::new());
    let [(a, _), (b, poke), (c, _)] = journal.children(["a", "b", "c"]);
    let group = Group::rest_for_one("g").with_limit(2, secs(3600)).with_max_retries(0).task(a).task(b).task(c);
    let tree = Tree::builder(SupervisorConfig::default()).with_subscriber(Arc::clone(&recorder)).group(group).build();
    let handle = tree.group("g");
    let run = tokio::spawn(async move { tree.run_until(pending()).await });
    sleep(secs(1)).await;
    assert_eq!(handle.status(), Some(TaskState::Running));
    let outcome = tokio::spawn(async move { handle.outcome().await });
    for _ in 0..3 {
        sleep(secs(600)).await;
        poke.fail();
    }
    let error = run.await.unwrap().unwrap_err();
    assert_eq!(limits(&error), [("g/b".into(), None), ("g".into(), Some(2)), ("root".into(), None)]);
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "poked");
    let outcome = outcome.await.unwrap().unwrap();
    assert!(matches!(outcome, TaskOutcome::Exhausted { failures: 1, .. }), "{outcome}");
    let what = journal.take();
    assert_eq!(what[..3], ["+a", "+b", "+c"]);
    assert_eq!(what[3..11], ["-b", "-c", "+b", "+c", "-b", "-c", "+b", "+c"]);
    assert_eq!(what[11..], ["-b", "-c", "-a"]);
    assert_eq!((recorder.count(EventKind::TaskAdded), recorder.count(EventKind::TaskRemoved)), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn c02_failures_further_apart_than_the_window_never_trip() -> Result<(), RuntimeError> {
    for strategy in STRATEGIES {
        let child = Script::new([Step::Fail(ms(2_000))]);
        let group = Group::new("g", strategy)
            .with_limit(1, secs(1))
            .with_max_retries(0)
            .task(child.spec("flaky").with_backoff(constant(ms(100))));
        let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
        tree.start().await?;
        sleep(ms(2_100 * 100 + 1_000)).await;
        assert_eq!(child.attempts(), 101);
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn c03_exactly_the_limit_is_allowed() {
    for strategy in STRATEGIES {
        for max in 0..4u32 {
            let (child, other) = (Script::new([Step::Fail(ms(10))]), Script::new([Step::Wait]));
            let group = Group::new("g", strategy)
                .with_limit(max, secs(60))
                .with_max_retries(0)
                .task(child.spec("flaky").with_backoff(constant(ms(10))))
                .task(other.spec("other"));
            let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
            let error = tree.run_until(pending()).await.unwrap_err();
            assert_eq!(limits(&error)[1], ("g".into(), Some(max)), "{strategy:?}");
            assert_eq!(child.attempts(), max as usize + 1, "{strategy:?}");
            assert_eq!((child.running(), other.running()), (0, 0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn c03_successful_repeats_and_restarts_by_hand_never_count() -> Result<(), RuntimeError> {
    for strategy in STRATEGIES {
        let (repeats, other) = (Script::new([Step::Succeed(ms(10))]), Script::new([Step::Wait]));
        let group = Group::new("g", strategy)
            .with_limit(0, secs(3600))
            .with_max_retries(0)
            .task(repeats.spec("repeats").with_restart(ALWAYS))
            .task(other.spec("other"));
        let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
        tree.start().await?;
        for _ in 0..10 {
            sleep(ms(95)).await;
            assert!(tree.group("g").child("other").restart());
        }
        sleep(ms(45)).await;
        assert!(repeats.attempts() > 90, "{}", repeats.attempts());
        assert_eq!(other.attempts(), 11);
        assert_eq!(tree.group("g").status(), Some(TaskState::Running));
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn c04_a_group_restart_counts_as_one_in_its_parent() {
    let journal = Journal::new();
    let [(x, poke), (y, _), (z, _), (side, _)] = journal.children(["x", "y", "z", "side"]);
    // Each failure of `x` fails the inner group, which restarts four tasks.
    let inner =
        Group::one_for_all("inner").with_limit(0, secs(3600)).with_backoff(constant(secs(1))).task(x).task(y).task(z);
    let outer = Group::one_for_all("outer").with_limit(2, secs(3600)).with_max_retries(0).group(inner).task(side);
    let tree = Tree::builder(SupervisorConfig::default()).group(outer).build();
    let run = tokio::spawn(async move { tree.run_until(pending()).await });
    for round in 1..=3 {
        sleep(secs(60)).await;
        assert_eq!(journal.take().iter().filter(|what| what.starts_with('+')).count(), 4, "round {round}");
        poke.fail();
    }
    let error = run.await.unwrap().unwrap_err();
    let expected = [("outer/inner/x", None), ("outer/inner", Some(0)), ("outer", Some(2)), ("root", None)];
    assert_eq!(limits(&error), expected.map(|(path, limit)| (path.to_owned(), limit)));
}

#[tokio::test(start_paused = true)]
async fn c05_a_restart_whose_start_fails_counts_each_time() {
    for strategy in STRATEGIES {
        let journal = Journal::new();
        let [(a, _), (b, poke)] = journal.children(["a", "b"]);
        let group = Group::new("g", strategy).with_limit(3, secs(3600)).with_max_retries(0).task(a).task(b);
        let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
        // The first start works; after that, `b` fails as soon as it begins.
        let run = tokio::spawn(async move { tree.run_until(pending()).await });
        sleep(secs(60)).await;
        (0..4).for_each(|_| poke.fail());
        let error = run.await.unwrap().unwrap_err();
        assert_eq!(limits(&error)[..2], [("g/b".into(), None), ("g".into(), Some(3))]);
        assert_eq!(journal.take().iter().filter(|what| *what == "+b").count(), 4, "{strategy:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn c05_the_window_starts_anew_with_a_group_restart() -> Result<(), RuntimeError> {
    let child = Script::new([Step::Fail(secs(1))]);
    let never = Script::new([Step::Wait]);
    let group = Group::one_for_one("g")
        .with_limit(1, secs(3600))
        .with_backoff(constant(secs(10)))
        .task(child.spec("flaky").with_backoff(constant(secs(1))))
        .task(never.spec("never").with_restart(RestartPolicy::Never));
    let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
    let start = tokio::time::Instant::now();
    tree.start().await?;
    sleep(secs(30)).await;
    // The second failure exceeds the limit. The group waits for its backoff, and the count starts again.
    assert_eq!(child.begun_ms(start), [0, 2_000, 13_000, 15_000, 26_000, 28_000]);
    assert_eq!(never.begun_ms(start), [0, 13_000, 26_000]);
    tree.shutdown().await
}
