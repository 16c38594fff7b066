//! Tables, rights, and what the errors say.

use std::time::Duration;

use fleet_tests::Proxy;
use taskvisor::fleet::{LeaseError, LeaseStore as _, SessionSpec};
use taskvisor_postgres::PostgresStore;

use crate::support::{
    TTL, acquire, address, client, key, keys, open, server, store, unmigrated, until_it_listens, url_as, url_by,
};

async fn misconfigured(store: &PostgresStore) -> String {
    match store.open(&SessionSpec::new("fleet", "label", TTL)).await {
        Err(LeaseError::Misconfigured(error)) => error.to_string(),
        other => panic!("expected that the store is misconfigured, and not {other:?}"),
    }
}

#[tokio::test]
async fn five_replicas_migrate_at_once() {
    let Some(url) = server() else { return };
    for round in 0..6 {
        let schema = format!("migrate_{round}");
        let isolation = ["read\\\\ committed", "serializable"][round % 2];
        let url = format!("{url} options='-c default_transaction_isolation={isolation}'");
        let replicas: Vec<_> = (0..5)
            .map(|_| {
                let store = unmigrated(&url, &schema);
                tokio::spawn(async move {
                    store.migrate().await?;
                    store.migrate().await?;
                    store.open(&SessionSpec::new("fleet", "label", TTL)).await
                })
            })
            .collect();
        for replica in replicas {
            replica.await.unwrap().unwrap();
        }
    }
}

/// The script makes what `migrate` makes, again and again, and keeps what is there.
#[tokio::test]
async fn the_script_can_be_run_again() {
    let Some(url) = server() else { return };
    let (store, control) = (unmigrated(&url, "script"), client(&url).await);
    control.batch_execute(&store.schema_sql()).await.unwrap();
    let session = open(&store, "a", TTL).await;
    let token = acquire(&store, session, "x").await;
    control.batch_execute(&store.schema_sql()).await.unwrap();
    store.migrate().await.unwrap();
    assert_eq!(acquire(&store, session, "x").await, token);
}

#[tokio::test]
async fn a_schema_can_have_any_name() {
    let Some(url) = server() else { return };
    let control = client(&url).await;
    for name in ["Select", "a\"b'c$taskvisor$d; --", "über {schema}", &"x".repeat(63)] {
        let store = store(&url, name).await;
        let (a, b) = (open(&store, "a", TTL).await, open(&store, "b", TTL).await);
        let token = acquire(&store, a, "x").await.unwrap();
        assert_eq!(acquire(&store, b, "x").await, None);
        until_it_listens(&store, &control, name).await;
        let held = [(key("x"), token)];
        let ((), released) = tokio::join!(store.changed(), store.release(a, &held));
        released.unwrap();
    }
}

/// A role that may use the tables and make nothing: `migrate` has nothing to do, and says nothing.
#[tokio::test]
async fn a_role_needs_few_rights() {
    let Some(url) = server() else { return };
    let control = client(&url).await;
    let role = "CREATE ROLE \"few_rights\" LOGIN PASSWORD 'secret'";
    if let Err(error) = control.batch_execute(role).await {
        assert!(error.to_string().contains("db error"), "{error}");
    }
    let (dba, service) = (unmigrated(&url, "few"), unmigrated(&url_as(&url, "few_rights", "secret"), "few"));
    let text = misconfigured(&service).await;
    assert!(text.contains("\"few\": call `PostgresStore::migrate`"), "{text}");
    let denied = service.migrate().await.unwrap_err();
    let LeaseError::Misconfigured(denied) = denied else { panic!("{denied:?}") };
    assert!(denied.to_string().contains("permission denied"), "{denied}");
    assert!(denied.to_string().contains("run the script that `PostgresStore::schema_sql` returns"), "{denied}");

    control.batch_execute(&dba.schema_sql()).await.unwrap();
    let text = misconfigured(&service).await;
    assert!(
        text.contains("permission denied") && text.contains("grant the role USAGE on the schema \"few\""),
        "{text}"
    );
    let grants = dba.schema_sql().lines().filter_map(|line| line.strip_prefix("--   ")).collect::<Vec<_>>().join("\n");
    control.batch_execute(&grants.replace("TO role", "TO few_rights")).await.unwrap();
    service.migrate().await.unwrap();
    let session = open(&service, "a", TTL).await;
    let token = acquire(&service, session, "x").await.unwrap();
    let mut db = client(&url_as(&url, "few_rights", "secret")).await;
    let tx = db.transaction().await.unwrap();
    service.fence("fleet").check(&tx, "x", token).await.unwrap();
    tx.commit().await.unwrap();
    service.close(session).await.unwrap();
}

