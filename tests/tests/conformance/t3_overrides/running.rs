//! Running trees with overrides.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use taskvisor::{SlotSpec, TaskError, TaskOutcome};
use tests::secs;
use tokio::time::{Instant, sleep};

use super::*;

#[tokio::test(start_paused = true)]
async fn t3_a_task_runs_by_its_overrides() -> Result {
    let fails = |name: &str| endless(name).with_max_retries(5);
    let group = Group::one_for_one("group").not_critical().task(fails("inner"));
    let overrides = Overrides::from([
        ("outer.timeout", "2s"),
        ("outer.max_retries", "0"),
        ("group.inner.timeout", "3s"),
        ("group.inner.max_retries", "0"),
    ]);
    let tree = Tree::builder(config()).task(fails("outer")).group(group).with_overrides(overrides).try_build()?;
    let start = Instant::now();
    tree.start().await?;
    let outer = tree.child("outer");
    assert!(matches!(outer.outcome().await, Some(TaskOutcome::Exhausted { .. })));
    assert_eq!(start.elapsed(), secs(2));
    assert_eq!(outer.current().unwrap().spec().timeout(), Some(secs(2)));
    // A place that starts again keeps them.
    assert!(outer.restart());
    assert_eq!(outer.current().unwrap().spec().max_retries(), Some(0));
    let inner = tree.child("group/inner");
    assert!(matches!(inner.outcome().await, Some(TaskOutcome::Exhausted { .. })));
    assert_eq!(start.elapsed(), secs(3));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t3_a_group_fails_by_its_overrides() {
    let attempts = Arc::new(AtomicUsize::new(0));
    let begun = Arc::clone(&attempts);
    let fails = TaskSpec::inherit(TaskFn::arc("a", move |_: TaskContext| {
        begun.fetch_add(1, Ordering::Relaxed);
        async { Err(TaskError::Fail { reason: "no".into() }) }
    }));
    let inner = Group::one_for_one("inner").with_limit(1000, secs(60)).with_max_retries(7).task(fails);
    let outer = Group::one_for_one("outer").group(inner);
    let overrides =
        [("outer.inner.limit.max_restarts", "2"), ("outer.inner.max_retries", "0"), ("outer.max_retries", "0")];
    let tree = Tree::builder(config()).group(outer).with_overrides(overrides).build();
    assert!(matches!(tree.run().await, Err(RuntimeError::Failed { .. })));
    assert_eq!(attempts.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn t3_a_shared_group_is_overridden_at_one_place() -> Result {
    let shared = Group::one_for_one("a").task(endless("task"));
    let one = Group::one_for_one("one").group(shared);
    let two = one.clone().with_name("two");
    let tree =
        Tree::builder(config()).group(one).group(two).with_overrides([("two.a.task.timeout", "9s")]).try_build()?;
    tree.start().await?;
    let timeout = |path: &str| tree.child(path).current().unwrap().spec().timeout();
    assert_eq!((timeout("one/a/task"), timeout("two/a/task")), (None, Some(secs(9))));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t3_slots_limits_and_the_grace_are_overridden() -> Result {
    let attempts = Arc::new(AtomicUsize::new(0));
    let begun = Arc::clone(&attempts);
    let stubborn = TaskSpec::inherit(TaskFn::arc("stubborn", move |ctx: TaskContext| {
        begun.fetch_add(1, Ordering::Relaxed);
        async move {
            ctx.cancelled().await;
            sleep(secs(10_000)).await;
            Ok(())
        }
    }))
    .with_named_limit("db");
    let ignores = |name: &str| stubborn.clone().with_name(name);
    let overrides = [("slots.jobs.capacity", "1"), ("limits.db", "1"), ("grace", "2s"), ("drain", "1s")];
    let tree = Tree::builder(config())
        .with_named_limit("db", 10)
        .with_slot(SlotSpec::new("jobs").with_capacity(100))
        .tasks([ignores("a"), ignores("b")])
        .with_overrides(overrides)
        .try_build()?;
    tree.start().await?;
    sleep(secs(1)).await;
    assert_eq!(attempts.load(Ordering::Relaxed), 1);
    let slot = tree.slot("jobs");
    let submit = |name: &'static str| slot.try_submit(endless(name));
    let (_running, _waiting) = (submit("x")?, submit("y")?);
    let third = submit("z")?;
    assert!(matches!(third.outcome().await, TaskOutcome::Rejected { .. }));
    let start = Instant::now();
    let stopped = tree.shutdown().await;
    assert!(matches!(stopped, Err(RuntimeError::GraceExceeded { grace, .. }) if grace == secs(2)), "{stopped:?}");
    assert_eq!(start.elapsed(), secs(3));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t3_a_tree_with_invalid_overrides_never_starts() {
    let tree = builder().with_overrides([("gace", "1s")]).build();
    let is_invalid = |result: Result| matches!(result, Err(RuntimeError::InvalidOverrides(_)));
    assert!(is_invalid(tree.start().await));
    assert!(is_invalid(tree.run().await));
    assert!(is_invalid(tree.run_until(async {}).await));
    assert!(is_invalid(tree.supervisor().add_task(endless("a")).await.map(drop)));
    assert!(tree.child("poll").current().is_none());
}

#[tokio::test(start_paused = true)]
async fn t3_added_tasks_inherit_from_the_tree_and_are_not_overridden() -> Result {
    let tree = builder().with_overrides([("timeout", "9s"), ("store.pool.timeout", "8s")]).try_build()?;
    tree.start().await?;
    let added = tree.group("store").add_task(endless("added")).await?;
    assert_eq!(added.spec().timeout(), Some(secs(9)));
    // A task of the same name that is added in place of the declared one is another task.
    assert!(tree.child("store/pool").cancel().await?);
    let again = tree.group("store").add_task(endless("pool")).await?;
    assert_eq!(again.spec().timeout(), Some(secs(9)));
    tree.shutdown().await
}

#[test]
fn t3_a_tree_that_is_too_deep_is_refused_as_ever() {
    let deepest = Group::one_for_one("g").task(endless("a"));
    let deep = (0..3_000).fold(deepest, |inner, _| Group::one_for_one("g").group(inner));
    let built = Tree::builder(config()).group(deep).with_overrides([("grace", "1m")]).try_build();
    assert!(matches!(built, Err(RuntimeError::InvalidOption(invalid)) if invalid.option == "depth"));
}
