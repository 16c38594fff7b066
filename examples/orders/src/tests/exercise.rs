//! The exercise of the README: its code, and the test that it shows.

use std::sync::Arc;
use std::time::Duration;

use taskvisor::prelude::*;
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
fn tree(world: &World) -> taskvisor::Tree {
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

#[tokio::test(start_paused = true)]
async fn the_outbox_is_watched_and_a_database_that_is_away_is_told() -> std::result::Result<(), RuntimeError> {
    let world = World::new();
    let tree = tree(&world);
    tree.start().await?;
    tree.wait_ready().await;
    assert_eq!(tree.health().readyz().status, 200);
    world.store.state().is_away = true;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(tree.health().readyz().status, 503);
    world.store.state().is_away = false;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(tree.health().readyz().status, 200);
    tree.shutdown().await
}

/// The README shows this code, word for word.
#[test]
fn the_readme_shows_this_code() {
    let code = include_str!("exercise.rs");
    let readme = include_str!("../../README.md").split_whitespace().collect::<Vec<_>>().join(" ");
    for (begin, end) in [
        ("#[task(restart", "\n}\n"),
        ("task(watch_outbox", "\n"),
        ("    tree.start().await?;", "    tree.shutdown().await\n"),
    ] {
        let at = code.find(begin).unwrap();
        let part = &code[at..at + code[at..].find(end).unwrap()];
        let part = part.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(readme.contains(&part), "the README lacks: {part}");
    }
}
