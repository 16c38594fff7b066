//! Hints that a key may be free.

use std::future::poll_fn;
use std::time::Duration;

use fleet_tests::{Link, Proxy};
use taskvisor::fleet::LeaseStore as _;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, NoTls};

use crate::support::{
    TTL, acquire, address, client, key, open, server, store, unmigrated, until, until_it_listens, url_by,
};

const A_WHILE: Duration = Duration::from_millis(300);

/// Returns all that is said on a channel.
async fn channel(url: &str, name: &str) -> mpsc::UnboundedReceiver<String> {
    let (client, mut connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let (said, heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
            if let AsyncMessage::Notification(note) = message {
                let _ = said.send(note.payload().to_owned());
            }
        }
    });
    client.batch_execute(&format!("LISTEN {name}")).await.unwrap();
    // It listens as long as the client lives.
    std::mem::forget(client);
    heard
}

/// Only what somebody was refused is announced: at a release, at a close, and when an expired session is ended.
#[tokio::test]
async fn only_refused_keys_are_announced() {
    let Some(url) = server() else { return };
    let (store, control) = (store(&url, "announced").await, client(&url).await);
    let mut heard = channel(&url, "announced").await;
    // What was said up to here.
    let mut said = async || {
        control.batch_execute("NOTIFY announced, 'mark'").await.unwrap();
        let mut said = 0;
        while heard.recv().await.unwrap() != "mark" {
            said += 1;
        }
        said
    };
    let (a, b) = (open(&store, "a", TTL).await, open(&store, "b", TTL).await);
    let token = acquire(&store, a, "x").await.unwrap();
    store.renew(a).await.unwrap();
    store.release(a, &[(key("x"), token)]).await.unwrap();
    assert_eq!(said().await, 0, "nobody was refused");

    let token = acquire(&store, a, "x").await.unwrap();
    assert_eq!(acquire(&store, b, "x").await, None);
    assert_eq!(acquire(&store, b, "x").await, None);
    for _ in 0..3 {
        store.renew(a).await.unwrap();
    }
    assert!(store.mark(a, &key("x"), token, 1).await.unwrap());
    assert_eq!(said().await, 0, "the key is not free");
    store.release(a, &[(key("x"), token)]).await.unwrap();
    store.release(a, &[(key("x"), token)]).await.unwrap();
    assert_eq!(said().await, 1, "a key that was refused is free");

    acquire(&store, a, "x").await.unwrap();
    store.close(a).await.unwrap();
    assert_eq!(said().await, 0, "since it was taken, nobody was refused");
    let a = open(&store, "a", TTL).await;
    for name in ["x", "y"] {
        acquire(&store, a, name).await.unwrap();
        assert_eq!(acquire(&store, b, name).await, None);
    }
    // `c` takes one of two keys of an expired session; the other was refused to `b`.
    let past = "UPDATE announced.session SET expires_at = clock_timestamp() WHERE label = 'a'";
    control.batch_execute(past).await.unwrap();
    let c = open(&store, "c", TTL).await;
    acquire(&store, c, "x").await.unwrap();
    assert_eq!(said().await, 1, "the end of an expired session frees its other keys");
    assert!(acquire(&store, b, "y").await.is_some());
    assert_eq!(acquire(&store, b, "x").await, None);
    store.close(c).await.unwrap();
    store.close(c).await.unwrap();
    assert_eq!(said().await, 1, "a key that was refused is free");
}

#[tokio::test]
async fn a_release_wakes_whoever_was_refused() {
    let Some(url) = server() else { return };
    let (mine, other) = (store(&url, "wakes").await, store(&url, "wakes").await);
    let (a, b) = (open(&mine, "a", TTL).await, open(&other, "b", TTL).await);
    let token = acquire(&mine, a, "x").await.unwrap();
    let control = client(&url).await;
    until_it_listens(&other, &control, "wakes").await;
    assert_eq!(acquire(&other, b, "x").await, None);
    // A hint for another fleet, and one that comes between two waits.
    control.batch_execute("NOTIFY wakes, 'another'").await.unwrap();
    assert!(timeout(A_WHILE, other.changed()).await.is_err());
    mine.release(a, &[(key("x"), token)]).await.unwrap();
    timeout(TTL, other.changed()).await.unwrap();
    let token = acquire(&other, b, "x").await.unwrap();
    // Two replicas of one process share a store, and both wait.
    assert_eq!(acquire(&mine, a, "x").await, None);
    let waits = async || timeout(TTL, other.changed()).await.is_ok();
    let held = [(key("x"), token)];
    let (first, second, released) = tokio::join!(waits(), waits(), mine.release(b, &held));
    assert_eq!((first, second), (true, true));
    released.unwrap();
}

