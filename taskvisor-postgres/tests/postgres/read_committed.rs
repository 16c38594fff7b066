//! Why a take-over is several statements: one that looks at the owner while it takes the key is wrong.
//!
//! Under READ COMMITTED a statement that waited for a row goes on with the new version of that row, but still sees the
//! other tables as they were when it began. So it takes a key from an owner that it cannot see, or sees as expired.

use std::time::Duration;

use taskvisor::fleet::{FencingToken, LeaseStore as _};
use tokio_postgres::Client;

use crate::support::{TTL, acquire, client, open, server, store, until_it_waits};

/// The statement that suggests itself: takes the key unless a live session has it.
const ONE_UPSERT: &str = "
    INSERT INTO lease (key, session, token) VALUES ('x', $1, 1)
    ON CONFLICT (key) DO UPDATE SET session = excluded.session, token = lease.token + 1
        WHERE NOT EXISTS (
            SELECT FROM session s WHERE s.id = lease.session AND s.expires_at > clock_timestamp())
    RETURNING token";

const TABLES: &str = "
    DROP SCHEMA IF EXISTS one_upsert CASCADE;
    CREATE SCHEMA one_upsert;
    SET search_path = one_upsert;
    CREATE TABLE session (id text PRIMARY KEY, expires_at timestamptz NOT NULL);
    CREATE TABLE lease (key text PRIMARY KEY, session text NOT NULL, token bigint NOT NULL);
    INSERT INTO session VALUES ('gone', clock_timestamp() - interval '1 second');
    INSERT INTO lease VALUES ('x', 'gone', 1);";

async fn pid(client: &Client) -> i32 {
    client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0)
}

/// `b` asks for the key of an expired session, and waits for the row. Meanwhile `a` opens a session and takes the key.
#[tokio::test]
async fn one_upsert_gives_two_owners() {
    let Some(url) = server() else { return };
    let (holder, a, b) = (client(&url).await, client(&url).await, client(&url).await);
    holder.batch_execute(TABLES).await.unwrap();
    for client in [&a, &b] {
        client.batch_execute("SET search_path = one_upsert").await.unwrap();
    }
    b.batch_execute("INSERT INTO session VALUES ('b', clock_timestamp() + interval '1 hour')").await.unwrap();

    // `a` has the row, and has not committed; `b` has begun, and waits for it.
    a.batch_execute("BEGIN; SELECT FROM lease WHERE key = 'x' FOR UPDATE").await.unwrap();
    let b_pid = pid(&b).await;
    let b_takes = tokio::spawn(async move { b.query(ONE_UPSERT, &[&"b"]).await.unwrap().len() });
    until_it_waits(&holder, b_pid).await;
    // The session of `a` is newer than what the statement of `b` sees.
    holder.batch_execute("INSERT INTO session VALUES ('a', clock_timestamp() + interval '1 hour')").await.unwrap();
    let a_took = a.query(ONE_UPSERT, &[&"a"]).await.unwrap().len();
    a.batch_execute("COMMIT").await.unwrap();

    assert_eq!(a_took, 1, "`a` owns the key, and lives for an hour");
    assert_eq!(b_takes.await.unwrap(), 1, "`b` has taken it all the same: the one statement is wrong");
}

/// The owner renews its session in time, while `b` waits. The statement of `b` sees it as expired.
#[tokio::test]
async fn one_upsert_takes_from_an_owner_that_has_renewed() {
    let Some(url) = server() else { return };
    in_time(async |seconds| renews_while_another_waits(&url, seconds).await).await;
}

/// Runs a course of things in which something has to be done within some seconds, and gives it more of them if the
/// machine was too slow.
async fn in_time(course: impl AsyncFn(u32) -> bool) {
    for seconds in [1, 10, 60] {
        if course(seconds).await {
            return;
        }
    }
    panic!("it was too late within a minute");
}

