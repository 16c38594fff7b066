//! Servers that restart, and networks that fail.

use std::time::Duration;

use fleet_tests::{Link, PgBouncer, Postgres, Proxy};
use taskvisor::fleet::{LeaseError, LeaseStore as _};
use taskvisor_postgres::PostgresStore;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::support::{TTL, acquire, address, client, key, open, server, store, unmigrated, until, url_as, url_by};

const A_WHILE: Duration = Duration::from_millis(300);

/// Returns a store whose connection goes through a proxy, and one whose does not.
async fn proxied(url: &str, schema: &str) -> (Proxy, PostgresStore, PostgresStore) {
    let direct = store(url, schema).await;
    let proxy = Proxy::start(address(url)).await.unwrap();
    let proxied = unmigrated(&url_by(url, proxy.address().port()), schema).without_hints();
    (proxy, proxied, direct)
}

fn is_unreachable<T>(result: &Result<T, LeaseError>) -> bool {
    matches!(result, Err(LeaseError::Unreachable(_)))
}

#[tokio::test]
async fn a_session_outlives_a_crash_of_the_server() {
    let Some(mut server) = Postgres::start(&[]) else { return };
    let store = store(&server.url(), "crash").await;
    let (a, b) = (open(&store, "a", TTL).await, open(&store, "b", TTL).await);
    let token = acquire(&store, a, "x").await.unwrap();
    assert!(store.mark(a, &key("x"), token, 7).await.unwrap());
    server.crash();
    assert!(is_unreachable(&store.renew(a).await));
    assert!(is_unreachable(&store.acquire(a, &[key("x")]).await));
    assert!(is_unreachable(&store.migrate().await));
    server.start_again();
    store.renew(a).await.unwrap();
    assert_eq!(acquire(&store, a, "x").await, Some(token));
    assert_eq!(acquire(&store, b, "x").await, None);
    assert!(!store.mark(a, &key("x"), token, 7).await.unwrap());
    store.release(a, &[(key("x"), token)]).await.unwrap();
    let next = acquire(&store, b, "x").await;
    assert!(next > Some(token));
    // The first call after a restart finds the connection closed, and makes another.
    server.crash();
    server.start_again();
    store.renew(b).await.unwrap();
    assert_eq!(acquire(&store, b, "x").await, next);
}

#[tokio::test]
async fn a_closed_connection_fails_no_call() {
    let Some(url) = server() else { return };
    let (proxy, store, direct) = proxied(&url, "closed").await;
    let session = open(&store, "a", TTL).await;
    proxy.cut().await;
    store.renew(session).await.unwrap();
    let control = client(&url).await;
    let terminate = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
        WHERE application_name = 'taskvisor' AND query LIKE '%closed%'";
    assert!(!control.query(terminate, &[]).await.unwrap().is_empty());
    store.renew(session).await.unwrap();
    direct.renew(session).await.unwrap();
}

/// The call was carried out, and its answer is lost.
#[tokio::test]
async fn an_acquire_without_an_answer_can_be_repeated() {
    let Some(url) = server() else { return };
    let (proxy, store, direct) = proxied(&url, "unanswered").await;
    let session = open(&store, "a", TTL).await;
    for link in [Link::RepliesHeld, Link::RepliesDropped] {
        let name = format!("{link:?}");
        proxy.set(link);
        assert!(timeout(A_WHILE, store.acquire(session, &[key(&name)])).await.is_err());
        let token = acquire(&direct, session, &name).await;
        proxy.set(Link::Open);
        assert_eq!(acquire(&store, session, &name).await, token, "{link:?}");
    }
}

/// A call that is dropped gives up its connection, so that the next does not wait behind it.
#[tokio::test]
async fn a_stalled_connection_is_left() {
    let Some(url) = server() else { return };
    let (proxy, store, direct) = proxied(&url, "stalled").await;
    let session = open(&store, "a", TTL).await;
    store.renew(session).await.unwrap();
    for link in [Link::Stalled, Link::RequestsHeld, Link::RequestsDropped, Link::RepliesDropped] {
        let before = proxy.accepted();
        proxy.set(link);
        assert!(timeout(A_WHILE, store.renew(session)).await.is_err(), "{link:?}");
        // Neither does a connection come to be.
        assert!(timeout(A_WHILE, store.renew(session)).await.is_err(), "{link:?}");
        proxy.set(Link::Open);
        timeout(TTL, store.renew(session)).await.unwrap().unwrap();
        assert_eq!(proxy.accepted() - before, 2, "{link:?}: the second call and the third made a connection each");
    }
    proxy.set(Link::Cut);
    assert!(is_unreachable(&store.renew(session).await));
    proxy.set(Link::Open);
    store.renew(session).await.unwrap();
    direct.renew(session).await.unwrap();
}

