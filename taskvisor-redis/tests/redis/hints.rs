//! Hints that a key is free.

use std::time::Duration;

use crate::support::{Server, is_refused, key, open, take};
use fleet_tests::{Link, Proxy};
use taskvisor::fleet::{FencingToken, LeaseStore as _, SessionId};
use taskvisor_redis::RedisStore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// Waits until as many subscribe.
async fn subscribed(server: &Server, count: usize) {
    let numsub = "PUBSUB NUMSUB taskvisor:{billing}:freed";
    while server.say::<(String, usize)>(numsub).await.1 != count {
        sleep(Duration::from_millis(5)).await;
    }
}

/// How often a hint was given.
async fn published(server: &Server) -> u64 {
    calls(server, "publish").await
}

/// How often a command was called, in scripts too.
async fn calls(server: &Server, command: &str) -> u64 {
    let stats: String = server.say("INFO commandstats").await;
    let prefix = format!("cmdstat_{command}:calls=");
    let calls = stats.lines().find_map(|line| line.strip_prefix(&prefix)?.split(',').next());
    calls.map_or(0, |calls| calls.parse().unwrap())
}

/// How often a command was refused, for want of a permission.
async fn refused(server: &Server, command: &str) -> u64 {
    let stats: String = server.say("INFO commandstats").await;
    let prefix = format!("cmdstat_{command}:");
    let stats = stats.lines().find_map(|line| line.strip_prefix(&prefix)?.split_once("rejected_calls="));
    stats.map_or(0, |(_, refused)| refused.split(',').next().unwrap().parse().unwrap())
}

async fn hint(store: &RedisStore) {
    timeout(Duration::from_secs(60), store.changed()).await.expect("a hint");
}

/// A store by way of a proxy, with an owner of `x`, which somebody was refused and waits for.
struct Waiting {
    proxy: Proxy,
    store: RedisStore,
    a: SessionId,
    token: FencingToken,
    listening: JoinHandle<()>,
}

async fn waiting(server: &Server) -> Waiting {
    waiting_as("", server).await
}

/// With the name and password of a user, as in a URL.
async fn waiting_as(user: &str, server: &Server) -> Waiting {
    let proxy = Proxy::start(server.address()).await.unwrap();
    let store = RedisStore::new(format!("redis://{user}{}", proxy.address())).unwrap();
    let (a, b) = (open(&store, "a").await, open(&store, "b").await);
    let token = take(&store, a, "x").await;
    is_refused(&store, b, "x").await;
    let listening = tokio::spawn({
        let store = store.clone();
        async move { hint(&store).await }
    });
    subscribed(server, 1).await;
    Waiting { proxy, store, a, token, listening }
}

#[tokio::test]
async fn only_a_key_that_somebody_was_refused_is_told() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = server.store();
    let (a, b) = (open(&store, "a").await, open(&store, "b").await);
    let (x, y) = (take(&store, a, "x").await, take(&store, a, "y").await);
    for _ in 0..3 {
        is_refused(&store, b, "x").await;
        store.renew(a).await.unwrap();
        store.renew(b).await.unwrap();
    }
    store.release(a, &[(key("y"), y)]).await.unwrap();
    assert!(store.mark(a, &key("x"), x, 1).await.unwrap());
    assert_eq!(published(&server).await, 0);
    store.release(a, &[(key("x"), x)]).await.unwrap();
    assert_eq!(published(&server).await, 1);
    // It was told, and is no more to be told.
    store.release(a, &[(key("x"), x)]).await.unwrap();
    take(&store, a, "x").await;
    store.close(a).await.unwrap();
    assert_eq!(published(&server).await, 1);

    let other = open(&store, "other").await;
    for name in ["p", "q", "r"] {
        take(&store, other, name).await;
        is_refused(&store, b, name).await;
    }
    for _ in 0..2 {
        store.close(other).await.unwrap();
    }
    assert_eq!(published(&server).await, 2);
    // The next owner was refused to nobody.
    let token = take(&store, b, "p").await;
    store.release(b, &[(key("p"), token)]).await.unwrap();
    store.close(b).await.unwrap();
    assert_eq!(published(&server).await, 2);
}

#[tokio::test]
async fn all_that_wait_are_woken() {
    let Some(server) = Server::start(&[]).await else { return };
    let (here, there) = (server.store(), server.store());
    let (a, b) = (open(&here, "a").await, open(&there, "b").await);
    let token = take(&here, a, "x").await;
    is_refused(&there, b, "x").await;
    let clone = there.clone();
    let released = async {
        subscribed(&server, 1).await;
        here.release(a, &[(key("x"), token)]).await.unwrap();
    };
    tokio::join!(hint(&there), hint(&clone), released);
}

