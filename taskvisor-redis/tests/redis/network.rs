//! Connections that end, stall, and lose what they carry.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use crate::support::{Server, is_refused, key, open, take};
use fleet_tests::{Link, Proxy};
use taskvisor::fleet::{Claim, LeaseError, LeaseKey, LeaseStore};
use taskvisor_redis::RedisStore;
use tokio::net::TcpListener;
use tokio::time::timeout;

const BRIEF: Duration = Duration::from_millis(50);

/// A primary, and its replica.
async fn replicated() -> Option<[Server; 2]> {
    let (primary, replica) = (Server::start(&[]).await?, Server::start(&[]).await?);
    replica.follow(primary.address()).await;
    Some([primary, replica])
}

async fn behind_proxy(server: &Server) -> (Proxy, RedisStore) {
    let proxy = Proxy::start(server.address()).await.unwrap();
    let store = RedisStore::new(format!("redis://{}", proxy.address())).unwrap();
    (proxy, store)
}

#[tokio::test]
async fn a_server_that_is_not_there_is_out_of_reach() {
    let store = RedisStore::new(format!("redis://127.0.0.1:{}", fleet_tests::free_port())).unwrap();
    let opened = store.open(&crate::support::spec("a")).await;
    assert!(matches!(opened, Err(LeaseError::Unreachable(_))), "{opened:?}");
}

#[tokio::test]
async fn a_killed_connection_is_replaced_within_the_call() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = server.store();
    let a = open(&store, "a").await;
    let token = take(&store, a, "x").await;
    for _ in 0..20 {
        let _: i64 = server.say("CLIENT KILL TYPE normal SKIPME yes").await;
        store.renew(a).await.unwrap();
    }
    assert_eq!(take(&store, a, "x").await, token);
}

/// As `timeout` of the server closes a connection, or a proxy before it.
#[tokio::test]
async fn a_connection_that_was_closed_while_idle_fails_no_call() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = server.store();
    let a = open(&store, "a").await;
    let kill = async || server.say::<i64>("CLIENT KILL TYPE normal SKIPME yes").await;
    let token = take(&store, a, "x").await;
    for tick in 1..20 {
        kill().await;
        assert!(store.mark(a, &key("x"), token, tick).await.unwrap());
        kill().await;
        open(&store, "b").await;
        kill().await;
        store.release(a, &[(key("y"), token)]).await.unwrap();
    }
    kill().await;
    store.close(a).await.unwrap();
}

/// Of several nodes, the one that has closed an idle connection is asked again, and the next one if it is gone.
#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_no_reason_to_leave_a_node() {
    let Some([mut primary, replica]) = replicated().await else { return };
    let store = primary.store().with_node(replica.url()).unwrap();
    let a = open(&store, "a").await;
    for _ in 0..5 {
        let _: i64 = primary.say("CLIENT KILL TYPE normal SKIPME yes").await;
        store.renew(a).await.unwrap();
    }
    replica.until(&format!("HEXISTS taskvisor:{{billing}}:sessions {a}"), "1").await;
    primary.kill();
    let _: () = replica.say("REPLICAOF NO ONE").await;
    store.renew(a).await.unwrap();
}

/// A tick may have been marked by the call that failed, and is marked once: the answer to another call does not count.
#[tokio::test]
async fn a_mark_without_an_answer_is_not_sent_again() {
    let Some(server) = Server::start(&[]).await else { return };
    let (proxy, store) = behind_proxy(&server).await;
    let a = open(&store, "a").await;
    let token = take(&store, a, "x").await;
    // The server knows the script from here on, and carries it out at the first request.
    assert!(store.mark(a, &key("x"), token, 6).await.unwrap());
    proxy.set(Link::RepliesDropped);
    let (x, cut) = (key("x"), async {
        server.until("HGET taskvisor:{billing}:leases x", "00000000000000000007").await;
        proxy.cut().await;
    });
    let (marked, ()) = tokio::join!(store.mark(a, &x, token, 7), cut);
    assert!(matches!(marked, Err(LeaseError::Unreachable(_))), "{marked:?}");
    assert!(!store.mark(a, &x, token, 7).await.unwrap());
    assert!(store.mark(a, &x, token, 8).await.unwrap());
}

