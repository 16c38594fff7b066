//! The laws of a store of leases.

use fleet_tests::{PgBouncer, Postgres};
use taskvisor::test::lease_laws;

use crate::support::{Spread, client, server, store, unmigrated};

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
    let client = client(&server.url()).await;
    let prepared = "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE 'LISTEN%' AND client_port > 0";
    let listeners: i64 = client.query_one(prepared, &[]).await.unwrap().get(0);
    assert!(listeners <= 8, "{listeners}");
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