/// The set-up of a connection takes longer than a call. What is begun after it is never answered.
#[tokio::test]
async fn a_set_up_that_takes_longer_than_a_call_goes_on() {
    let Some(url) = server() else { return };
    let (slow, _, direct) = proxied(&url, "slow").await;
    let session = open(&direct, "a", TTL).await;
    let proxy = Proxy::start(slow.address()).await.unwrap();
    let store = unmigrated(&url_by(&url, proxy.address().port()), "slow").without_hints();
    slow.set(Link::RepliesHeld);
    // Until the server has its request.
    tokio::select! {
        renewed = store.renew(session) => panic!("an answer came: {renewed:?}"),
        () = async { while slow.bytes().0 == 0 { tokio::task::yield_now().await; } } => {}
    }
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    proxy.lead_to(silent.local_addr().unwrap());
    // Neither does one more call have it.
    assert!(timeout(A_WHILE, store.renew(session)).await.is_err());
    slow.set(Link::Open);
    timeout(TTL, store.renew(session)).await.expect("the first connection is used").unwrap();
    assert_eq!(slow.accepted(), 1);
}

/// The first of several hosts takes connections, and does not answer: another one is tried.
#[tokio::test]
async fn a_host_that_does_not_answer_is_left() {
    let Some(url) = server() else { return };
    let (proxy, _, direct) = proxied(&url, "hosts").await;
    let session = open(&direct, "a", TTL).await;
    let server = address(&url);
    let mut config: tokio_postgres::Config = url_by(&url, proxy.address().port()).parse().unwrap();
    config.host(server.ip().to_string()).port(server.port());
    let store = PostgresStore::new(config).schema("hosts").without_hints();
    proxy.set(Link::Stalled);
    for call in 0.. {
        assert!(call < 60, "it stays with the first host");
        if timeout(A_WHILE, store.renew(session)).await.is_ok_and(|renewed| renewed.is_ok()) {
            break;
        }
    }
}

/// A renewal whose answer is lost is sent again, and answered; a mark is not answered, because the second says `false`.
#[tokio::test]
async fn a_mark_is_not_sent_twice() {
    let Some(url) = server() else { return };
    let (proxy, store, direct) = proxied(&url, "mark_once").await;
    let session = open(&store, "a", TTL).await;
    let token = acquire(&store, session, "x").await.unwrap();
    let control = client(&url).await;
    proxy.set(Link::RepliesDropped);
    let marking = tokio::spawn({
        let store = store.clone();
        async move { store.mark(session, &key("x"), token, 7).await }
    });
    let marked = "SELECT 1 FROM mark_once.lease WHERE tick = 7";
    until(&control, marked, &[]).await;
    proxy.cut().await;
    assert!(is_unreachable(&marking.await.unwrap()));
    assert!(!direct.mark(session, &key("x"), token, 7).await.unwrap());

    let before = control.query_one("SELECT expires_at::text FROM mark_once.session", &[]).await.unwrap();
    store.renew(session).await.unwrap();
    proxy.set(Link::RepliesDropped);
    let renewing = tokio::spawn(async move { store.renew(session).await });
    let renewed = "SELECT 1 FROM mark_once.session WHERE expires_at::text <> $1";
    until(&control, renewed, &[&before.get::<_, String>(0)]).await;
    proxy.cut().await;
    renewing.await.unwrap().unwrap();
}

/// A dropped call that waits for a lock: the next does not wait for it, and nothing stays open at the server.
#[tokio::test]
async fn a_dropped_call_leaves_no_transaction() {
    let Some(url) = server() else { return };
    let (store, control) = (store(&url, "dropped").await, client(&url).await);
    let (session, other) = (open(&store, "a", TTL).await, open(&store, "b", TTL).await);
    let token = acquire(&store, session, "x").await.unwrap();
    // An `acquire` waits for somebody who adds the same key.
    control.batch_execute("BEGIN; INSERT INTO dropped.lease (fleet, key) VALUES ('fleet', 'y')").await.unwrap();
    assert!(timeout(A_WHILE, store.acquire(session, &[key("y")])).await.is_err());
    timeout(TTL, store.renew(session)).await.unwrap().unwrap();
    assert_eq!(acquire(&store, session, "x").await, Some(token));
    control.batch_execute("ROLLBACK").await.unwrap();
    let idle = "SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity
        WHERE state <> 'idle' AND query LIKE '%dropped%' AND pid <> pg_backend_pid())";
    until(&control, idle, &[]).await;
    let open = "SELECT 1 FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND query LIKE '%dropped%'";
    assert!(control.query(open, &[]).await.unwrap().is_empty());
    // It was carried out after all, as a call without an answer may be.
    assert_eq!(acquire(&store, other, "y").await, None);
}