#[tokio::test]
async fn a_call_after_one_that_was_given_up_has_a_connection_of_its_own() {
    let Some(server) = Server::start(&[]).await else { return };
    let (proxy, store) = behind_proxy(&server).await;
    let (a, b) = (open(&store, "a").await, open(&store, "b").await);
    take(&store, a, "x").await;
    for (n, link) in [Link::Stalled, Link::RequestsHeld, Link::RepliesHeld, Link::RequestsDropped, Link::RepliesDropped]
        .into_iter()
        .enumerate()
    {
        let name = format!("k{n}");
        let before = proxy.accepted();
        proxy.set(link);
        let given_up = timeout(BRIEF, store.acquire(a, &[key("x"), key(&name)])).await;
        assert!(given_up.is_err(), "{link:?}: {given_up:?}");
        proxy.set(Link::Open);
        // The shape of the answer shows that it is to this call.
        store.renew(a).await.unwrap();
        assert_eq!(proxy.accepted(), before + 1, "{link:?}");
        let token = take(&store, a, &name).await;
        assert_eq!(take(&store, a, &name).await, token, "{link:?}");
        is_refused(&store, b, &name).await;
    }
    proxy.cut().await;
    store.renew(a).await.unwrap();
}

/// Runs a course of things that has to end before the limit of an attempt to connect, and again if the machine was too
/// slow.
async fn in_time(course: impl AsyncFn() -> Result<(), LeaseError>) {
    let mut last = None;
    for _ in 0..4 {
        let began = Instant::now();
        match course().await {
            Ok(()) => return,
            Err(error) if began.elapsed() < Duration::from_secs(8) => panic!("{error}"),
            Err(error) => last = Some(error),
        }
    }
    panic!("it failed each time: {last:?}");
}

/// A way to a server whose first connection is answered late, and the others never.
struct Late {
    first: Proxy,
    proxy: Proxy,
    silent: TcpListener,
}

