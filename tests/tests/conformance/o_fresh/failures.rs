//! A start that fails: the function returns an error, panics or takes too long, or a child is refused.

use std::convert::Infallible;
use std::error::Error as _;
use std::io;
use std::sync::{Arc, Mutex};

use taskvisor::{
    EventKind, Group, Problem, RestartPolicy, RuntimeError, SupervisorConfig, TaskError, TaskSpec, TaskState, Tree,
    record_panics,
};
use tests::{Recorder, cooperative, placeless, secs, settle};
use tokio::time::{Instant, sleep};

use super::{Calls, Result, group, tree};

/// A function that fails this many times, and then makes `a`.
fn failing(calls: &Calls, times: usize) -> impl Fn() -> std::future::Ready<io::Result<Vec<TaskSpec>>> + use<> {
    let calls = calls.clone();
    move || {
        let fails = calls.next() <= times;
        let refused = || io::Error::new(io::ErrorKind::ConnectionRefused, "the pool refused");
        std::future::ready(if fails { Err(refused()) } else { Ok(vec![cooperative("a")]) })
    }
}

#[tokio::test(start_paused = true)]
async fn o52_a_failed_start_is_retried_after_the_backoff_of_the_group() -> Result {
    let calls = Calls::default();
    let (tree, recorder) = tree(group("g").fresh(failing(&calls, 2)));
    tree.start().await?;
    sleep(secs(1)).await;
    let handle = tree.group("g");
    assert_eq!((calls.count(), handle.status()), (1, Some(TaskState::Backoff)));
    let health = handle.health();
    assert_eq!(health.not_ready[0].problem, Problem::NotReady(TaskState::Backoff));
    let line = health.not_ready[0].to_string();
    assert!(
        line.starts_with("g: not ready: backoff: `g` could not make its children (the pool refused), since"),
        "{line}"
    );
    assert!(tree.health().readyz().body.contains("the pool refused"), "{:?}", tree.health());
    let node = tree.snapshot().root.children.remove(0);
    assert_eq!(node.last_error.as_deref(), Some("`g` could not make its children (the pool refused)"));
    assert_eq!((node.fresh, node.children.len(), node.restarts), (true, 0, 0));
    // A restart does not wait for the backoff.
    assert!(handle.restart());
    settle().await;
    assert_eq!(calls.count(), 2);
    sleep(secs(4)).await;
    assert_eq!(calls.count(), 2, "after 5 s, and not before");
    tree.wait_ready().await;
    assert_eq!((calls.count(), tree.health().is_ready()), (3, true));
    assert_eq!(handle.child("a").status().unwrap().state, TaskState::Running);
    let seen = recorder.seen();
    let told: Vec<_> = seen.iter().filter(|seen| seen.kind == EventKind::GroupFailed).collect();
    let expected = "`g` could not make its children (the pool refused)";
    assert_eq!(told.iter().map(|it| it.delay_ms).collect::<Vec<_>>(), [Some(5_000); 2]);
    assert!(
        told.iter().all(|it| it.task.as_deref() == Some("g") && it.reason.as_deref() == Some(expected)),
        "{told:?}"
    );
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o52_past_its_retries_the_group_ends_and_its_parent_fails_with_the_error_as_source() {
    let calls = Calls::default();
    let (tree, _) = tree(group("g").with_max_retries(2).fresh(failing(&calls, usize::MAX)));
    let start = Instant::now();
    let error = tree.run().await.unwrap_err();
    assert_eq!((calls.count(), start.elapsed().as_secs()), (3, 10));
    let RuntimeError::Failed { chain, .. } = &error else { panic!("{error:?}") };
    assert_eq!(chain.to_string(), "`g` could not make its children, which `root` needs");
    assert!(chain.links()[0].unmade && !chain.links()[1].unmade);
    let refused = chain.source().and_then(|source| source.downcast_ref::<io::Error>()).unwrap();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    let outcome = tree.group("g").outcome().await.unwrap();
    assert_eq!(outcome.as_label(), "exhausted");
    let mut source = outcome.error().map(|error| &**error as &dyn std::error::Error);
    while let Some(error) = source.filter(|error| !error.is::<io::Error>()) {
        source = error.source();
    }
    assert!(source.is_some(), "the error is in the chain of sources");
}

#[tokio::test(start_paused = true)]
async fn o52_a_group_that_is_not_critical_is_reported_as_failed() -> Result {
    let calls = Calls::default();
    let never = Group::one_for_one("never").not_critical().with_restart(RestartPolicy::Never);
    let (tree, _) = tree(never.fresh(failing(&calls, usize::MAX)));
    tree.start().await?;
    sleep(secs(60)).await;
    let group = tree.group("never");
    assert_eq!((calls.count(), group.status()), (1, Some(TaskState::Ended)));
    let health = tree.health();
    let first = &health.not_ready[0];
    assert_eq!((first.path.as_str(), &first.problem), ("never", &Problem::Failed));
    assert!(matches!(group.add_task(cooperative("x")).await, Err(RuntimeError::GroupNotRunning { .. })));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o52_a_fatal_error_is_not_retried() -> Result {
    let calls = Calls::default();
    let counted = calls.clone();
    let make = move || {
        counted.next();
        async { Err::<[TaskSpec; 0], _>(TaskError::Fatal { reason: "no such volume".into() }) }
    };
    let (tree, _) = tree(group("g").not_critical().fresh(make));
    tree.start().await?;
    let outcome = tree.group("g").outcome().await.unwrap();
    assert_eq!((calls.count(), outcome.as_label()), (1, "fatal"));
    tree.shutdown().await
}

/// Each value is the source of the failure, and names what is wrong. The group heals with the next call.
#[tokio::test(start_paused = true)]
async fn o52_what_the_function_makes_is_checked() -> Result {
    type Made = (&'static str, Vec<TaskSpec>, &'static str);
    let cases: Vec<Made> = vec![
        ("twice", vec![cooperative("a"), cooperative("b"), cooperative("a")], "`g/a`"),
        ("name", vec![cooperative("a/b")], "\"a/b\""),
        ("empty", vec![cooperative("")], "\"\""),
        ("after", vec![cooperative("a").with_after(["nobody"])], "`nobody`"),
        ("later", vec![cooperative("a").with_after(["b"]), cooperative("b")], "`b`"),
        ("option", vec![cooperative("a").with_watchdog(secs(0))], "watchdog"),
        ("added", vec![cooperative("x")], "`g/x`"),
    ];
    for (what, specs, named) in cases {
        let first = Arc::new(Mutex::new(Some(specs)));
        let make = move || {
            let specs = first.lock().unwrap().take().unwrap_or_else(|| vec![cooperative("fine")]);
            async move { Ok::<_, Infallible>(specs) }
        };
        let (tree, _) = tree(group("g").fresh(make));
        tree.start().await?;
        let handle = tree.group("g");
        let x = handle.add_task(cooperative("x")).await?;
        sleep(secs(1)).await;
        assert_eq!(handle.status(), Some(TaskState::Backoff), "{what}");
        let told = handle.health().not_ready[0].to_string();
        assert!(told.contains("could not make its children (") && told.contains(named), "{what}: {told}");
        assert_eq!(tree.supervisor().list_tasks().await, ["g/x"], "{what}: all or nothing");
        sleep(secs(5)).await;
        assert_eq!(tree.supervisor().list_tasks().await, ["g/fine", "g/x"], "{what}");
        assert_eq!(x.status().state, TaskState::Running);
        assert!(tree.health().is_ready(), "{what}: {:?}", tree.health());
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o52_a_panic_is_caught_with_its_place_wherever_it_is() -> Result {
    record_panics();
    for place in ["call", "poll", "iterator", "drop"] {
        struct Panics(bool);
        impl Drop for Panics {
            fn drop(&mut self) {
                assert!(!self.0, "broken");
            }
        }
        let calls = Calls::default();
        let counted = calls.clone();
        let make = move || {
            let fails = counted.next() == 1;
            assert!(!(fails && place == "call"), "broken");
            let panics = Panics(fails && place == "drop");
            let mut future = Box::pin(async move {
                assert!(!(fails && place == "poll"), "broken");
                let check = move |spec| {
                    assert!(!(fails && place == "iterator"), "broken");
                    spec
                };
                Ok::<_, Infallible>([cooperative("a")].into_iter().map(check))
            });
            // The values that a future holds are dropped with it, after its last poll.
            std::future::poll_fn(move |cx| {
                let _held = &panics;
                future.as_mut().poll(cx)
            })
        };
        let (tree, _) = tree(group("g").fresh(make));
        tree.start().await?;
        sleep(secs(1)).await;
        let told = tree.snapshot().root.children[0].last_error.clone().unwrap();
        assert!(told.contains("failures.rs:"), "{place}: {told}");
        assert_eq!(placeless(told), "`g` could not make its children (panicked: broken)", "{place}");
        sleep(secs(5)).await;
        assert_eq!((calls.count(), tree.health().is_ready()), (2, true), "{place}");
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o52_a_start_that_hangs_is_bounded_by_the_start_timeout() -> Result {
    for (own, limit) in [(Some(secs(2)), 2), (None, 7)] {
        let calls = Calls::default();
        let counted = calls.clone();
        let held = Arc::new(());
        let weak = Arc::downgrade(&held);
        let held = Arc::new(Mutex::new(Some(held)));
        let make = move || {
            let (hangs, held) = (counted.next() == 1, held.lock().unwrap().take());
            async move {
                sleep(if hangs { secs(1_000_000) } else { secs(1) }).await;
                drop(held);
                Ok::<_, Infallible>([cooperative("a")])
            }
        };
        let group = group("g").fresh(make);
        let group = if let Some(own) = own { group.with_start_timeout(own) } else { group };
        let config = SupervisorConfig { start_timeout: secs(7), ..SupervisorConfig::default() };
        let tree = Tree::builder(config).with_subscriber(Recorder::new()).group(group).build();
        let start = Instant::now();
        tree.start().await?;
        settle().await;
        assert_eq!((tree.group("g").status(), weak.strong_count()), (Some(TaskState::Running), 1));
        while tree.group("g").status() != Some(TaskState::Backoff) {
            sleep(secs(1)).await;
            settle().await;
        }
        assert_eq!((start.elapsed().as_secs(), weak.strong_count()), (limit, 0), "its future is dropped");
        let told = tree.snapshot().root.children[0].last_error.clone().unwrap();
        assert_eq!(told, format!("`g` could not make its children (timed out after {limit}s)"));
        tree.wait_ready().await;
        assert_eq!((start.elapsed().as_secs(), calls.count()), (limit + 5 + 1, 2));
        tree.shutdown().await?;
    }
    Ok(())
}

/// The failure of a start is the failure of a child, for a parent that decides on those.
#[tokio::test(start_paused = true)]
async fn o52_it_counts_for_the_limit_of_the_parent() {
    let calls = Calls::default();
    let inner = group("inner").fresh(failing(&calls, usize::MAX));
    let outer = Group::one_for_one("outer").with_limit(3, secs(600)).with_restart(RestartPolicy::Never);
    let (tree, _) = tree(outer.task(cooperative("a")).group(inner));
    let error = tree.run().await.unwrap_err();
    let RuntimeError::Failed { chain, .. } = &error else { panic!("{error:?}") };
    let text = "`outer/inner` could not make its children, `outer` exceeded 3 restarts within 600s, which `root` needs";
    assert_eq!((calls.count(), chain.to_string().as_str()), (4, text));
}