async fn renews_while_another_waits(url: &str, seconds: u32) -> bool {
    let (owner, holder, b) = (client(url).await, client(url).await, client(url).await);
    holder.batch_execute(&TABLES.replace("one_upsert", "one_upsert_renew")).await.unwrap();
    for client in [&owner, &b] {
        client.batch_execute("SET search_path = one_upsert_renew").await.unwrap();
    }
    let soon =
        format!("UPDATE session SET expires_at = clock_timestamp() + interval '{seconds} seconds' WHERE id = 'gone'");
    holder.batch_execute(&soon).await.unwrap();

    owner.batch_execute("BEGIN; SELECT FROM lease WHERE key = 'x' FOR UPDATE").await.unwrap();
    let b_pid = pid(&b).await;
    let b_takes = tokio::spawn(async move { b.query(ONE_UPSERT, &[&"b"]).await.unwrap().len() });
    until_it_waits(&holder, b_pid).await;
    let renew = "UPDATE session SET expires_at = clock_timestamp() + interval '1 hour'
        WHERE id = 'gone' AND expires_at > clock_timestamp()";
    if holder.execute(renew, &[]).await.unwrap() == 0 {
        owner.batch_execute("COMMIT").await.unwrap();
        b_takes.await.unwrap();
        return false;
    }
    // The owner has renewed in time. The first expiry passes before `b` gets the row.
    owner.batch_execute(&format!("SELECT pg_sleep({seconds}.1); COMMIT")).await.unwrap();
    assert_eq!(b_takes.await.unwrap(), 1, "`b` has taken it from an owner that lives: the one statement is wrong");
    true
}

/// The functions of the store in the same course of things: whoever comes second finds the key busy.
#[tokio::test]
async fn the_functions_give_one_owner() {
    let Some(url) = server() else { return };
    let (mine, other) = (store(&url, "one_owner").await, store(&url, "one_owner").await);
    let gone = open(&mine, "gone", TTL).await;
    let before = acquire(&mine, gone, "x").await.unwrap();
    let (holder, a) = (client(&url).await, client(&url).await);
    holder.batch_execute("UPDATE one_owner.session SET expires_at = clock_timestamp() - interval '1 s'").await.unwrap();
    let b = open(&other, "b", TTL).await;

    // `a` takes the key in a transaction that stays open; `b` does not wait for it.
    let session = open(&mine, "a", TTL).await;
    let takes = format!("SELECT tokens[1] FROM one_owner.acquire_1('{session}', 0, '{{x}}')");
    a.batch_execute("BEGIN").await.unwrap();
    let token: Option<i64> = a.query_one(&takes, &[]).await.unwrap().get(0);
    assert!(token > i64::try_from(before.number()).ok());
    assert_eq!(acquire(&other, b, "x").await, None);
    a.batch_execute("COMMIT").await.unwrap();
    assert_eq!(acquire(&other, b, "x").await, None);
    assert_eq!(acquire(&mine, session, "x").await.map(FencingToken::number), token.map(i64::unsigned_abs));
}

/// A new key: the row is inserted in a transaction that stays open, for which the second waits.
#[tokio::test]
async fn a_new_key_has_one_owner() {
    let Some(url) = server() else { return };
    let mine = store(&url, "new_key").await;
    let (first, second) = (open(&mine, "first", TTL).await, open(&mine, "second", TTL).await);
    let (watcher, a, b) = (client(&url).await, client(&url).await, client(&url).await);
    let takes = |session, keys| format!("SELECT tokens FROM new_key.acquire_1('{session}', 0, '{{{keys}}}')");
    a.batch_execute("BEGIN").await.unwrap();
    // In opposite orders, which must not be a deadlock.
    let got: Vec<Option<i64>> = a.query_one(&takes(first, "x,y"), &[]).await.unwrap().get(0);
    assert!(got.iter().all(Option::is_some));
    let b_pid = pid(&b).await;
    let statement = takes(second, "z,y,x");
    let waiting = tokio::spawn(async move { b.query_one(&statement, &[]).await.unwrap().get(0) });
    until_it_waits(&watcher, b_pid).await;
    a.batch_execute("COMMIT").await.unwrap();
    let got: Vec<Option<i64>> = waiting.await.unwrap();
    assert_eq!(got.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, false]);
}

/// An owner whose time is over renews while another takes its key: never do both succeed.
#[tokio::test]
async fn a_renewal_and_a_take_over_agree() {
    let Some(url) = server() else { return };
    let (mine, other) = (store(&url, "agree").await, store(&url, "agree").await);
    let control = client(&url).await;
    let (mut renewals, mut take_overs) = (0, 0);
    for _ in 0..40 {
        let (owner, rival) = (open(&mine, "owner", TTL).await, open(&other, "rival", TTL).await);
        let token = acquire(&mine, owner, "x").await.unwrap();
        let soon =
            "UPDATE agree.session SET expires_at = clock_timestamp() + interval '3 ms' WHERE id = $1::text::uuid";
        control.execute(soon, &[&owner.to_string()]).await.unwrap();
        let sometime = || tokio::time::sleep(Duration::from_micros(fastrand::u64(1_000..6_000)));
        let renewing = async {
            sometime().await;
            mine.renew(owner).await
        };
        let taking = async {
            sometime().await;
            acquire(&other, rival, "x").await
        };
        let (answer, won) = tokio::join!(renewing, taking);
        let lives = mine.renew(owner).await.is_ok();
        assert!(!(lives && won.is_some()), "the owner lives, and another has its key");
        assert!(answer.is_ok() || !lives, "expired is final");
        if let Some(next) = won {
            assert!(next > token);
        }
        renewals += usize::from(lives);
        take_overs += usize::from(won.is_some());
        mine.close(owner).await.unwrap();
        other.close(rival).await.unwrap();
    }
    println!("{renewals} renewals, {take_overs} take-overs");
}