#[tokio::test]
async fn errors_say_what_to_do() {
    let Some(url) = server() else { return };
    let text = misconfigured(&unmigrated(&url, "not_there")).await;
    assert!(text.contains("3F000") && text.contains("call `PostgresStore::migrate`"), "{text}");
    client(&url).await.batch_execute("CREATE SCHEMA IF NOT EXISTS half").await.unwrap();
    let text = misconfigured(&unmigrated(&url, "half")).await;
    assert!(text.contains("42883") && text.contains("call `PostgresStore::migrate`"), "{text}");
    let text = misconfigured(&unmigrated(&url_as(&url, "nobody_at_all", ""), "half")).await;
    assert!(text.contains("check the user"), "{text}");
    let no_database = url.parse::<tokio_postgres::Config>().map(|mut config| {
        config.dbname("no_such_database");
        PostgresStore::new(config)
    });
    let text = misconfigured(&no_database.unwrap()).await;
    assert!(text.contains("check the name of the database"), "{text}");
    let text = misconfigured(&unmigrated(&format!("{url} sslmode=require"), "half")).await;
    assert!(text.contains("TLS"), "{text}");
}

/// `main` shows the `Debug` of an error that it returns, and a log the error with its sources.
#[tokio::test]
async fn an_error_is_short_and_says_a_thing_once() {
    let Some(url) = server() else { return };
    let error = unmigrated(&url, "not_there").open(&SessionSpec::new("fleet", "label", TTL)).await.unwrap_err();
    let shown = format!("{error:?}");
    assert!(
        shown.contains("3F000") && shown.contains("PostgresStore::migrate") && !shown.contains("DbError"),
        "{shown}"
    );
}

/// A statement that is refused for want of the tables is no fault of the connection.
#[tokio::test]
async fn a_connection_is_kept_while_the_schema_is_missing() {
    let Some(url) = server() else { return };
    let proxy = Proxy::start(address(&url)).await.unwrap();
    let store = unmigrated(&url_by(&url, proxy.address().port()), "missing_for_long");
    for _ in 0..5 {
        assert!(misconfigured(&store).await.contains("3F000"));
    }
    assert_eq!(proxy.accepted(), 1);
}

/// A migration is called before a tree runs, so nothing else ends its wait.
#[tokio::test(start_paused = true)]
async fn a_migration_gives_up_a_server_that_does_not_answer() {
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let store = unmigrated(&format!("host=127.0.0.1 port={} user=postgres", mute.local_addr().unwrap().port()), "mute");
    let hour = Duration::from_secs(3600);
    let migrated = tokio::time::timeout(hour, store.migrate()).await.expect("the migration ends");
    assert!(matches!(migrated, Err(LeaseError::Unreachable(_))), "{migrated:?}");
}

/// A standby answers, and cannot keep a lease.
#[tokio::test]
async fn a_server_that_does_not_write_is_out_of_reach() {
    let Some(url) = server() else { return };
    store(&url, "read_only").await;
    let standby = unmigrated(&format!("{url} options='-c default_transaction_read_only=on'"), "read_only");
    let opened = standby.open(&SessionSpec::new("fleet", "label", TTL)).await;
    let Err(LeaseError::Unreachable(error)) = opened else { panic!("{opened:?}") };
    assert!(error.to_string().contains("25006"), "{error}");
    assert!(error.source().is_some());
}

/// A text that the database cannot store is the fault of the configuration, and breaks no connection.
#[tokio::test]
async fn texts_are_stored_as_they_are() {
    let Some(url) = server() else { return };
    let store = store(&url, "texts").await;
    let refused = store.open(&SessionSpec::new("a\0b", "label", TTL)).await;
    assert!(matches!(refused, Err(LeaseError::Misconfigured(_))), "{refused:?}");
    let session = store.open(&SessionSpec::new("f'l\"e\\e%t", "la\0bel", TTL)).await.unwrap();
    let other = store.open(&SessionSpec::new("f'l\"e\\e%t", "other", TTL)).await.unwrap();
    let names = ["a,b", "{}", "NULL", "\"", "\\", "'", "ключ", "a b", &"é".repeat(256)];
    let claims = store.acquire(session, &keys(&names)).await.unwrap();
    assert!(claims.iter().all(|claim| matches!(claim, taskvisor::fleet::Claim::Held { .. })), "{claims:?}");
    let claims = store.acquire(other, &keys(&names)).await.unwrap();
    let label = taskvisor::fleet::Claim::Busy { owner: "label".to_owned() };
    assert!(claims.iter().all(|claim| *claim == label), "{claims:?}");
}

