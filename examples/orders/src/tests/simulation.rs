//! The tree under random faults. Every accepted order is delivered, and a planted error in the relay is found.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use taskvisor::prelude::*;
use taskvisor::test::Simulation;
use tokio::time::sleep;

use super::World;
use crate::relay::{RelayError, Route};
use crate::store::{Settled, Store as _};

const ORDERS: usize = 300;

fn faults(simulation: Simulation<'_>) -> Simulation<'_> {
    let second = Duration::from_secs(1);
    simulation.crashes_every(second).panics_every(2 * second).hangs_every(20 * second)
}

/// Sends orders under faults, and returns the ids that the store accepted but the broker has not received some time
/// after the faults.
async fn lost(
    world: &World,
    tree: taskvisor::Tree,
    tasks: &[&str],
    seed: u64,
) -> Result<HashSet<String>, RuntimeError> {
    tree.start().await?;
    tree.wait_ready().await;
    let orders = async {
        let mut accepted = HashSet::new();
        for number in 0..ORDERS {
            sleep(Duration::from_millis(100)).await;
            // An unavailable store refuses the order, so the customer gets an error.
            if world.store.state().is_open {
                world.order(number).await;
                accepted.insert(number.to_string());
            }
        }
        accepted
    };
    let storm = faults(tree.simulate(seed).tasks(tasks.iter().copied())).run_for(Duration::from_secs(30));
    let (mut accepted, report) = tokio::join!(orders, storm);
    sleep(Duration::from_secs(120)).await;
    assert!(tree.health().is_ready(), "seed {seed}: {report}\n{}", tree.snapshot());
    tree.shutdown().await?;
    for message in world.broker.messages() {
        accepted.remove(&message);
    }
    Ok(accepted)
}

#[tokio::test(start_paused = true)]
async fn no_fault_loses_an_order() -> Result<(), RuntimeError> {
    for seed in 0..20 {
        let world = World::new();
        let tree = world.tree(world.pool()).await;
        let tasks = ["relay", "backlog", "report"];
        let lost = lost(&world, tree, &tasks, seed).await?;
        assert!(lost.is_empty(), "seed {seed}: {lost:?}");
        assert_eq!(world.store.count("delivered"), ORDERS);
    }
    Ok(())
}

/// A relay that stores a message as delivered before it sends it. Tests without a fault at that moment pass.
#[task(name = "relay", restart = "always", watchdog = "5s", backoff(first = "50ms"))]
async fn hasty(ctx: TaskContext, route: Route) -> Result<(), RelayError> {
    route.store.release(&route.replica).await?;
    while !ctx.is_cancelled() {
        ctx.heartbeat();
        for message in route.store.claim(&route.replica, route.claim, 16).await? {
            route.store.settle(&message.id, Settled::Delivered).await?;
            route.broker.send(&message).await;
        }
        ctx.run_until_cancelled(route.store.accepted(Duration::from_millis(200))).await;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_settles_before_it_sends_is_found() -> Result<(), RuntimeError> {
    let mut found = 0;
    for seed in 0..20 {
        let world = World::new();
        world.store.open().await.unwrap();
        let store: Arc<dyn crate::store::Store> = world.store.clone();
        let broker: Arc<dyn crate::broker::Broker> = world.broker.clone();
        let route = Route { store, broker, replica: "test".into(), claim: Duration::from_secs(10) };
        let tree = supervise!(tasks = [hasty { route }]);
        let lost = lost(&world, tree.into(), &["relay"], seed).await?;
        found += usize::from(!lost.is_empty());
    }
    assert!(found > 0, "20 seeds have not found it");
    Ok(())
}
