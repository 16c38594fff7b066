//! G. Nesting.

use std::sync::Arc;

use taskvisor::{
    Dynamic, EventKind, FailureChain, Group, RuntimeError, SupervisorConfig, TaskOutcome, TaskState, Tree,
};
use tests::{Recorder, constant, ms, secs};
use tokio::time::sleep;

use crate::journal::Journal;

/// The paths and limits of a chain, leaf first.
fn links(chain: &FailureChain) -> Vec<(String, Option<u32>)> {
    chain.links().iter().map(|link| (link.path.clone(), link.limit.map(|(max, _)| max))).collect()
}

fn link(path: &str, limit: impl Into<Option<u32>>) -> (String, Option<u32>) {
    (path.to_owned(), limit.into())
}

#[tokio::test(start_paused = true)]
async fn g01_a_leaf_that_fails_restarts_alone() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(a, _), (b, poke), (c, _)] = journal.children(["a", "b", "c"]);
    let inner = Group::one_for_one("inner").task(a).task(b);
    let tree =
        Tree::builder(SupervisorConfig::default()).group(Group::one_for_all("outer").group(inner).task(c)).build();
    tree.start().await?;
    sleep(secs(1)).await;
    assert_eq!(tree.supervisor().list_tasks().await, ["outer/c", "outer/inner/a", "outer/inner/b"]);
    let mut what = journal.take();
    what.sort_unstable();
    assert_eq!(what, ["+a", "+b", "+c"]);
    poke.fail();
    sleep(secs(10)).await;
    assert_eq!(journal.take(), ["-b", "+b"]);
    assert_eq!(tree.group("outer").group("inner").status(), Some(TaskState::Running));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn g02_a_group_past_its_limit_is_restarted_with_its_static_children() -> Result<(), RuntimeError> {
    for strategy in [taskvisor::Strategy::OneForOne, taskvisor::Strategy::OneForAll, taskvisor::Strategy::RestForOne] {
        let (journal, recorder) = (Journal::new(), Recorder::new());
        let [(a, _), (b, poke), (extra, _), (other, _)] = journal.children(["a", "b", "extra", "other"]);
        let inner =
            Group::new("inner", strategy).with_limit(0, secs(60)).with_backoff(constant(secs(2))).task(a).task(b);
        let inner = inner.with_dynamic(Dynamic::Drop);
        let tree = Tree::builder(SupervisorConfig::default())
            .with_subscriber(Arc::clone(&recorder))
            .task(other)
            .group(inner)
            .build();
        tree.start().await?;
        tree.wait_ready().await;
        let inner = tree.group("inner");
        let extra = inner.add_task(extra).await?;
        sleep(secs(1)).await;
        let before = ["a", "b"].map(|name| inner.child(name).current().unwrap());
        journal.take();

        poke.fail();
        sleep(ms(1500)).await;
        assert_eq!(inner.status(), Some(TaskState::Backoff));
        assert_eq!(tree.supervisor().list_tasks().await, ["other"]);
        sleep(secs(10)).await;

        let timed = journal.timed();
        let last: Vec<_> = timed.iter().filter(|(_, what)| what.starts_with('+')).cloned().collect();
        let stopped = timed.iter().filter(|(_, what)| what.starts_with('-')).map(|(at, _)| *at).max().unwrap();
        assert_eq!(last, [(stopped + 2_000, "+a".into()), (stopped + 2_000, "+b".into())]);
        assert!(matches!(extra.outcome().await, TaskOutcome::Canceled { error: None, .. }));
        for before in &before {
            assert_eq!(before.status().state, TaskState::Ended);
            let now = tree.child(before.path()).current().unwrap();
            assert_ne!(now.id(), before.id());
            assert_eq!(now.status().attempt, 1);
        }
        assert_eq!(tree.supervisor().list_tasks().await, ["inner/a", "inner/b", "other"]);
        assert_eq!(tree.child("other").status().unwrap().attempt, 1);
        tree.shutdown().await?;
        assert_eq!(tree.supervisor().list_tasks().await, [""; 0]);
        assert_eq!((recorder.count(EventKind::TaskAdded), recorder.count(EventKind::TaskRemoved)), (6, 6));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn g02_a_group_restart_by_hand_counts_no_failure_and_drops_dynamic_children() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(a, _), (b, _), (extra, _)] = journal.children(["a", "b", "extra"]);
    let tree = Tree::builder(SupervisorConfig::default())
        .group(Group::rest_for_one("g").with_max_retries(0).with_dynamic(Dynamic::Drop).task(a).task(b))
        .build();
    tree.start().await?;
    tree.wait_ready().await;
    let g = tree.group("g");
    for _ in 0..3 {
        let extra = g.add_task(extra.clone()).await?;
        sleep(secs(1)).await;
        let id = g.child("a").current().unwrap().id();
        assert!(g.restart());
        sleep(secs(1)).await;
        assert_eq!(journal.take(), ["+a", "+b", "+extra", "-extra", "-b", "-a", "+a", "+b"][..]);
        assert!(matches!(extra.outcome().await, TaskOutcome::Canceled { error: None, .. }));
        assert_ne!(g.child("a").current().unwrap().id(), id);
        // The next round expects these.
        journal.add("+a".into());
        journal.add("+b".into());
    }
    assert!(g.cancel().await?);
    assert!(!g.restart());
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn g03_a_one_for_all_parent_restarts_all_when_a_group_in_it_fails() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(first, _), (x, poke), (y, _), (last, _)] = journal.children(["first", "x", "y", "last"]);
    let inner = Group::rest_for_one("inner").with_limit(0, secs(60)).with_backoff(constant(secs(3))).task(x).task(y);
    let outer =
        Group::one_for_all("outer").task(first).group(inner.with_after(["first"])).task(last.with_after(["inner"]));
    let tree = Tree::builder(SupervisorConfig::default()).group(outer).build();
    tree.start().await?;
    sleep(secs(1)).await;
    assert_eq!(journal.take(), ["+first", "+x", "+y", "+last"]);
    let ids = ["outer/first", "outer/inner/x", "outer/last"].map(|path| tree.child(path).current().unwrap().id());

    poke.fail();
    sleep(secs(10)).await;

    let timed = journal.timed();
    let timed: Vec<_> = timed.iter().map(|(at, what)| (*at, what.as_str())).collect();
    let expected = [
        (1_000, "-x"),
        (1_100, "-y"),
        (1_200, "-last"),
        (1_300, "-first"),
        (4_300, "+first"),
        (4_300, "+x"),
        (4_300, "+y"),
        (4_300, "+last"),
    ];
    assert_eq!(timed, expected);
    let now = ["outer/first", "outer/inner/x", "outer/last"].map(|path| tree.child(path).current().unwrap());
    // The siblings keep their registrations; the children of the group are registered anew.
    assert_eq!((now[0].id(), now[0].status().attempt), (ids[0], 2));
    assert_eq!((now[2].id(), now[2].status().attempt), (ids[2], 2));
    assert_ne!(now[1].id(), ids[1]);
    assert_eq!(now[1].status().attempt, 1);
    tree.shutdown().await?;
    assert_eq!(journal.take(), ["-last", "-y", "-x", "-first"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn g03_a_group_is_stopped_and_started_with_its_siblings() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(first, poke), (x, _), (y, _), (extra, _)] = journal.children(["first", "x", "y", "extra"]);
    let inner = Group::rest_for_one("inner").task(x).task(y);
    let tree =
        Tree::builder(SupervisorConfig::default()).group(Group::rest_for_one("outer").task(first).group(inner)).build();
    tree.start().await?;
    tree.wait_ready().await;
    let inner = tree.group("outer/inner");
    inner.add_task(extra).await?;
    sleep(secs(1)).await;
    journal.take();
    poke.fail();
    sleep(secs(10)).await;
    // The dynamic child is stopped in order, like the declared ones.
    let what = journal.take();
    assert_eq!(what[..5], ["-first", "-extra", "-y", "-x", "+first"]);
    assert_eq!(what[5..7], ["+x", "+y"]);
    assert_eq!(inner.status(), Some(TaskState::Running));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn g04_a_group_is_stopped_after_all_its_children() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let (base, _) = journal.child("base");
    let (x, _) = journal.slow("x", secs(1));
    let (y, _) = journal.slow("y", secs(3));
    let inner = Group::one_for_one("inner").with_after(["base"]).task(x).task(y);
    let tree = Tree::builder(SupervisorConfig::default()).task(base).group(inner).build();
    tree.start().await?;
    sleep(secs(1)).await;
    journal.take();
    let (inner, cancel) = (tree.group("inner"), tree.group("inner"));
    let canceled = tokio::spawn(async move { cancel.cancel().await });
    let outcome = inner.outcome().await;
    assert!(matches!(outcome, Some(TaskOutcome::Canceled { error: None, .. })), "{outcome:?}");
    let timed = journal.timed();
    let timed: Vec<_> = timed.iter().map(|(at, what)| (*at, what.as_str())).collect();
    assert_eq!(timed, [(2_000, "-x"), (4_000, "-y")]);
    assert!(canceled.await.unwrap()?);
    assert_eq!(tree.supervisor().list_tasks().await, ["base"], "its parent lives on");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn g05_the_chain_of_a_root_failure_names_leaf_groups_and_limits() {
    let journal = Journal::new();
    let [(leaf, poke), (other, _)] = journal.children(["leaf", "other"]);
    let inner = Group::one_for_all("inner").with_limit(1, secs(60)).with_backoff(constant(secs(1))).task(leaf);
    let outer = Group::one_for_one("outer").with_limit(0, secs(60)).with_max_retries(0).group(inner);
    let tree = Tree::builder(SupervisorConfig::default()).with_name("app").group(outer).task(other).build();
    let run = tokio::spawn(async move { tree.run_until(std::future::pending()).await });
    for _ in 0..2 {
        sleep(secs(5)).await;
        poke.fail();
    }
    let error = run.await.unwrap().unwrap_err();
    let RuntimeError::Failed { chain, source, stuck } = &error else { panic!("{error}") };
    let expected = [link("outer/inner/leaf", None), link("outer/inner", 1), link("outer", 0), link("app", None)];
    assert_eq!(links(chain), expected);
    assert_eq!(source.as_ref().unwrap().to_string(), "poked");
    assert_eq!(*stuck, [""; 0]);
    assert_eq!(
        format!("{error:#}"),
        "`outer/inner/leaf` failed (poked), `outer/inner` exceeded 1 restart within 60s, \
         `outer` exceeded 0 restarts within 60s, which `app` needs"
    );
    assert_eq!(journal.take()[2..], ["-leaf", "+leaf", "-leaf", "-other"]);
}

#[tokio::test(start_paused = true)]
async fn g05_the_limit_of_the_root() {
    let journal = Journal::new();
    let [(a, _), (b, poke)] = journal.children(["a", "b"]);
    let recorder = Recorder::new();
    let tree = Tree::builder(SupervisorConfig::default())
        .with_subscriber(Arc::clone(&recorder))
        .with_limit(1, secs(60))
        .task(a)
        .task(b)
        .build();
    let run = tokio::spawn(async move { tree.run_until(std::future::pending()).await });
    for _ in 0..2 {
        sleep(secs(5)).await;
        poke.fail();
    }
    let error = run.await.unwrap().unwrap_err();
    let RuntimeError::IntensityExceeded { chain, stuck } = &error else { panic!("{error}") };
    assert_eq!(links(chain), [link("b", None), link("root", 1)]);
    assert_eq!(chain.error().unwrap().to_string(), "poked");
    assert_eq!(*stuck, [""; 0]);
    assert_eq!(error.as_label(), "runtime_intensity_exceeded");
    assert_eq!(recorder.count(EventKind::ShutdownRequested), 1);
    assert_eq!(recorder.count(EventKind::TaskRemoved), 2);
    assert_eq!(journal.take(), ["+a", "+b", "-b", "+b", "-b", "-a"]);
}

#[tokio::test(start_paused = true)]
async fn g06_a_critical_leaf_fails_each_group_on_its_way() {
    let journal = Journal::new();
    let [(leaf, poke), (side, _), (other, _)] = journal.children(["leaf", "side", "other"]);
    // The innermost group is retried once, the next not at all, so that the root fails.
    let inner = Group::one_for_one("inner")
        .with_max_retries(1)
        .with_backoff(constant(secs(2)))
        .task(leaf.critical().with_max_retries(0))
        .task(side);
    let outer = Group::one_for_one("outer").with_max_retries(0).group(inner);
    let tree = Tree::builder(SupervisorConfig::default()).group(outer).task(other).build();
    let run = tokio::spawn(async move { tree.run_until(std::future::pending()).await });
    sleep(secs(1)).await;
    poke.fail();
    sleep(secs(5)).await;
    poke.fatal();
    let error = run.await.unwrap().unwrap_err();
    let RuntimeError::Failed { chain, source, .. } = &error else { panic!("{error}") };
    let expected = [link("outer/inner/leaf", None), link("outer/inner", None), link("outer", None), link("root", None)];
    assert_eq!(links(chain), expected);
    assert_eq!(source.as_ref().unwrap().to_string(), "poked for good");
    let timed = journal.timed();
    let timed: Vec<_> = timed.iter().map(|(at, what)| (*at, what.as_str())).collect();
    assert_eq!(timed[3..5], [(1_000, "-leaf"), (1_100, "-side")]);
    assert_eq!(timed[5..7], [(3_100, "+leaf"), (3_100, "+side")]);
    assert_eq!(timed[7..], [(6_000, "-leaf"), (6_100, "-side"), (6_200, "-other")]);
}

#[tokio::test(start_paused = true)]
async fn g06_a_group_that_is_not_critical_ends_alone() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(leaf, poke), (other, _)] = journal.children(["leaf", "other"]);
    let group = Group::one_for_one("g").not_critical().with_max_retries(0).task(leaf.critical());
    let tree = Tree::builder(SupervisorConfig::default()).group(group).task(other).build();
    tree.start().await?;
    sleep(secs(1)).await;
    let outcome = tree.group("g");
    let outcome = tokio::spawn(async move { outcome.outcome().await });
    sleep(secs(1)).await;
    poke.fatal();
    let outcome = outcome.await.unwrap().unwrap();
    assert!(matches!(outcome, TaskOutcome::Exhausted { failures: 1, .. }), "{outcome}");
    sleep(secs(10)).await;
    assert_eq!(tree.supervisor().list_tasks().await, ["other"]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn g06_a_task_that_is_not_critical_restarts_nobody_when_it_ends_in_failure() -> Result<(), RuntimeError> {
    for make in [Group::one_for_one, Group::one_for_all, Group::rest_for_one] {
        let journal = Journal::new();
        let [(a, poke), (b, _)] = journal.children(["a", "b"]);
        let group = make("g".to_owned()).with_limit(0, secs(1)).with_max_retries(0).task(a.with_max_retries(0)).task(b);
        let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
        tree.start().await?;
        sleep(secs(1)).await;
        poke.fail();
        sleep(secs(10)).await;
        assert_eq!(journal.take(), ["+a", "+b", "-a"]);
        assert_eq!(tree.group("g").status(), Some(TaskState::Running));
        tree.shutdown().await?;
    }
    Ok(())
}