/// Ticks and tokens have no bounds that the trait has not.
#[tokio::test]
async fn ticks_have_64_bits() {
    let Some(url) = server() else { return };
    let store = store(&url, "bits").await;
    let session = open(&store, "a", TTL).await;
    let token = acquire(&store, session, "x").await.unwrap();
    assert!(store.mark(session, &key("x"), token, u64::MAX - 1).await.unwrap());
    assert!(store.mark(session, &key("x"), token, u64::MAX).await.unwrap());
    assert!(!store.mark(session, &key("x"), token, u64::MAX).await.unwrap());
    let claims = store.acquire(session, &keys(&["x"])).await.unwrap();
    let taskvisor::fleet::Claim::Held { last_tick, .. } = claims[0] else { panic!("{claims:?}") };
    assert_eq!(last_tick, Some(u64::MAX));
}

/// Rows of sessions that ended a day ago go when others open, some at a time; rows of keys stay.
#[tokio::test]
async fn old_sessions_are_forgotten() {
    let Some(url) = server() else { return };
    let (store, control) = (store(&url, "old").await, client(&url).await);
    let a = open(&store, "a", TTL).await;
    let token = acquire(&store, a, "x").await;
    control
        .batch_execute(
            "INSERT INTO old.session SELECT gen_random_uuid(), 'fleet', 'old', interval '1 s', now(), false
                FROM generate_series(1, 150);
            UPDATE old.session SET expires_at = clock_timestamp() - interval '25 hours'",
        )
        .await
        .unwrap();
    let count = async || -> i64 { control.query_one("SELECT count(*) FROM old.session", &[]).await.unwrap().get(0) };
    let b = open(&store, "b", TTL).await;
    assert_eq!(count().await, 52);
    open(&store, "c", TTL).await;
    assert_eq!(count().await, 2);
    assert!(matches!(store.renew(a).await, Err(LeaseError::Expired)));
    assert!(acquire(&store, b, "x").await > token);
}

/// What is committed without waiting for the disk could be lost in a crash, after the answer.
#[tokio::test]
async fn a_commit_waits_for_the_disk() {
    let Some(url) = server() else { return };
    let store = store(&url, "disk").await;
    let session = open(&store, "a", TTL).await;
    for (setting, expected) in [("off", "local"), ("on", "on"), ("remote_apply", "remote_apply")] {
        let client = client(&format!("{url} options='-c synchronous_commit={setting}'")).await;
        let taking = format!("BEGIN; SELECT disk.acquire_1('{session}', 0, '{{x}}')");
        client.batch_execute(&taking).await.unwrap();
        let now: String = client.query_one("SHOW synchronous_commit", &[]).await.unwrap().get(0);
        assert_eq!(now, expected);
        client.batch_execute("COMMIT").await.unwrap();
        let now: String = client.query_one("SHOW synchronous_commit", &[]).await.unwrap().get(0);
        assert_eq!(now, setting, "a pooled connection keeps its setting");
    }
}

/// A fleet has one session and many keys; a call takes them all.
#[tokio::test]
async fn ten_thousand_keys_in_one_call() {
    let Some(url) = server() else { return };
    let store = store(&url, "many").await;
    let (a, b) = (open(&store, "a", TTL).await, open(&store, "b", TTL).await);
    let names: Vec<_> = (0..10_000).map(|n| format!("key-{n}")).collect();
    let keys = keys(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let is_held = |claim: &_| matches!(claim, taskvisor::fleet::Claim::Held { .. });
    assert!(store.acquire(a, &keys).await.unwrap().iter().all(is_held));
    assert!(!store.acquire(b, &keys).await.unwrap().iter().any(is_held));
    store.renew(a).await.unwrap();
    store.close(a).await.unwrap();
    assert!(store.acquire(b, &keys).await.unwrap().iter().all(is_held));
}
