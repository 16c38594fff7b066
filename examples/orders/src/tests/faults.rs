//! Tests of the effects of failures.

use std::time::Duration;

use taskvisor::prelude::*;
use taskvisor::test::Recorder;
use tokio::time::{Instant, sleep};

use super::World;
use crate::store::Store as _;

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
        // A retry is running at the moment.
        assert_eq!(tree.health().readyz().status, 200);
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(tree.health().readyz().status, 200);

    let stop = Instant::now();
    tree.shutdown().await?;
    // The relay ends in time by itself, and the order is kept for the next start.
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

#[tokio::test(start_paused = true)]
async fn a_message_that_another_replica_may_have_claimed_is_not_sent() -> Result<(), RuntimeError> {
    let world = World::new();
    world.store.open().await.unwrap();
    for number in 0..16 {
        world.order(number).await;
    }
    // A claim lasts for 10 s, and a batch takes longer with such a slow broker.
    world.broker.takes(Duration::from_millis(1900));
    let tree = world.tree(world.pool()).await;
    tree.start().await?;
    while world.store.count("delivered") == 0 {
        sleep(Duration::from_millis(10)).await;
    }
    let mut taken = Vec::new();
    while world.store.count("delivered") + taken.len() < 16 {
        sleep(Duration::from_millis(10)).await;
        let claimed = world.store.claim("another", MINUTE * 60, 16).await.unwrap();
        taken.extend(claimed.into_iter().map(|message| message.id));
    }
    sleep(MINUTE).await;
    let sent = world.broker.messages();
    let twice: Vec<_> = taken.iter().filter(|id| sent.contains(id)).collect();
    assert!(twice.is_empty(), "sent although another has claimed them: {twice:?}");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn a_database_that_does_not_answer_is_noticed_and_connected_anew() -> Result<(), RuntimeError> {
    let world = World::new();
    let tree = world.tree(world.pool()).await;
    let recorder = Recorder::attach(tree.supervisor());
    tree.start().await?;
    tree.wait_ready().await;
    world.store.state().is_silent = true;
    // No task hangs: the liveness probe never fails.
    for _ in 0..600 {
        sleep(Duration::from_millis(100)).await;
        let probe = tree.health().livez();
        assert_eq!(probe.status, 200, "{}", probe.body);
    }
    assert_eq!(tree.health().readyz().status, 503);
    assert!(recorder.attempts("store/pool") > 1, "a call that is never answered holds the pool up");
    world.store.state().is_silent = false;
    sleep(MINUTE).await;
    assert_eq!(tree.health().readyz().status, 200, "{}", tree.snapshot());
    world.order(1).await;
    sleep(MINUTE).await;
    assert_eq!(world.store.count("delivered"), 1);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_within_the_limits_also_if_the_database_does_not_answer() -> Result<(), RuntimeError> {
    let world = World::new();
    let tree = world.tree(world.pool()).await;
    tree.start().await?;
    tree.wait_ready().await;
    world.store.state().is_silent = true;
    sleep(Duration::from_secs(1)).await;
    let stop = Instant::now();
    let _ = tree.shutdown().await;
    assert!(stop.elapsed() <= Duration::from_secs(20), "{:?}", stop.elapsed());
    Ok(())
}
