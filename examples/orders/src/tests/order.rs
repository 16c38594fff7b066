//! The start, the stop, and the schedules.

use std::time::Duration;

use taskvisor::EventKind::{self, TaskStarting, TaskStopped};
use taskvisor::prelude::*;
use taskvisor::test::{Recorder, Script, set_wall_clock};
use tokio::time::sleep;

use super::World;

#[tokio::test(start_paused = true)]
async fn all_starts_after_the_tables_and_the_pool_is_closed_last() -> Result<(), RuntimeError> {
    let world = World::new();
    let tree = world.tree(world.pool()).await;
    let recorder = Recorder::attach(tree.supervisor());
    tree.start().await?;
    tree.wait_ready().await;
    let order = |kind: EventKind| -> Vec<String> {
        let events = recorder.events().into_iter().filter(|event| event.kind == kind);
        events.filter_map(|event| event.task.map(|path| path.to_string())).collect()
    };
    let started = order(TaskStarting);
    assert_eq!(started[..4], ["upkeep", "store/pool", "store/migrate", "relay"], "{started:?}");

    tree.shutdown().await?;
    let stopped = order(TaskStopped);
    let at = |path| stopped.iter().rposition(|stopped| stopped == path).unwrap();
    assert!(at("serve") < at("relay") && at("relay") < at("store/pool"), "{stopped:?}");
    assert!(at("store/pool") == stopped.len() - 1 && !world.store.state().is_open);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nothing_is_served_while_the_database_is_away_at_the_start() -> Result<(), RuntimeError> {
    let world = World::new();
    // A script replaces the pool, as with a database that starts later than the service.
    let pool = Script::new("pool").fails("no route").fails("no route").becomes_ready().waits().repeats_last();
    let pool_spec = TaskSpec::from(pool.clone()).with_ready(Ready::Signal);
    world.store.state().is_open = true;
    let tree = world.tree(pool_spec).await;
    let recorder = Recorder::attach(tree.supervisor());
    tree.start().await?;
    assert_eq!(tree.health().readyz().status, 503);
    tree.wait_ready().await;
    assert_eq!((recorder.attempts("store/pool"), recorder.attempts("serve")), (3, 1));
    assert_eq!(pool.tally().failed, 2);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn the_outbox_is_cleaned_each_night_and_reported_each_minute() -> Result<(), RuntimeError> {
    set_wall_clock("2026-10-18T03:00:00Z");
    let world = World::new();
    let tree = world.tree(world.pool()).await;
    tree.start().await?;
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(world.store.state().cleaned.len(), 1);
    let reports = world.store.state().reports.clone();
    assert!(reports.len() >= 59, "{}", reports.len());
    for pair in reports.windows(2) {
        assert_eq!(pair[1].duration_since(pair[0]).unwrap(), Duration::from_secs(60));
    }
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn the_stop_delivers_what_was_accepted_also_from_a_backoff() -> Result<(), RuntimeError> {
    for is_down_before in [false, true] {
        let world = World::new();
        let tree = world.tree(world.pool()).await;
        tree.start().await?;
        tree.wait_ready().await;
        world.broker.is_down(is_down_before);
        for number in 0..100 {
            world.order(number).await;
        }
        if is_down_before {
            while tree.child("relay").status().is_some_and(|status| status.state != TaskState::Backoff) {
                sleep(Duration::from_millis(1)).await;
            }
        }
        world.broker.is_down(false);
        tree.shutdown().await?;
        assert_eq!((world.store.count("delivered"), world.broker.messages().len()), (100, 100));
    }
    Ok(())
}