/// The runtime that made the connection has ended, as that of a fleet does.
#[test]
fn a_store_moves_to_another_runtime() {
    let Some(url) = server() else { return };
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = unmigrated(&url, "runtimes");
    let session = runtime().block_on(async {
        store.migrate().await.unwrap();
        let _ = timeout(A_WHILE, store.changed()).await;
        open(&store, "a", TTL).await
    });
    runtime().block_on(async {
        store.renew(session).await.unwrap();
        let _ = timeout(A_WHILE, store.changed()).await;
        store.renew(session).await.unwrap();
    });
}

/// Renewals do not wait behind another call, such as an `acquire` that waits for somebody who adds the same key.
#[tokio::test]
async fn a_renewal_waits_for_no_other_call() {
    let Some(url) = server() else { return };
    let (store, mut service, control) = (store(&url, "beside").await, client(&url).await, client(&url).await);
    let session = open(&store, "a", TTL).await;
    let tx = service.transaction().await.unwrap();
    tx.batch_execute("INSERT INTO beside.lease (fleet, key) VALUES ('fleet', 'x')").await.unwrap();
    let acquiring = tokio::spawn({
        let store = store.clone();
        // The server refuses a call that has waited for 2 s, and the fleet asks again.
        async move { while store.acquire(session, &[key("x")]).await.is_err() {} }
    });
    let waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%beside%acquire_1%'";
    until(&control, waits, &[]).await;
    for _ in 0..3 {
        store.renew(session).await.unwrap();
    }
    assert!(!control.query(waits, &[]).await.unwrap().is_empty(), "the renewals waited for the other call");
    tx.rollback().await.unwrap();
    acquiring.await.unwrap();
}

/// A renewal that finds its connection lost raises doubts about that of the other calls, which may be stalled as well.
#[tokio::test]
async fn a_lost_renewal_raises_doubts_about_the_other_connection() {
    let Some(url) = server() else { return };
    let (proxy, store, _) = proxied(&url, "doubted").await;
    let session = open(&store, "a", TTL).await;
    store.renew(session).await.unwrap();
    proxy.set(Link::Stalled);
    assert!(timeout(A_WHILE, store.renew(session)).await.is_err());
    // Connections from before stay stalled.
    proxy.set(Link::Open);
    store.renew(session).await.unwrap();
    let before = proxy.accepted();
    acquire(&store, session, "x").await.unwrap();
    assert_eq!(proxy.accepted() - before, 1);
}

/// Calls at the same time share one connection, from the first on.
#[tokio::test]
async fn calls_share_a_connection() {
    let Some(url) = server() else { return };
    let (proxy, store, direct) = proxied(&url, "shared").await;
    let session = open(&direct, "a", TTL).await;
    let calls: Vec<_> = (0..16)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.renew(session).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(proxy.accepted(), 1);
}

/// A failover to a standby that is behind loses the last takings. Their session learns it at its next call.
#[tokio::test]
async fn a_session_whose_changes_were_lost_is_over() {
    let Some(url) = server() else { return };
    let (store, other, control) = (store(&url, "lost").await, unmigrated(&url, "lost"), client(&url).await);
    let (a, b) = (open(&store, "a", TTL).await, open(&other, "b", TTL).await);
    let kept = acquire(&store, a, "kept").await.unwrap();
    control.batch_execute("CREATE TABLE lost.standby AS SELECT * FROM lost.session WHERE label = 'a'").await.unwrap();
    let token = acquire(&store, a, "x").await.unwrap();
    store.renew(a).await.unwrap();
    let fail_over = "UPDATE lost.session s SET changes = o.changes, expires_at = o.expires_at
            FROM lost.standby o WHERE s.id = o.id;
        DELETE FROM lost.lease WHERE key = 'x'";
    control.batch_execute(fail_over).await.unwrap();
    let next = acquire(&other, b, "x").await;
    assert!(next > Some(token), "tokens grow by the time");
    let over = [
        store.renew(a).await.err(),
        store.acquire(a, &[key("x")]).await.err(),
        store.release(a, &[(key("kept"), kept)]).await.err(),
        store.mark(a, &key("kept"), kept, 1).await.err(),
        store.renew(a).await.err(),
    ];
    assert!(over.iter().all(|error| matches!(error, Some(LeaseError::Expired))), "{over:?}");
    // What others do, and a session without changes, is not touched.
    other.renew(b).await.unwrap();
    store.close(a).await.unwrap();
    assert!(acquire(&other, b, "kept").await > Some(kept));
}