/// The renewal came in time, and is committed after the first expiry: nobody ends the session in between.
#[tokio::test]
async fn a_renewal_under_way_keeps_the_session() {
    let Some(url) = server() else { return };
    in_time(async |seconds| renews_past_the_expiry(&url, seconds).await).await;
}

async fn renews_past_the_expiry(url: &str, seconds: u32) -> bool {
    let (store, control, renewing) = (store(url, "under_way").await, client(url).await, client(url).await);
    let (owner, rival) = (open(&store, "owner", TTL).await, open(&store, "rival", TTL).await);
    let token = acquire(&store, owner, "x").await.unwrap();
    let soon = format!(
        "UPDATE under_way.session SET expires_at = clock_timestamp() + interval '{seconds} s'
        WHERE label = 'owner' AND NOT dead"
    );
    control.batch_execute(&soon).await.unwrap();
    let renew = format!("SELECT under_way.renew_1('{owner}', 0)");
    renewing.batch_execute("BEGIN").await.unwrap();
    let renewed: Option<i64> = renewing.query_one(&renew, &[]).await.unwrap().get(0);
    if renewed.is_none() {
        renewing.batch_execute("ROLLBACK").await.unwrap();
        store.close(owner).await.unwrap();
        return false;
    }
    control.batch_execute(&format!("SELECT pg_sleep({seconds})")).await.unwrap();
    assert_eq!(acquire(&store, rival, "x").await, None);
    renewing.batch_execute("COMMIT").await.unwrap();
    assert_eq!(acquire(&store, rival, "x").await, None);
    assert_eq!(acquire(&store, owner, "x").await, Some(token));
    true
}

/// The time of a session ends in the middle of its own call: it is ended after that call, and not before.
#[tokio::test]
async fn a_call_under_way_keeps_the_session() {
    let Some(url) = server() else { return };
    in_time(async |seconds| calls_past_the_expiry(&url, seconds).await).await;
}

async fn calls_past_the_expiry(url: &str, seconds: u32) -> bool {
    let (store, control, calling) = (store(url, "in_call").await, client(url).await, client(url).await);
    let (owner, rival) = (open(&store, "owner", TTL).await, open(&store, "rival", TTL).await);
    let before = acquire(&store, owner, "x").await.unwrap();
    let soon = format!(
        "UPDATE in_call.session SET expires_at = clock_timestamp() + interval '{seconds} s'
        WHERE label = 'owner' AND NOT dead"
    );
    control.batch_execute(&soon).await.unwrap();
    // It owns this key, and takes none.
    calling.batch_execute("BEGIN").await.unwrap();
    let call = format!("SELECT in_call.acquire_1('{owner}', 0, '{{x}}')");
    if calling.query(&call, &[]).await.unwrap().is_empty() {
        calling.batch_execute("ROLLBACK").await.unwrap();
        store.close(owner).await.unwrap();
        return false;
    }
    control.batch_execute(&format!("SELECT pg_sleep({seconds})")).await.unwrap();
    assert_eq!(acquire(&store, rival, "x").await, None);
    calling.batch_execute("COMMIT").await.unwrap();
    assert!(acquire(&store, rival, "x").await > Some(before));
    true
}

/// A renewal does not wait for a call of the same session that is held up.
#[tokio::test]
async fn a_renewal_passes_a_call_that_waits() {
    let Some(url) = server() else { return };
    let (store, control, other) = (store(&url, "passes").await, client(&url).await, client(&url).await);
    let owner = open(&store, "owner", TTL).await;
    let token = acquire(&store, owner, "x").await.unwrap();
    control.batch_execute("BEGIN; SELECT FROM passes.lease FOR SHARE").await.unwrap();
    let release = format!("SELECT passes.release_1('{owner}', 0, '{{x}}', '{{{token}}}')");
    let other_pid = pid(&other).await;
    let releasing = tokio::spawn(async move { other.batch_execute(&release).await });
    until_it_waits(&client(&url).await, other_pid).await;
    store.renew(owner).await.unwrap();
    assert!(!releasing.is_finished(), "the release still waits");
    control.batch_execute("COMMIT").await.unwrap();
    releasing.await.unwrap().unwrap();
}
