//! The exercise of the README: its code, and the test that it shows.

use std::sync::Arc;
use std::time::Duration;

use taskvisor::Tree;
use taskvisor::prelude::*;
use taskvisor::test::Recorder;
use tokio::time::sleep;
use tracing::warn;

use super::World;
use crate::store::{Result, Store, migrate, pool};

/// Warns when the outbox grows.
#[task(restart = "always", every = "10s", timeout = "5s", ready = "first_success", unready_after = 3)]
pub(crate) async fn watch_outbox(store: Arc<dyn Store>) -> Result<()> {
    let backlog = store.backlog().await?;
    if backlog.pending > 100 {
        warn!(pending = backlog.pending, "the outbox grows");
    }
    Ok(())
}

/// The part of the tree that the exercise needs.
fn tree(world: &World) -> Tree {
    let store: Arc<dyn Store> = world.store.clone();
    supervise!(
        defaults(backoff(first = "100ms", max = "10s", factor = 2.0, jitter = "equal")),
        tasks = [
            store = group(
                tasks =
                    [pool { store: Arc::clone(&store) }, task(migrate { store: Arc::clone(&store) }, after = [pool])]
            ),
            task(watch_outbox { store: Arc::clone(&store) }, after = [store]),
        ],
    )
    .into()
}

/// The task without its options of readiness.
#[task(name = "watch_outbox", restart = "always", every = "10s")]
async fn hasty(store: Arc<dyn Store>) -> Result<()> {
    watch_outbox(store).await
}

/// The same tree with other tasks in place of the watching one.
fn tree_with(world: &World, tasks: Vec<TaskSpec>) -> Tree {
    let store: Arc<dyn Store> = world.store.clone();
    supervise!(
        tasks = [
            store = group(
                tasks =
                    [pool { store: Arc::clone(&store) }, task(migrate { store: Arc::clone(&store) }, after = [pool])]
            ),
            ..tasks,
        ],
    )
    .into()
}

async fn is_watched(world: World, tree: Tree) -> std::result::Result<(), RuntimeError> {
    let recorder = Recorder::attach(tree.supervisor());
    let readyz = || tree.health().readyz();
    world.store.state().is_uncounted = true;
    tree.start().await?;
    sleep(Duration::from_secs(60)).await;
    assert!(readyz().body.contains("watch_outbox: not ready"), "{}", readyz().body);

    world.store.state().is_uncounted = false;
    tree.wait_ready().await;
    assert_eq!(readyz().status, 200);

    world.store.state().is_uncounted = true;
    let failures = || tree.child("watch_outbox").status().map_or(0, |status| status.failures);
    while failures() == 0 {
        sleep(Duration::from_millis(1)).await;
    }
    assert!(!readyz().body.contains("watch_outbox"), "one failure is forgiven: {}", readyz().body);
    sleep(Duration::from_secs(60)).await;
    assert!(readyz().body.contains("watch_outbox: not ready"), "{}", readyz().body);
    tree.shutdown().await?;

    let started = recorder.paths(EventKind::TaskStarting);
    let at = |path: &str| started.iter().position(|started| started == path);
    assert!(at("store/migrate") < at("watch_outbox"), "{started:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_outbox_is_watched() -> std::result::Result<(), RuntimeError> {
    let world = World::new();
    let tree = tree(&world);
    is_watched(world, tree).await
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "ok")]
async fn a_tree_without_the_task_fails_the_test() {
    let world = World::new();
    let tree = tree_with(&world, Vec::new());
    is_watched(world, tree).await.unwrap();
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "store/migrate")]
async fn a_task_without_its_order_fails_the_test() {
    let world = World::new();
    let tree = tree_with(&world, vec![watch_outbox::spec(world.store.clone())]);
    is_watched(world, tree).await.unwrap();
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "right: 200")]
async fn a_task_without_its_readiness_fails_the_test() {
    let world = World::new();
    let tree = tree_with(&world, vec![hasty::spec(world.store.clone()).with_after(["store"])]);
    is_watched(world, tree).await.unwrap();
}

/// The README shows this code, word for word.
#[test]
fn the_readme_shows_this_code() {
    let code = include_str!("exercise.rs");
    let readme = include_str!("../../README.md").split_whitespace().collect::<Vec<_>>().join(" ");
    for (begin, end) in
        [("#[task(restart", "\n}\n"), ("task(watch_outbox", "\n"), ("    let recorder = ", "    Ok(())\n")]
    {
        let at = code.find(begin).unwrap();
        let part = &code[at..at + code[at..].find(end).unwrap()];
        let part = part.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(readme.contains(&part), "the README lacks: {part}");
    }
}
