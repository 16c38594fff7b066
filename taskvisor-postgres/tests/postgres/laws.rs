//! The laws of a store of leases.

use std::time::Duration;

use fleet_tests::{PgBouncer, Postgres};
use taskvisor::fleet::LeaseStore as _;
use taskvisor::test::lease_laws;
use tokio::time::timeout;

use crate::support::{Spread, TTL, acquire, key, open, server, store, unmigrated};

#[tokio::test]
async fn over_one_connection() {
    let Some(url) = server() else { return };
    lease_laws(store(&url, "laws_one").await).await;
}

#[tokio::test]
async fn over_many_connections() {
    let Some(url) = server() else { return };
    store(&url, "laws_many").await;
    lease_laws(Spread::new((0..8).map(|_| unmigrated(&url, "laws_many")).collect())).await;
}

/// More clients than connections, and each transaction on another connection than the one before.
#[tokio::test]
async fn through_pgbouncer_in_transaction_mode() {
    let Some(server) = Postgres::start(&[]) else { return };
    let Some(pooler) = PgBouncer::start(server.address(), 3) else { return };
    let url = server.url_by(pooler.port());
    store(&url, "laws_pooled").await;
    let stores = (0..8).map(|_| unmigrated(&url, "laws_pooled").listen_on(server.url().parse().unwrap()));
    lease_laws(Spread::new(stores.collect())).await;
}

/// Hints through a pooler do not come. Calls go on.
#[tokio::test]
async fn hints_through_pgbouncer_disturb_no_call() {
    let Some(server) = Postgres::start(&[]) else { return };
    let Some(pooler) = PgBouncer::start(server.address(), 1) else { return };
    let store = store(&server.url_by(pooler.port()), "pooled_hints").await;
    let (a, b) = (open(&store, "a", TTL).await, open(&store, "b", TTL).await);
    for _ in 0..3 {
        let token = acquire(&store, a, "x").await.unwrap();
        let _ = timeout(Duration::from_millis(200), store.changed()).await;
        assert_eq!(acquire(&store, b, "x").await, None);
        store.release(a, &[(key("x"), token)]).await.unwrap();
        store.renew(b).await.unwrap();
    }
}

/// A role or a database can have another default than READ COMMITTED.
#[tokio::test]
async fn where_transactions_are_serializable() {
    let Some(url) = server() else { return };
    for (schema, isolation) in [("laws_serial", "serializable"), ("laws_repeat", "repeatable\\\\ read")] {
        let url = format!("{url} options='-c default_transaction_isolation={isolation}'");
        store(&url, schema).await;
        lease_laws(Spread::new((0..8).map(|_| unmigrated(&url, schema)).collect())).await;
    }
}
