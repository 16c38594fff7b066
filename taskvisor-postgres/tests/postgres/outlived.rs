//! Connections that are open when what they were made by changes.

use fleet_tests::Postgres;
use taskvisor::fleet::{LeaseError, LeaseStore as _};
use tokio_postgres::NoTls;

use crate::support::{TTL, client, open, store, unmigrated, until, url_as};

/// A new password cuts no open connection. A store that has the old one gets no other, and is in time again with the old
/// one.
#[tokio::test]
async fn a_connection_outlives_its_password() {
    let Some(server) = Postgres::start(&[]) else { return };
    let (url, control) = (server.url(), client(&server.url()).await);
    store(&url, "password").await;
    let grants = "CREATE ROLE billing LOGIN PASSWORD 'old';
        GRANT USAGE ON SCHEMA password TO billing;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA password TO billing;";
    control.batch_execute(grants).await.unwrap();
    let file: String = control.query_one("SHOW hba_file", &[]).await.unwrap().get(0);
    let rules = "VALUES ('host all postgres all trust'), ('host all all all scram-sha-256')";
    control.batch_execute(&format!("COPY ({rules}) TO '{file}'; SELECT pg_reload_conf()")).await.unwrap();
    while tokio_postgres::connect(&url_as(&url, "billing", "wrong"), NoTls).await.is_ok() {}

    let store = unmigrated(&url_as(&url, "billing", "old"), "password").without_hints();
    let session = open(&store, "a", TTL).await;
    store.renew(session).await.unwrap();
    control.batch_execute("ALTER ROLE billing PASSWORD 'new'").await.unwrap();
    store.renew(session).await.unwrap();
    let of_store = "FROM pg_stat_activity WHERE usename = 'billing'";
    control.query(&format!("SELECT pg_terminate_backend(pid) {of_store}"), &[]).await.unwrap();
    until(&control, &format!("SELECT 1 {of_store} HAVING count(*) = 0"), &[]).await;
    for _ in 0..2 {
        let refused = store.renew(session).await;
        let Err(LeaseError::Misconfigured(error)) = refused else { panic!("{refused:?}") };
        assert!(error.to_string().contains("check the user, the password"), "{error}");
    }
    control.batch_execute("ALTER ROLE billing PASSWORD 'old'").await.unwrap();
    store.renew(session).await.unwrap();
}

/// As a primary is after a failover, or a server whose disk is full at a provider.
#[tokio::test]
async fn a_connection_to_a_server_that_has_become_read_only_is_left() {
    let Some(server) = Postgres::start(&[]) else { return };
    let control = client(&server.url()).await;
    let store = store(&server.url(), "demoted").await;
    let session = open(&store, "a", TTL).await;
    store.renew(session).await.unwrap();
    let pids = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%demoted%renew_1%' AND pid <> pg_backend_pid()";
    let pid: i32 = control.query_one(pids, &[]).await.unwrap().get(0);
    let set = async |value: &str| {
        control.batch_execute(&format!("ALTER SYSTEM SET default_transaction_read_only = {value}")).await.unwrap();
        control.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    };
    set("on").await;
    let refused = loop {
        if let Err(refused) = store.renew(session).await {
            break refused;
        }
    };
    assert!(matches!(refused, LeaseError::Unreachable(_)), "{refused:?}");
    set("off").await;
    while store.renew(session).await.is_err() {}
    let others = format!("{pids} AND pid <> $1");
    assert_eq!(control.query(&others, &[&pid]).await.unwrap().len(), 1, "the connection is another one");
}
