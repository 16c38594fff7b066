//! O21, O23: a task that its group has stopped, and registers again, is told to go at the moment of its end: before the
//! group has heard of that end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use taskvisor::{Group, RuntimeError, SupervisorConfig, TaskHandle, TaskSpec, Tree};
use tests::{cooperative, settle};
use tokio::task::yield_now;

type Result = std::result::Result<(), RuntimeError>;

async fn started() -> std::result::Result<(Tree, TaskHandle), RuntimeError> {
    let tree = Tree::builder(SupervisorConfig::default()).group(Group::one_for_all("g")).build();
    tree.start().await?;
    let x = tree.group("g").add_task(cooperative("x").with_revision("old")).await?;
    settle().await;
    Ok((tree, x))
}

/// Restarts the group, and returns in the turn after the end of the task.
async fn at_its_end(tree: &Tree, x: &TaskHandle) {
    assert!(tree.group("g").restart());
    x.outcome().await;
    assert!(tree.supervisor().task("g/x").is_none(), "its name is not registered");
}

#[tokio::test]
async fn o21_a_task_is_withdrawn_by_name_at_the_moment_of_its_end() -> Result {
    let (tree, x) = started().await?;
    at_its_end(&tree, &x).await;
    let again = tree.group("g").add_task(cooperative("x")).await;
    assert!(matches!(again, Err(RuntimeError::TaskAlreadyExists { .. })), "its name is taken");
    assert!(tree.supervisor().cancel("g/x").await?);
    settle().await;
    assert_eq!(tree.supervisor().list_tasks().await, [""; 0]);

    let x = tree.group("g").add_task(cooperative("x")).await?;
    settle().await;
    at_its_end(&tree, &x).await;
    tree.supervisor().remove_task("g/x").await?;
    settle().await;
    assert_eq!(tree.supervisor().list_tasks().await, [""; 0]);
    tree.shutdown().await
}

#[tokio::test]
async fn o23_a_list_is_complete_at_the_moment_of_an_end() -> Result {
    let (tree, x) = started().await?;
    let group = tree.group("g");
    at_its_end(&tree, &x).await;
    let same = group.reconcile([cooperative("x").with_revision("old")]).await?;
    assert_eq!((same.kept.len(), same.added.len()), (1, 0), "it comes back");
    settle().await;
    let x = tree.child("g/x").current().expect("it has come back");
    at_its_end(&tree, &x).await;
    group.reconcile([cooperative("x").with_revision("new")]).await?;
    settle().await;
    let x = tree.child("g/x").current().expect("it was added");
    assert_eq!(x.spec().revision(), cooperative("x").with_revision("new").revision());
    at_its_end(&tree, &x).await;
    let none: [TaskSpec; 0] = [];
    let changes = group.reconcile(none).await?;
    assert_eq!(changes.removed.len(), 1);
    settle().await;
    assert_eq!(tree.supervisor().list_tasks().await, [""; 0]);
    tree.shutdown().await
}

/// A list is reconciled while the group restarts all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o23_a_list_is_complete_beside_restarts() -> Result {
    let (tree, _) = started().await?;
    let (tree, ends) = (Arc::new(tree), Arc::new(AtomicBool::new(false)));
    let restarts = tokio::spawn({
        let (tree, ends) = (Arc::clone(&tree), Arc::clone(&ends));
        async move {
            while !ends.load(Ordering::SeqCst) {
                tree.group("g").restart();
                for _ in 0..fastrand::u8(..20) {
                    yield_now().await;
                }
            }
        }
    });
    for round in 0..500_u32 {
        let names = (0..4).filter(|n| (round * 7 / 3) >> n & 1 == 1).map(|n| format!("n{n}"));
        let names: Vec<_> = names.collect();
        let specs: Vec<_> = names.iter().map(|name| cooperative(name).with_revision((round % 3).to_string())).collect();
        let changes = tree.group("g").reconcile(specs).await?;
        let mut remaining: Vec<_> = changes.remaining().map(|task| task.name().to_owned()).collect();
        remaining.sort();
        assert_eq!(remaining, names, "round {round}");
        let snapshot = tree.group("g").snapshot().expect("it is declared").root;
        let foreign = snapshot.children.iter().find(|child| !names.contains(&child.name));
        assert!(foreign.is_none(), "round {round}: {foreign:?}");
    }
    ends.store(true, Ordering::SeqCst);
    restarts.await.expect("it does not panic");
    tree.shutdown().await
}
