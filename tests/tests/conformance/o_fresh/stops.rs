//! What ends a call of the function: a stop, a hold, a restart. Its future is dropped at once.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;

use taskvisor::{Group, SupervisorConfig, TaskOutcome, TaskSpec, TaskState, Tree};
use tests::{cooperative, secs, settle};
use tokio::time::{Instant, sleep};

use super::{Calls, Result, group, tree};
use crate::journal::Journal;

/// A function that never returns from its first calls, and what its futures hold.
fn hanging(calls: &Calls, times: usize) -> (impl Fn() -> Hangs + use<>, Arc<()>) {
    let (calls, held) = (calls.clone(), Arc::new(()));
    let given = Arc::downgrade(&held);
    let make = move || -> Hangs {
        let (hangs, held) = (calls.next() <= times, given.upgrade());
        Box::pin(async move {
            if hangs {
                pending::<()>().await;
            }
            drop(held);
            Ok([cooperative("a")])
        })
    };
    (make, held)
}

type Hangs = std::pin::Pin<Box<dyn Future<Output = std::result::Result<[TaskSpec; 1], Infallible>> + Send>>;

#[tokio::test(start_paused = true)]
async fn o52_a_stop_ends_a_call_at_once() -> Result {
    for how in ["cancel", "shutdown", "parent", "handle dropped"] {
        let calls = Calls::default();
        let (make, held) = hanging(&calls, usize::MAX);
        let outer = Group::one_for_one("outer").task(cooperative("sibling"));
        let (tree, _) = tree(outer.group(group("g").fresh(make)));
        tree.start().await?;
        settle().await;
        let g = tree.group("outer/g");
        let x = g.add_task(cooperative("x")).await?;
        settle().await;
        assert_eq!((Arc::strong_count(&held), g.status()), (2, Some(TaskState::Running)));
        assert_eq!(x.status().state, TaskState::Pending, "it waits for the first run");
        let start = Instant::now();
        match how {
            "cancel" => assert!(g.cancel().await?),
            "parent" => assert!(tree.group("outer").cancel().await?),
            "shutdown" => tree.shutdown().await?,
            _ => drop(tree),
        }
        settle().await;
        assert_eq!((Arc::strong_count(&held), start.elapsed().as_secs(), calls.count()), (1, 0, 1), "{how}");
        assert!(matches!(x.try_outcome(), Some(TaskOutcome::Canceled { .. })), "{how}");
        if how == "cancel" {
            assert_eq!(g.status(), Some(TaskState::Ended));
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o52_a_restart_calls_it_anew() -> Result {
    let calls = Calls::default();
    let (make, held) = hanging(&calls, 3);
    let (tree, _) = tree(group("g").fresh(make));
    tree.start().await?;
    for call in 1..=3 {
        settle().await;
        assert_eq!((Arc::strong_count(&held), calls.count()), (2, call));
        assert!(tree.group("g").restart());
    }
    tree.wait_ready().await;
    assert_eq!((Arc::strong_count(&held), calls.count()), (1, 4));
    let node = tree.snapshot().root.children.remove(0);
    assert_eq!((node.restarts, node.last_error), (0, None), "no start has failed, and there was one run");
    tree.shutdown().await
}

/// A restart of siblings holds a group that makes its children, and starts it anew.
#[tokio::test(start_paused = true)]
async fn o52_a_restart_of_siblings_calls_it_anew() -> Result {
    let journal = Journal::new();
    let (sibling, poke) = journal.child("sibling");
    let calls = Calls::default();
    let (make, held) = hanging(&calls, 1);
    let outer = Group::one_for_all("outer").task(sibling).group(group("g").fresh(make));
    let (tree, _) = tree(outer);
    tree.start().await?;
    settle().await;
    assert_eq!((Arc::strong_count(&held), calls.count()), (2, 1));
    poke.fail();
    settle().await;
    assert_eq!((Arc::strong_count(&held), calls.count()), (1, 1), "it is dropped with the siblings");
    assert_eq!(tree.group("outer/g").status(), Some(TaskState::Pending));
    sleep(secs(2)).await;
    assert_eq!((calls.count(), tree.health().is_ready()), (2, true), "{:?}", tree.health());
    tree.shutdown().await
}

/// A stop between the failure of a start and the next call.
#[tokio::test(start_paused = true)]
async fn o52_a_stop_in_the_backoff_ends_the_group() -> Result {
    let calls = Calls::default();
    let counted = calls.clone();
    let make = move || {
        counted.next();
        async { Err::<[TaskSpec; 0], _>("refused") }
    };
    let (tree, _) = tree(group("g").fresh(make));
    tree.start().await?;
    sleep(secs(1)).await;
    assert!(tree.group("g").cancel().await?);
    let outcome = tree.group("g").outcome().await.unwrap();
    assert!(matches!(outcome, TaskOutcome::Canceled { .. }), "{outcome:?}");
    sleep(secs(60)).await;
    assert_eq!((calls.count(), tree.health().is_ready()), (1, true));
    tree.shutdown().await
}

/// The function stops its own group, or the supervisor: its future is dropped in its own wait.
#[tokio::test(start_paused = true)]
async fn o52_the_function_can_stop_its_own_group() -> Result {
    for whole in [false, true] {
        let (handle, given) = tokio::sync::watch::channel(None::<taskvisor::SupervisorHandle>);
        let make = move || {
            let mut given = given.clone();
            async move {
                let supervisor = given.wait_for(Option::is_some).await.unwrap().clone().unwrap();
                if whole {
                    let _ = supervisor.shutdown().await;
                } else {
                    let _ = supervisor.group("g").cancel().await;
                }
                pending::<std::result::Result<[TaskSpec; 0], Infallible>>().await
            }
        };
        let tree =
            Tree::builder(SupervisorConfig::default()).task(cooperative("a")).group(group("g").fresh(make)).build();
        tree.start().await?;
        handle.send(Some(tree.supervisor().handle())).unwrap();
        let start = Instant::now();
        assert!(matches!(tree.group("g").outcome().await, Some(TaskOutcome::Canceled { .. })));
        assert_eq!(start.elapsed().as_secs(), 0);
        tree.shutdown().await?;
    }
    Ok(())
}
