//! Servers that restart, lose data, or hand over to a replica.

use crate::support::{Server, is_refused, key, open, take};
use fleet_tests::{Link, Proxy};
use taskvisor::fleet::{LeaseError, LeaseStore as _};
use taskvisor_redis::RedisStore;

const LEASES: &str = "taskvisor:{billing}:leases";

#[tokio::test]
async fn sessions_outlive_a_restart_with_data() {
    let Some(mut server) = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]).await else { return };
    let store = server.store();
    let (a, b) = (open(&store, "a").await, open(&store, "b").await);
    let token = take(&store, a, "x").await;
    server.kill();
    let renewed = store.renew(a).await;
    assert!(matches!(renewed, Err(LeaseError::Unreachable(_))), "{renewed:?}");
    server.restart().await;
    store.renew(a).await.unwrap();
    is_refused(&store, b, "x").await;
    assert_eq!(take(&store, a, "x").await, token);
}

#[tokio::test]
async fn tokens_outlive_a_restart_without_data() {
    let Some(mut server) = Server::start(&[]).await else { return };
    let store = server.store();
    let a = open(&store, "a").await;
    let token = take(&store, a, "x").await;
    server.restart().await;
    for _ in 0..2 {
        let renewed = store.renew(a).await;
        assert!(matches!(renewed, Err(LeaseError::Expired)), "{renewed:?}");
    }
    let next = take(&store, open(&store, "a").await, "x").await;
    assert!(next > token, "{next} came after {token}");
}

#[tokio::test]
async fn tokens_grow_though_the_clock_was_ahead() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = server.store();
    let a = open(&store, "a").await;
    // As a server has left it whose clock was years ahead.
    let last = 3_000_000_000_000_000_u64;
    let _: () = server.say(&format!("HSET {LEASES} x {last}")).await;
    let broken = store.acquire(a, &[key("x")]).await;
    assert!(matches!(broken, Err(LeaseError::Misconfigured(_))), "half a row is no row: {broken:?}");
    let row = format!("{last} - 0 -");
    let _: () = redis::cmd("HSET").arg((LEASES, "x", row)).query_async(&mut server.connection().await).await.unwrap();
    for next in 1..4 {
        let token = take(&store, a, "x").await;
        assert_eq!(token.number(), last + next);
        store.release(a, &[(key("x"), token)]).await.unwrap();
    }
}

#[tokio::test]
async fn scripts_are_sent_again_after_a_flush() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = server.store();
    let flush = async || server.say::<()>("SCRIPT FLUSH").await;
    let a = open(&store, "a").await;
    flush().await;
    let token = take(&store, a, "x").await;
    flush().await;
    store.renew(a).await.unwrap();
    flush().await;
    assert!(store.mark(a, &key("x"), token, 1).await.unwrap());
    flush().await;
    store.release(a, &[(key("x"), token)]).await.unwrap();
    flush().await;
    store.close(a).await.unwrap();
    flush().await;
    open(&store, "b").await;
}

#[tokio::test]
async fn a_replica_never_answers_from_its_data() {
    let Some(server) = Server::start(&[]).await else { return };
    let Some(primary) = Server::start(&[]).await else { return };
    let store = server.store();
    let (a, b) = (open(&store, "a").await, open(&store, "b").await);
    let token = take(&store, a, "x").await;
    // A replica of nobody keeps its data.
    let _: () = server.say("REPLICAOF 127.0.0.1 1").await;
    for session in [a, b] {
        let acquired = store.acquire(session, &[key("x")]).await;
        assert!(matches!(acquired, Err(LeaseError::Unreachable(_))), "{acquired:?}");
    }
    let unknown = taskvisor::fleet::SessionId::from_bits(1);
    assert!(matches!(store.renew(unknown).await, Err(LeaseError::Expired)));
    assert!(matches!(store.renew(a).await, Err(LeaseError::Unreachable(_))));
    assert!(matches!(store.close(b).await, Err(LeaseError::Unreachable(_))));
    let _: () = server.say("REPLICAOF NO ONE").await;
    assert_eq!(take(&store, a, "x").await, token);

    // With the address of the primary too, the next call goes there.
    let _: () = server.say(&format!("REPLICAOF 127.0.0.1 {}", primary.address().port())).await;
    let both = server.store().with_node(primary.url()).unwrap();
    let opened = both.open(&crate::support::spec("c")).await;
    assert!(matches!(opened, Err(LeaseError::Unreachable(_))), "{opened:?}");
    let c = open(&both, "c").await;
    take(&both, c, "x").await;
}

