//! Starting trees of groups.

use std::future::pending;
use std::sync::Arc;

use taskvisor::{EventKind, Group, Ready, RuntimeError, Strategy, SupervisorConfig, Tree};
use tests::{Recorder, cooperative, ms, secs};
use tokio::time::{sleep, timeout};

use super::two_workers;
use crate::journal::Journal;

#[tokio::test(start_paused = true)]
async fn a02_a_critical_child_of_the_root_that_never_gets_ready_fails_the_tree() {
    let (journal, recorder) = (Journal::new(), Recorder::new());
    let [(c1, _), (c2, _), (c3, poke)] = journal.children(["c1", "c2", "c3"]);
    let tree = Tree::builder(SupervisorConfig::default())
        .with_strategy(Strategy::RestForOne)
        .with_subscriber(Arc::clone(&recorder))
        .task(c1)
        .task(c2)
        .task(c3.with_ready(Ready::Signal).critical().with_max_retries(2))
        .build();
    let run = tokio::spawn(async move { tree.run_until(pending()).await });
    (0..3).for_each(|_| poke.fail());
    let error = run.await.unwrap().unwrap_err();
    let RuntimeError::Failed { chain, source, stuck } = &error else { panic!("{error}") };
    assert_eq!(chain.links().iter().map(|link| link.path.as_str()).collect::<Vec<_>>(), ["c3", "root"]);
    assert_eq!(source.as_ref().unwrap().to_string(), "poked");
    assert_eq!(*stuck, [""; 0]);
    assert_eq!(format!("{error:#}"), "`c3` failed (poked), which `root` needs");
    let timed = journal.timed();
    let timed: Vec<_> = timed.iter().map(|(at, what)| (*at, what.as_str())).collect();
    let expected = [
        (0, "+c1"),
        (0, "+c2"),
        (0, "+c3"),
        (0, "-c3"),
        (1_000, "+c3"),
        (1_000, "-c3"),
        (2_000, "+c3"),
        (2_000, "-c3"),
        (2_100, "-c2"),
        (2_200, "-c1"),
    ];
    assert_eq!(timed, expected);
    assert_eq!(recorder.count(EventKind::TaskRemoved), 3);
    assert_eq!(recorder.count(EventKind::ShutdownRequested), 1);
}

fn nested(depth: usize) -> Group {
    let innermost = Group::rest_for_one(format!("g{depth}")).task(cooperative("leaf"));
    (0..depth).rev().fold(innermost, |inner, level| {
        let strategy = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne][level % 3];
        Group::new(format!("g{level}"), strategy).with_limit(1, secs(1)).task(cooperative("leaf")).group(inner)
    })
}

#[tokio::test(start_paused = true)]
async fn a07_a_hundred_nested_groups_started_and_shut_down() -> Result<(), RuntimeError> {
    for wait in [None, Some(ms(0)), Some(secs(1))] {
        let recorder = Recorder::new();
        let tree =
            Tree::builder(SupervisorConfig::default()).with_subscriber(Arc::clone(&recorder)).group(nested(99)).build();
        tree.start().await?;
        if let Some(wait) = wait {
            sleep(wait).await;
        }
        timeout(secs(1), tree.shutdown()).await.expect("it ends at once")?;
        assert_eq!(tree.supervisor().list_tasks().await, [""; 0]);
        assert_eq!((recorder.count(EventKind::TaskAdded), recorder.count(EventKind::TaskRemoved)), (100, 100));
    }
    Ok(())
}

#[test]
fn a07_on_two_workers() {
    two_workers().block_on(async {
        for _ in 0..20 {
            let tree = Tree::builder(SupervisorConfig::default()).group(nested(99)).build();
            tree.start().await.unwrap();
            timeout(secs(60), tree.shutdown()).await.expect("it ends").unwrap();
            assert_eq!(tree.supervisor().list_tasks().await, [""; 0]);
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a05_two_equal_names_among_siblings_start_nothing() {
    let recorder = Recorder::new();
    let same = Group::one_for_one("g").task(cooperative("a")).group(Group::one_for_one("a"));
    let tree = Tree::builder(SupervisorConfig::default())
        .with_subscriber(Arc::clone(&recorder))
        .task(cooperative("x"))
        .group(same)
        .build();
    let error = tree.start().await.unwrap_err();
    assert!(matches!(&error, RuntimeError::TaskAlreadyExists { name } if name == "g/a"), "{error}");
    sleep(secs(1)).await;
    assert_eq!(recorder.kinds(), []);
}

#[test]
fn a05_of_two_equal_names_the_first_is_called_what_it_is() {
    let build = || Tree::builder(SupervisorConfig::default());
    let group = || Group::one_for_one("x");
    for (tree, expected) in [
        (build().task(cooperative("x")).group(group()), "a task named `x` is already registered"),
        (build().group(group()).task(cooperative("x")), "a group named `x` is already registered"),
        (build().group(group()).group(group()), "a group named `x` is already registered"),
    ] {
        let error = tree.try_build().map(drop).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a05_a_task_cannot_have_the_name_of_a_group() -> Result<(), RuntimeError> {
    let tree = Tree::builder(SupervisorConfig::default()).group(Group::one_for_one("g").task(cooperative("a"))).build();
    tree.start().await?;
    let error = tree.supervisor().add_task(cooperative("g")).await.unwrap_err();
    assert!(matches!(&error, RuntimeError::GroupAlreadyExists { name } if name == "g"), "{error}");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn a04_after_names_earlier_siblings_only() {
    let tree = |group: Group| Tree::builder(SupervisorConfig::default()).task(cooperative("x")).group(group).build();
    let (a, b) = (|| cooperative("a"), || cooperative("b"));
    for group in [
        Group::one_for_one("g").task(a().with_after(["b"])).task(b()),
        Group::one_for_one("g").task(a().with_after(["a"])),
        Group::one_for_one("g").task(a().with_after(["x"])),
        Group::one_for_one("g").task(a()).with_after(["y"]),
        Group::one_for_one("g").with_limit(1, ms(0)).task(a()),
        Group::one_for_one("").task(a()),
        Group::one_for_one("a/b").task(a()),
    ] {
        let recorded = format!("{group:?}");
        let tree = tree(group);
        let error = tree.start().await.unwrap_err();
        assert_eq!(error.as_label(), "runtime_invalid_option", "{recorded}");
        assert_eq!(tree.supervisor().list_tasks().await, [""; 0]);
    }
}

/// A batch that runs beside the tree has its own order, and both end with the supervisor.
#[tokio::test(start_paused = true)]
async fn a11_a_batch_with_an_order_runs_beside_the_tree() -> Result<(), RuntimeError> {
    let tree = Tree::builder(SupervisorConfig::default()).group(Group::one_for_all("g").task(cooperative("a"))).build();
    tree.start().await?;
    tree.wait_ready().await;
    let batch = vec![cooperative("first"), cooperative("second").with_after(["first"])];
    let until = sleep(secs(1));
    timeout(secs(10), tree.supervisor().run_until(batch, until)).await.expect("all are told to stop")?;
    assert_eq!(tree.supervisor().list_tasks().await, [""; 0]);
    Ok(())
}
