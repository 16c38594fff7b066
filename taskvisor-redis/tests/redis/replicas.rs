//! Supervisors that share a task by leases in Redis.

use std::time::Duration;

use crate::support::Server;
use taskvisor::fleet::{FencingToken, Fleet};
use taskvisor::{SupervisorConfig, TaskContext, TaskFn, TaskSpec, Tree};
use taskvisor_redis::RedisStore;
use tokio::sync::mpsc;
use tokio::time::timeout;

type Runs = mpsc::UnboundedSender<(&'static str, FencingToken)>;

/// A third of this is how often keys are asked for without a hint.
const TTL: Duration = Duration::from_secs(300);
/// Long for a hint, and short for that.
const SOON: Duration = Duration::from_secs(60);

fn replica(name: &'static str, store: RedisStore, ttl: Duration, runs: Runs) -> Tree {
    let ledger = TaskFn::arc("ledger", move |ctx: TaskContext| {
        let runs = runs.clone();
        async move {
            let _ = runs.send((name, ctx.fencing_token().expect("it runs under a lease")));
            ctx.cancelled().await;
            Ok(())
        }
    });
    let fleet = Fleet::new(store).name("billing").label(name).ttl(ttl);
    Tree::builder(SupervisorConfig::default())
        .with_fleet(fleet)
        .task(TaskSpec::inherit(ledger).with_singleton())
        .build()
}

#[tokio::test]
async fn a_task_is_handed_over_by_a_hint() {
    let Some(server) = Server::start(&[]).await else { return };
    let (runs, mut started) = mpsc::unbounded_channel();
    let mut next = async || timeout(SOON, started.recv()).await.expect("a replica takes over").expect("a run");
    let first = replica("first", server.store(), TTL, runs.clone());
    first.start().await.unwrap();
    let (name, mut last) = next().await;
    assert_eq!(name, "first");
    let mut owner = first;
    for name in ["second", "third", "fourth"] {
        let standby = replica(name, server.store(), TTL, runs.clone());
        standby.start().await.unwrap();
        server.until("HGET taskvisor:{billing}:leases ledger", " 1 ").await;
        owner.shutdown().await.unwrap();
        let (by, token) = next().await;
        assert_eq!(by, name);
        assert!(token > last, "{token} came after {last}");
        (owner, last) = (standby, token);
    }
    owner.shutdown().await.unwrap();
    let left: Vec<String> = server.say("HKEYS taskvisor:{billing}:sessions").await;
    assert!(left.is_empty(), "every session was closed: {left:?}");
}

#[tokio::test]
async fn a_task_runs_again_after_the_server_has_lost_its_data() {
    let Some(mut server) = Server::start(&[]).await else { return };
    let (runs, mut started) = mpsc::unbounded_channel();
    let mut next = async || timeout(SOON, started.recv()).await.expect("the task runs").expect("a run");
    let replica = replica("only", server.store(), Duration::from_secs(3), runs);
    replica.start().await.unwrap();
    let (_, first) = next().await;
    server.restart().await;
    let (_, second) = next().await;
    assert!(second > first, "{second} came after {first}");
    replica.shutdown().await.unwrap();
}
