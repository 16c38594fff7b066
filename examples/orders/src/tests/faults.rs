//! What a failure means.

use std::time::Duration;

use taskvisor::prelude::*;
use tokio::time::{Instant, sleep};

use super::World;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_down_takes_nothing_out_of_rotation_and_delays_the_stop_by_its_limit()
-> Result<(), RuntimeError> {
    let world = World::new();
    let tree = world.tree(world.pool()).await;
    tree.start().await?;
    tree.wait_ready().await;
    world.broker.is_down(true);
    world.order(1).await;
    sleep(10 * MINUTE).await;
    let is_told = || tree.health().readyz().body.contains("does not count: relay: not ready: backoff");
    while !is_told() {
        // It is just trying again.
        assert_eq!(tree.health().readyz().status, 200);
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(tree.health().readyz().status, 200);

    let stop = Instant::now();
    tree.shutdown().await?;
    // It gives up in time to end by itself, and the order is kept for the next start.
    assert!(stop.elapsed() < Duration::from_secs(10), "{:?}", stop.elapsed());
    assert_eq!((world.store.count("pending"), world.broker.messages().len()), (1, 0));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_away_for_an_hour_ends_nothing() -> Result<(), RuntimeError> {
    let world = World::new();
    let tree = world.tree(world.pool()).await;
    tree.start().await?;
    tree.wait_ready().await;
    world.store.state().is_away = true;
    sleep(60 * MINUTE).await;
    assert_eq!((tree.health().livez().status, tree.health().readyz().status), (200, 503));
    world.store.state().is_away = false;
    sleep(MINUTE).await;
    assert_eq!(tree.health().readyz().status, 200, "{}", tree.snapshot());
    world.order(1).await;
    sleep(MINUTE).await;
    assert_eq!(world.store.count("delivered"), 1);
    tree.shutdown().await
}
