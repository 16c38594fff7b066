//! The check of tokens in the transaction of a write.

use taskvisor::fleet::{Claim, FencingToken, LeaseStore as _};
use taskvisor_postgres::FenceError;
use tokio_postgres::Client;

use crate::support::{TTL, acquire, client, key, open, server, store, until_it_waits};

async fn expire(client: &Client, schema: &str) {
    let past = format!("UPDATE {schema}.session SET expires_at = clock_timestamp() - interval '1 second'");
    client.batch_execute(&past).await.unwrap();
}

#[tokio::test]
async fn the_write_of_an_earlier_owner_is_refused() {
    let Some(url) = server() else { return };
    let (store, mut db) = (store(&url, "fence_stale").await, client(&url).await);
    let fence = store.fence("fleet");
    db.batch_execute("CREATE TABLE fence_stale.ledger (balance int); INSERT INTO fence_stale.ledger VALUES (0)")
        .await
        .unwrap();
    let a = open(&store, "a", TTL).await;
    let old = acquire(&store, a, "x").await.unwrap();

    let tx = db.transaction().await.unwrap();
    fence.check(&tx, "x", old).await.unwrap();
    tx.execute("UPDATE fence_stale.ledger SET balance = 1", &[]).await.unwrap();
    tx.commit().await.unwrap();

    expire(&db, "fence_stale").await;
    let b = open(&store, "b", TTL).await;
    let new = acquire(&store, b, "x").await.unwrap();
    let tx = db.transaction().await.unwrap();
    tx.execute("UPDATE fence_stale.ledger SET balance = 2", &[]).await.unwrap();
    let refused = fence.check(&tx, "x", old).await.unwrap_err();
    assert!(matches!(refused, FenceError::Stale { .. }), "{refused:?}");
    drop(tx);
    let balance: i32 = db.query_one("SELECT balance FROM fence_stale.ledger", &[]).await.unwrap().get(0);
    assert_eq!(balance, 1);

    let tx = db.transaction().await.unwrap();
    fence.check(&tx, "x", new).await.unwrap();
    // Another fleet, another key, a token that nobody was given.
    let greatest = FencingToken::from_number(u64::MAX);
    for (fleet, key, token) in [("other", "x", new), ("fleet", "y", new), ("fleet", "x", greatest)] {
        let refused = store.fence(fleet).check(&tx, key, token).await;
        assert!(matches!(refused, Err(FenceError::Stale { .. })), "{refused:?}");
    }
    drop(tx);
    // A released key has no owner, and neither has one of a closed session.
    store.release(b, &[(key("x"), new)]).await.unwrap();
    let tx = db.transaction().await.unwrap();
    assert!(fence.check(&tx, "x", new).await.is_err());
    drop(tx);
    let last = acquire(&store, b, "x").await.unwrap();
    store.close(b).await.unwrap();
    let tx = db.transaction().await.unwrap();
    assert!(fence.check(&tx, "x", last).await.is_err());
}

/// A session was ended by one who took one of its keys. Nobody has taken the other yet.
#[tokio::test]
async fn a_session_that_was_ended_writes_nothing() {
    let Some(url) = server() else { return };
    let (store, mut db) = (store(&url, "fence_ended").await, client(&url).await);
    let a = open(&store, "a", TTL).await;
    let tokens = (acquire(&store, a, "x").await.unwrap(), acquire(&store, a, "y").await.unwrap());
    expire(&db, "fence_ended").await;
    let b = open(&store, "b", TTL).await;
    acquire(&store, b, "x").await.unwrap();
    let tx = db.transaction().await.unwrap();
    for (key, token) in [("x", tokens.0), ("y", tokens.1)] {
        let refused = store.fence("fleet").check(&tx, key, token).await;
        assert!(matches!(refused, Err(FenceError::Stale { .. })), "{refused:?}");
    }
}

/// A session has expired, and its transaction has checked: others find the key busy until the transaction ends.
#[tokio::test]
async fn a_take_over_comes_after_the_transaction() {
    let Some(url) = server() else { return };
    let (store, mut db, control) = (store(&url, "fence_order").await, client(&url).await, client(&url).await);
    let fence = store.fence("fleet");
    let a = open(&store, "a", TTL).await;
    let token = acquire(&store, a, "x").await.unwrap();
    let tx = db.transaction().await.unwrap();
    fence.check(&tx, "x", token).await.unwrap();
    expire(&control, "fence_order").await;
    let b = open(&store, "b", TTL).await;
    assert_eq!(acquire(&store, b, "x").await, None);
    // Other keys are not held up, and nobody waits.
    assert!(acquire(&store, b, "y").await.is_some());
    tx.commit().await.unwrap();
    assert!(acquire(&store, b, "x").await > Some(token));
}