/// The connection for hints is cut. What was said meanwhile is lost, so the new one gives a hint.
#[tokio::test]
async fn hints_come_back_after_a_cut() {
    let Some(url) = server() else { return };
    let proxy = Proxy::start(address(&url)).await.unwrap();
    store(&url, "hints_cut").await;
    let by_proxy = url_by(&url, proxy.address().port());
    let store = unmigrated(&url, "hints_cut").listen_on(by_proxy.parse().unwrap());
    open(&store, "a", TTL).await;
    let control = client(&url).await;
    until_it_listens(&store, &control, "hints_cut").await;
    assert_eq!(proxy.accepted(), 1);
    proxy.cut().await;
    timeout(TTL, store.changed()).await.unwrap();
    assert_eq!(proxy.accepted(), 2);
    control.batch_execute("NOTIFY hints_cut, 'fleet'").await.unwrap();
    timeout(TTL, store.changed()).await.unwrap();
}

/// As it is after a partition that lost what was sent: calls go on with a new connection, and so do hints.
#[tokio::test]
async fn hints_come_back_when_calls_have_lost_their_connection() {
    let Some(url) = server() else { return };
    let proxy = Proxy::start(address(&url)).await.unwrap();
    store(&url, "hints_lost").await;
    let store = unmigrated(&url_by(&url, proxy.address().port()), "hints_lost");
    let a = open(&store, "a", TTL).await;
    until_it_listens(&store, &client(&url).await, "hints_lost").await;
    assert_eq!(proxy.accepted(), 2);
    proxy.set(Link::RepliesDropped);
    assert!(timeout(A_WHILE, store.renew(a)).await.is_err());
    proxy.set(Link::Open);
    assert!(timeout(A_WHILE, store.changed()).await.is_err(), "it is mute, and does not know it");
    store.renew(a).await.unwrap();
    // By itself it would notice after 70 s.
    timeout(Duration::from_secs(30), store.changed()).await.expect("hints come back");
}

#[tokio::test]
async fn without_hints_there_is_no_second_connection() {
    let Some(url) = server() else { return };
    let proxy = Proxy::start(address(&url)).await.unwrap();
    store(&url, "no_hints").await;
    let store = unmigrated(&url_by(&url, proxy.address().port()), "no_hints").without_hints();
    open(&store, "a", TTL).await;
    assert!(timeout(A_WHILE, store.changed()).await.is_err());
    assert_eq!(proxy.accepted(), 1);
}

/// Trees of one process can share a store. Its connection for hints is on the runtime of the first that waits for one, and
/// the others go on when that has ended.
#[tokio::test]
async fn hints_outlive_the_runtime_that_listened_first() {
    let Some(url) = server() else { return };
    let (store, control) = (store(&url, "listened_first").await, client(&url).await);
    let (a, b) = (open(&store, "a", TTL).await, open(&store, "b", TTL).await);
    let first = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let of_first = store.clone();
    first.spawn(async move { of_first.changed().await });
    let listens = "SELECT pid FROM pg_stat_activity WHERE query = 'LISTEN \"listened_first\"' AND pid <> $1";
    until(&control, listens, &[&0]).await;
    let pid: i32 = control.query_one(listens, &[&0]).await.unwrap().get(0);

    let (hint, mut hints) = mpsc::unbounded_channel();
    let of_second = store.clone();
    let second = tokio::spawn(async move {
        loop {
            of_second.changed().await;
            hint.send(()).unwrap();
        }
    });
    tokio::task::yield_now().await;
    first.shutdown_background();
    until(&control, listens, &[&pid]).await;
    while hints.try_recv().is_ok() {}
    let token = acquire(&store, a, "x").await.unwrap();
    assert_eq!(acquire(&store, b, "x").await, None);
    store.release(a, &[(key("x"), token)]).await.unwrap();
    assert_eq!(timeout(TTL, hints.recv()).await, Ok(Some(())));
    second.abort();
}