/// The one that listens for both is dropped.
#[tokio::test]
async fn one_that_waits_takes_over_from_another() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = server.store();
    let (a, b) = (open(&store, "a").await, open(&store, "b").await);
    let token = take(&store, a, "x").await;
    is_refused(&store, b, "x").await;
    let first = tokio::spawn({
        let store = store.clone();
        async move { store.changed().await }
    });
    subscribed(&server, 1).await;
    let released = async {
        first.abort();
        store.release(a, &[(key("x"), token)]).await.unwrap();
    };
    tokio::join!(hint(&store), released);
}

#[tokio::test]
async fn a_hint_between_two_calls_is_not_lost() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = server.store();
    let (a, b) = (open(&store, "a").await, open(&store, "b").await);
    let token = take(&store, a, "x").await;
    is_refused(&store, b, "x").await;
    tokio::select! {
        () = store.changed() => panic!("nothing has changed"),
        () = subscribed(&server, 1) => {}
    }
    store.release(a, &[(key("x"), token)]).await.unwrap();
    hint(&store).await;
}

#[tokio::test]
async fn a_fleet_that_comes_later_is_heard_too() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = server.store();
    let other = taskvisor::fleet::SessionSpec::new("other", "o", crate::support::LONG);
    store.open(&other).await.unwrap();
    let later = async {
        while server.say::<(String, usize)>("PUBSUB NUMSUB taskvisor:{other}:freed").await.1 == 0 {}
        let (a, b) = (open(&store, "a").await, open(&store, "b").await);
        let token = take(&store, a, "x").await;
        is_refused(&store, b, "x").await;
        subscribed(&server, 1).await;
        store.release(a, &[(key("x"), token)]).await.unwrap();
    };
    tokio::join!(hint(&store), later);
}

#[tokio::test]
async fn a_lost_subscription_is_made_again_and_is_a_hint() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = server.store();
    let (a, b) = (open(&store, "a").await, open(&store, "b").await);
    let token = take(&store, a, "x").await;
    is_refused(&store, b, "x").await;
    let lost = async {
        subscribed(&server, 1).await;
        let _: i64 = server.say("CLIENT KILL TYPE pubsub").await;
    };
    tokio::join!(hint(&store), lost);
    subscribed(&server, 1).await;
    tokio::join!(hint(&store), async { store.release(a, &[(key("x"), token)]).await.unwrap() });
}

/// A firewall has forgotten the connection: nothing comes any more, and nobody says so.
#[tokio::test]
async fn a_mute_subscription_is_noticed() {
    let Some(server) = Server::start(&[]).await else { return };
    let proxy = Proxy::start(server.address()).await.unwrap();
    let store = RedisStore::new(format!("redis://{}", proxy.address())).unwrap();
    let store = store.with_node(server.url()).unwrap();
    open(&store, "a").await;
    let listening = tokio::spawn(async move { hint(&store).await });
    subscribed(&server, 1).await;
    proxy.set(Link::RepliesDropped);
    tokio::time::pause();
    // It asks after 20 s, and waits 10 s for the answer.
    sleep(Duration::from_millis(30_010)).await;
    tokio::time::resume();
    listening.await.unwrap();
}

/// As it is after a partition that lost what was sent: calls go on with a new connection, and so do hints.
#[tokio::test]
async fn a_subscription_is_made_anew_when_calls_have_lost_their_connection() {
    let Some(server) = Server::start(&[]).await else { return };
    let proxy = Proxy::start(server.address()).await.unwrap();
    let store = RedisStore::new(format!("redis://{}", proxy.address())).unwrap();
    let a = open(&store, "a").await;
    let mut listening = tokio::spawn({
        let store = store.clone();
        async move { hint(&store).await }
    });
    subscribed(&server, 1).await;
    proxy.set(Link::RepliesDropped);
    assert!(timeout(Duration::from_millis(200), store.renew(a)).await.is_err());
    proxy.set(Link::Open);
    assert!(timeout(Duration::from_millis(200), &mut listening).await.is_err(), "it is mute, and does not know it");
    store.renew(a).await.unwrap();
    // By itself it would notice after 30 s.
    timeout(Duration::from_secs(15), listening).await.expect("hints come back").unwrap();
}

/// As `timeout` of the server does: it closes no subscription.
#[tokio::test]
async fn a_subscription_is_kept_when_calls_find_their_connection_closed() {
    let Some(server) = Server::start(&[]).await else { return };
    let Waiting { proxy, store, a, token, mut listening } = waiting(&server).await;
    for _ in 0..5 {
        let _: i64 = server.say("CLIENT KILL TYPE normal SKIPME yes").await;
        store.renew(a).await.unwrap();
        assert!(timeout(Duration::from_millis(50), &mut listening).await.is_err(), "nothing has changed");
    }
    store.release(a, &[(key("x"), token)]).await.unwrap();
    listening.await.unwrap();
    assert_eq!(proxy.accepted(), 2 + 5, "one connection for hints, and one for calls after another");
}