/// The check comes while a take-over is not committed yet: it waits for it, and fails.
#[tokio::test]
async fn a_check_waits_for_a_take_over() {
    let Some(url) = server() else { return };
    let (store, mut db, control) = (store(&url, "fence_wait").await, client(&url).await, client(&url).await);
    let fence = store.fence("fleet");
    let a = open(&store, "a", TTL).await;
    let token = acquire(&store, a, "x").await.unwrap();
    expire(&control, "fence_wait").await;
    let b = open(&store, "b", TTL).await;
    let taking = format!("BEGIN; SELECT fence_wait.acquire_1('{b}', 0, '{{x}}')");
    control.batch_execute(&taking).await.unwrap();
    let pid: i32 = db.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let checking = tokio::spawn(async move {
        let tx = db.transaction().await.unwrap();
        fence.check(&tx, "x", token).await
    });
    until_it_waits(&control, pid).await;
    control.batch_execute("COMMIT").await.unwrap();
    let refused = checking.await.unwrap();
    assert!(matches!(refused, Err(FenceError::Stale { .. })), "{refused:?}");
}

/// The calls of the owner go on beside a transaction of its own that has checked.
#[tokio::test]
async fn an_open_transaction_holds_up_nothing_else() {
    let Some(url) = server() else { return };
    let (store, mut db) = (store(&url, "fence_calls").await, client(&url).await);
    let fence = store.fence("fleet");
    let (a, b) = (open(&store, "a", TTL).await, open(&store, "b", TTL).await);
    let token = acquire(&store, a, "x").await.unwrap();
    let tx = db.transaction().await.unwrap();
    fence.check(&tx, "x", token).await.unwrap();
    store.renew(a).await.unwrap();
    assert_eq!(acquire(&store, a, "x").await, Some(token));
    assert_eq!(acquire(&store, b, "x").await, None);
    // A release has to wait, and says that it could not.
    let released = store.release(a, &[(key("x"), token)]).await;
    assert!(matches!(released, Err(taskvisor::fleet::LeaseError::Unreachable(_))), "{released:?}");
    store.close(a).await.unwrap();
    assert_eq!(acquire(&store, b, "x").await, None);
    tx.commit().await.unwrap();
    assert!(acquire(&store, b, "x").await > Some(token));
}

/// A key whose transaction is still open is released together with others.
#[tokio::test]
async fn a_locked_key_holds_up_no_other_key_and_no_other_call() {
    let Some(url) = server() else { return };
    releases_past_a_lock(&url, "fence_release", 0).await;
    releases_past_a_lock(&url, "fence_release_many", 300).await;
}

async fn releases_past_a_lock(url: &str, schema: &str, more: usize) {
    let (store, mut db) = (store(url, schema).await, client(url).await);
    let (a, b) = (open(&store, "a", TTL).await, open(&store, "b", TTL).await);
    let (x, y) = (acquire(&store, a, "x").await.unwrap(), acquire(&store, a, "y").await.unwrap());
    let tx = db.transaction().await.unwrap();
    store.fence("fleet").check(&tx, "x", x).await.unwrap();
    let mut held = vec![(key("x"), x), (key("y"), y)];
    let more: Vec<_> = (0..more).map(|number| key(&format!("more{number}"))).collect();
    for (key, claim) in more.iter().zip(store.acquire(a, &more).await.unwrap()) {
        let Claim::Held { token, .. } = claim else { panic!("{key} has an owner: {claim:?}") };
        held.push((key.clone(), token));
    }
    let release = async || store.release(a, &held).await;
    let repeated = async || {
        loop {
            release().await.expect_err("the transaction is open");
        }
    };
    let others = async {
        while acquire(&store, b, "y").await.is_none() {}
        assert!(acquire(&store, a, "z").await.is_some());
    };
    let freed = async {
        tokio::select! {
            () = repeated() => {}
            () = others => {}
        }
    };
    tokio::time::timeout(TTL, freed).await.expect("the other key is free");
    let locked = release().await;
    assert!(matches!(&locked, Err(taskvisor::fleet::LeaseError::Unreachable(_))), "{locked:?}");
    assert_eq!(acquire(&store, b, "x").await, None);
    let (ended, released) = tokio::join!(tx.commit(), release());
    ended.unwrap();
    released.unwrap();
    assert!(acquire(&store, b, "x").await > Some(x));
}

/// The statement for other drivers is the same.
#[tokio::test]
async fn the_statement_can_be_used_with_another_driver() {
    let Some(url) = server() else { return };
    let (store, db) = (store(&url, "fence_statement").await, client(&url).await);
    let fence = store.fence("fleet");
    let a = open(&store, "a", TTL).await;
    let token = i64::try_from(acquire(&store, a, "x").await.unwrap().number()).unwrap();
    assert_eq!(db.query(fence.statement(), &[&"fleet", &"x", &token]).await.unwrap().len(), 1);
    assert_eq!(db.query(fence.statement(), &[&"fleet", &"x", &(token - 1)]).await.unwrap().len(), 0);
}