/// What rewrites or alters a table locks it for itself. A call that waited for it without an end would be given up and
/// repeated, and each time leave a connection that waits, until the server has none left.
#[tokio::test]
async fn no_call_waits_for_a_locked_table_without_an_end() {
    let Some(url) = server() else { return };
    let store = store(&url, "locked_table").await;
    let session = open(&store, "a", TTL).await;
    let token = acquire(&store, session, "x").await.unwrap();
    let (x, held) = (key("x"), [(key("x"), token)]);
    let mut other = client(&url).await;
    for table in ["lease", "session"] {
        let tx = other.transaction().await.unwrap();
        tx.batch_execute(&format!("LOCK TABLE locked_table.{table}")).await.unwrap();
        let marked = timeout(TTL, store.mark(session, &x, token, 7)).await;
        assert!(marked.is_ok_and(|marked| is_unreachable(&marked)), "a mark, {table}");
        let released = timeout(TTL, store.release(session, &held)).await;
        assert!(released.is_ok_and(|released| is_unreachable(&released)), "a release, {table}");
        let acquired = timeout(TTL, store.acquire(session, &[key("y")])).await;
        assert!(acquired.is_ok_and(|acquired| is_unreachable(&acquired)), "an acquire, {table}");
        tx.rollback().await.unwrap();
    }
    assert!(store.mark(session, &x, token, 7).await.unwrap());
    store.release(session, &held).await.unwrap();
    assert!(acquire(&store, session, "x").await > Some(token));
}

/// The connections of the server are used up by others. Keys that are taken and cannot be kept would go from replica to
/// replica, and their work would begin again and again.
#[tokio::test]
async fn a_session_is_renewed_where_the_server_has_no_second_connection() {
    let Some(url) = server() else { return };
    store(&url, "second").await;
    let control = client(&url).await;
    let grants = "DROP ROLE IF EXISTS \"second\"; CREATE ROLE \"second\" LOGIN PASSWORD 'secret' CONNECTION LIMIT 1;
        GRANT USAGE ON SCHEMA second TO \"second\";
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA second TO \"second\";";
    control.batch_execute(grants).await.unwrap();
    let store = unmigrated(&url_as(&url, "second", "secret"), "second").without_hints();
    let session = open(&store, "a", TTL).await;
    store.renew(session).await.unwrap();
    let connections = "SELECT 1 FROM pg_stat_activity WHERE usename = 'second' HAVING count(*) = $1";
    until(&control, connections, &[&1_i64]).await;
    // It has one of its own as soon as there is one.
    control.batch_execute("ALTER ROLE \"second\" CONNECTION LIMIT 2").await.unwrap();
    store.renew(session).await.unwrap();
    until(&control, connections, &[&2_i64]).await;
    drop(store);
    until(&control, "SELECT 1 FROM pg_stat_activity WHERE usename = 'second' HAVING count(*) = 0", &[]).await;
    control.batch_execute("DROP OWNED BY \"second\"; DROP ROLE \"second\"").await.unwrap();
}

/// PgBouncer counts clients.
#[tokio::test]
async fn a_session_is_renewed_where_the_pooler_has_no_second_connection() {
    let Some(server) = Postgres::start(&[]) else { return };
    let Some(pooler) = PgBouncer::start(server.address(), 1) else { return };
    let url = server.url_by(pooler.port());
    store(&server.url(), "second").await;
    let store = unmigrated(&url, "second").without_hints();
    let session = open(&store, "a", TTL).await;
    let mut others = Vec::new();
    let refused = loop {
        assert!(others.len() < 1_000, "the pooler takes all");
        match tokio_postgres::connect(&url, tokio_postgres::NoTls).await {
            Ok((client, connection)) => others.push((client, tokio::spawn(connection))),
            Err(error) => break error,
        }
    };
    assert!(format!("{refused:?}").contains("max_client_conn"), "{refused:?}");
    store.renew(session).await.unwrap();
}