impl Late {
    async fn to(server: &Server) -> Self {
        let first = Proxy::start(server.address()).await.unwrap();
        first.set(Link::RepliesHeld);
        let proxy = Proxy::start(first.address()).await.unwrap();
        Self { first, proxy, silent: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    fn store(&self) -> RedisStore {
        RedisStore::new(format!("redis://{}", self.proxy.address())).unwrap()
    }

    /// Drops a call when the server has a request of the first connection.
    async fn drop_call(&self, store: &RedisStore) {
        let spec = crate::support::spec("a");
        tokio::select! {
            opened = store.open(&spec) => panic!("an answer came: {opened:?}"),
            () = async { while self.first.bytes().0 == 0 { tokio::task::yield_now().await; } } => {}
        }
        self.proxy.lead_to(self.silent.local_addr().unwrap());
    }
}

#[tokio::test]
async fn a_set_up_that_takes_longer_than_a_call_goes_on() {
    let Some(server) = Server::start(&[]).await else { return };
    in_time(async || {
        let late = Late::to(&server).await;
        let store = late.store();
        late.drop_call(&store).await;
        // Neither does one more call have it.
        let spec = crate::support::spec("a");
        assert!(timeout(BRIEF, store.open(&spec)).await.is_err());
        late.first.set(Link::Open);
        let a = store.open(&spec).await?;
        store.renew(a).await.map(drop)
    })
    .await;
}

/// The primary is slow, and its replica is not: the connection to the replica ends no attempt.
#[tokio::test]
async fn a_replica_that_is_faster_keeps_no_slow_primary_away() {
    let Some([primary, replica]) = replicated().await else { return };
    in_time(async || {
        let late = Late::to(&primary).await;
        let store = late.store().with_node(replica.url()).unwrap();
        late.drop_call(&store).await;
        // A call waits for the primary at first, and one after it asks the replica.
        let spec = crate::support::spec("a");
        let refused = loop {
            if let Ok(refused) = timeout(BRIEF * 3, store.open(&spec)).await {
                break refused.unwrap_err();
            }
        };
        if !format!("{refused:?}").starts_with("Unreachable(ReadOnly") {
            return Err(refused);
        }
        late.first.set(Link::Open);
        store.open(&spec).await.map(drop)
    })
    .await;
}

/// A call has been dropped before the primary had answered, so the node after it would be the next one.
#[tokio::test]
async fn a_slow_node_that_has_closed_an_idle_connection_is_asked_again() {
    let Some([primary, replica]) = replicated().await else { return };
    in_time(async || {
        let late = Late::to(&primary).await;
        let store = late.store().with_node(replica.url()).unwrap();
        late.drop_call(&store).await;
        late.first.set(Link::Open);
        late.proxy.lead_to(late.first.address());
        let spec = crate::support::spec("a");
        let a = loop {
            // The replica may be asked first.
            match store.open(&spec).await {
                Ok(a) => break a,
                Err(error) if format!("{error:?}").starts_with("Unreachable(ReadOnly") => {}
                Err(error) => return Err(error),
            }
        };
        for _ in 0..5 {
            let _: i64 = primary.say("CLIENT KILL TYPE normal SKIPME yes").await;
            store.renew(a).await?;
        }
        Ok(())
    })
    .await;
}

/// The same token is given again to a call whose first answer was lost.
#[tokio::test]
async fn a_taking_without_an_answer_has_one_token() {
    let Some(server) = Server::start(&[]).await else { return };
    let (proxy, store) = behind_proxy(&server).await;
    let a = open(&store, "a").await;
    take(&store, a, "y").await;
    proxy.set(Link::RepliesDropped);
    let x = [key("x")];
    let row = tokio::select! {
        claims = store.acquire(a, &x) => panic!("an answer came: {claims:?}"),
        row = async {
            loop {
                let row: Option<String> = server.say("HGET taskvisor:{billing}:leases x").await;
                if let Some(row) = row {
                    break row;
                }
            }
        } => row,
    };
    proxy.set(Link::Open);
    let token = take(&store, a, "x").await;
    assert_eq!(row.split(' ').next(), Some(token.to_string().as_str()));
}

/// Polls a call some times and drops it.
async fn drop_after(polls: usize, call: impl Future) -> bool {
    let mut call = pin!(call);
    let mut left = polls;
    std::future::poll_fn(|cx| {
        if left == 0 {
            return std::task::Poll::Ready(true);
        }
        left -= 1;
        call.as_mut().poll(cx).map(|_| false)
    })
    .await
}

#[tokio::test]
async fn a_dropped_call_leaves_the_next_its_own_answer() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = server.store();
    let (a, b) = (open(&store, "a").await, open(&store, "b").await);
    let token = take(&store, a, "x").await;
    let names: Vec<_> = (0..5).map(|n| key(&format!("k{n}"))).collect();
    let mut dropped = 0;
    for round in 0..200 {
        let polls = 1 + round % 4;
        dropped += usize::from(drop_after(polls, store.acquire(b, &names)).await);
        dropped += usize::from(drop_after(polls, store.renew(a)).await);
        let keys: Vec<LeaseKey> = [key("x")].into_iter().chain(names[..round % 5].iter().cloned()).collect();
        let claims = store.acquire(b, &keys).await.unwrap();
        assert_eq!(claims.len(), keys.len());
        assert_eq!(claims[0], Claim::Busy { owner: "a".into() });
        dropped += usize::from(drop_after(polls, store.mark(a, &key("y"), token, 1)).await);
        assert_eq!(take(&store, a, "x").await, token);
    }
    assert!(dropped > 10, "{dropped} calls were dropped");
}

/// The task of a connection ends with the runtime that it was made on.
#[test]
fn a_store_outlives_the_runtime_of_its_connection() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let all = runtime();
    let Some(server) = all.block_on(Server::start(&[])) else { return };
    let store = server.store();
    let (session, token) = runtime().block_on(async {
        let a = open(&store, "a").await;
        (a, take(&store, a, "x").await)
    });
    for _ in 0..3 {
        runtime().block_on(async {
            store.renew(session).await.unwrap();
            assert_eq!(take(&store, session, "x").await, token);
        });
    }
}

#[tokio::test]
async fn many_keys_are_taken_and_released_in_order() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = server.store();
    let (a, b) = (open(&store, "a").await, open(&store, "b").await);
    let keys: Vec<_> = (0..1_000).map(|n| key(&format!("k{n}"))).collect();
    let odd: Vec<_> = keys.iter().skip(1).step_by(2).cloned().collect();
    store.acquire(b, &odd).await.unwrap();
    let claims = store.acquire(a, &keys).await.unwrap();
    let mut held = Vec::new();
    for (n, claim) in claims.into_iter().enumerate() {
        match claim {
            Claim::Held { token, .. } if n % 2 == 0 => held.push((keys[n].clone(), token)),
            Claim::Busy { owner } if n % 2 == 1 => assert_eq!(owner, "b"),
            claim => panic!("{n}: {claim:?}"),
        }
    }
    assert_eq!(held.len(), 500);
    store.release(a, &held).await.unwrap();
    let claims = store.acquire(b, &keys).await.unwrap();
    assert!(claims.iter().all(|claim| matches!(claim, Claim::Held { .. })));
}