/// A primary and its replica, behind an address that leads to one of them.
struct Pair {
    primary: Server,
    replica: Server,
    between: Proxy,
    front: Proxy,
    store: RedisStore,
}

impl Pair {
    async fn start() -> Option<Self> {
        let (primary, replica) = (Server::start(&[]).await?, Server::start(&[]).await?);
        let between = Proxy::start(primary.address()).await.unwrap();
        replica.follow(between.address()).await;
        let front = Proxy::start(primary.address()).await.unwrap();
        let store = RedisStore::new(format!("redis://{}", front.address())).unwrap();
        Some(Self { primary, replica, between, front, store })
    }

    /// Nothing is replicated from here on.
    async fn part(&self) {
        let mut connection = self.primary.connection().await;
        // It waits for the writes of its own connection, and so for all before.
        let _: () = redis::cmd("SET").arg(("last", 1)).query_async(&mut connection).await.unwrap();
        for _ in 0..200 {
            let replicas: i64 = redis::cmd("WAIT").arg((1, 100)).query_async(&mut connection).await.unwrap();
            if replicas == 1 {
                return self.between.set(Link::RepliesHeld);
            }
        }
        panic!("the replica has all writes\n{}", self.replica.log());
    }

    async fn fail_over(&mut self) {
        self.primary.kill();
        let _: () = self.replica.say("REPLICAOF NO ONE").await;
        self.front.lead_to(self.replica.address());
    }
}

/// The replica has not got the last writes. Who took a key by one of them learns it.
#[tokio::test]
async fn a_session_whose_taking_was_lost_is_over() {
    let Some(mut pair) = Pair::start().await else { return };
    let store = pair.store.clone();
    let (a, b, c) = (open(&store, "a").await, open(&store, "b").await, open(&store, "c").await);
    let (kept, _) = (take(&store, a, "y").await, take(&store, c, "z").await);
    pair.part().await;
    let lost = take(&store, a, "x").await;
    pair.fail_over().await;

    let next = take(&store, b, "x").await;
    assert!(next > lost, "{next} came after {lost}");
    let renewed = store.renew(a).await;
    assert!(matches!(renewed, Err(LeaseError::Expired)), "it would own x for ever: {renewed:?}");
    assert!(take(&store, b, "y").await > kept);
    store.renew(b).await.unwrap();
    store.renew(c).await.unwrap();
    is_refused(&store, b, "z").await;
}

/// Otherwise it would get its old token again, which is smaller than that of the owner after it.
#[tokio::test]
async fn a_session_whose_release_was_lost_is_over() {
    let Some(mut pair) = Pair::start().await else { return };
    let store = pair.store.clone();
    let (a, b) = (open(&store, "a").await, open(&store, "b").await);
    let first = take(&store, a, "x").await;
    pair.part().await;
    store.release(a, &[(key("x"), first)]).await.unwrap();
    let second = take(&store, b, "x").await;
    pair.fail_over().await;

    for session in [a, b] {
        let acquired = store.acquire(session, &[key("x")]).await;
        assert!(matches!(acquired, Err(LeaseError::Expired)), "{acquired:?}");
    }
    let third = take(&store, open(&store, "c").await, "x").await;
    assert!(third > second, "{third} came after {second}");
}