#[tokio::test]
async fn a_quiet_subscription_is_kept() {
    let Some(server) = Server::start(&[]).await else { return };
    let Waiting { proxy, store, a, token, listening } = waiting(&server).await;
    let before = calls(&server, "ping").await;
    tokio::time::pause();
    sleep(Duration::from_millis(20_001)).await;
    tokio::time::resume();
    let asked = async { while calls(&server, "ping").await == before {} };
    timeout(Duration::from_secs(60), asked).await.expect("it asks whether the server is there");
    assert!(!listening.is_finished());
    store.release(a, &[(key("x"), token)]).await.unwrap();
    listening.await.unwrap();
    assert_eq!(proxy.accepted(), 2, "one connection for calls, and one for hints");
}

/// The user may subscribe, and not ask whether the server is there. The refusal shows that it is.
#[tokio::test]
async fn a_quiet_subscription_is_kept_for_a_user_with_few_permissions() {
    let Some(server) = Server::start(&[]).await else { return };
    let commands = "+evalsha +eval +time +hget +hset +hdel +hkeys +publish +subscribe +info";
    let user = format!("ACL SETUSER few on >secret ~taskvisor:* resetchannels &taskvisor:* {commands}");
    let _: () = server.say(&user).await;
    let Waiting { proxy, store, a, token, listening } = waiting_as("few:secret@", &server).await;
    for round in 1..=2 {
        tokio::time::pause();
        sleep(Duration::from_millis(20_001)).await;
        tokio::time::resume();
        let asked = async { while refused(&server, "ping").await < round {} };
        timeout(Duration::from_secs(60), asked).await.expect("it asks whether the server is there");
    }
    assert!(!listening.is_finished(), "nothing has changed");
    store.release(a, &[(key("x"), token)]).await.unwrap();
    listening.await.unwrap();
    assert_eq!(proxy.accepted(), 2, "one connection for calls, and one for hints");
}

#[tokio::test]
async fn a_server_out_of_reach_is_asked_seldom() {
    let Some(server) = Server::start(&[]).await else { return };
    let proxy = Proxy::start(server.address()).await.unwrap();
    let store = RedisStore::new(format!("redis://{}", proxy.address())).unwrap();
    let never = timeout(Duration::from_millis(50), store.changed()).await;
    assert!(never.is_err() && proxy.accepted() == 0, "without a fleet there is nothing to hear");
    open(&store, "a").await;
    let (before, began) = (proxy.accepted(), Instant::now());
    proxy.set(Link::Cut);
    // Whether it waits on or is called again and again.
    assert!(timeout(Duration::from_millis(500), store.changed()).await.is_err());
    for _ in 0..50 {
        assert!(timeout(Duration::from_millis(10), store.changed()).await.is_err());
    }
    // At 0, 0.25, 0.75, 1.75 s and so on, and never sooner.
    let (attempts, took) = (proxy.accepted() - before, began.elapsed());
    let times = std::iter::successors(Some(0.25), |time| Some(2.0 * time + 0.25));
    let most = 1 + times.take_while(|time| *time <= took.as_secs_f64()).count() as u64;
    assert!((1..=most).contains(&attempts), "{attempts} attempts in {took:?}");
    proxy.set(Link::Open);
    hint(&store).await;
}

/// Trees of one process can share a store. The subscription is on the runtime of the first that waits for a hint, and the
/// others go on when that has ended.
#[tokio::test]
async fn hints_outlive_the_runtime_that_listened_first() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = server.store();
    let (a, b) = (open(&store, "a").await, open(&store, "b").await);
    let first = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let of_first = store.clone();
    first.spawn(async move { of_first.changed().await });
    subscribed(&server, 1).await;
    let of_second = store.clone();
    let second = tokio::spawn(async move { of_second.changed().await });
    tokio::task::yield_now().await;
    first.shutdown_background();
    // What may be lost in between counts as a hint.
    timeout(Duration::from_secs(60), second).await.expect("a hint").unwrap();
    let of_second = store.clone();
    let second = tokio::spawn(async move { of_second.changed().await });
    subscribed(&server, 1).await;
    let token = take(&store, a, "x").await;
    is_refused(&store, b, "x").await;
    store.release(a, &[(key("x"), token)]).await.unwrap();
    timeout(Duration::from_secs(60), second).await.expect("a hint").unwrap();
}
