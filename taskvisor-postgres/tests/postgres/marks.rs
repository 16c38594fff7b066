//! Marks of ticks, many at the same time.

use std::pin::pin;

use fleet_tests::{Link, Proxy};
use taskvisor::fleet::{Claim, FencingToken, LeaseError, LeaseKey, LeaseStore as _, SessionId};
use taskvisor_postgres::PostgresStore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::{TTL, acquire, address, client, key, open, server, store, unmigrated, url_by};

/// Takes many keys.
async fn acquire_all(store: &PostgresStore, session: SessionId, count: usize) -> Vec<(LeaseKey, FencingToken)> {
    let keys: Vec<_> = (0..count).map(|n| key(&format!("k{n}"))).collect();
    let claims = store.acquire(session, &keys).await.unwrap();
    let token = |claim| match claim {
        Claim::Held { token, .. } => token,
        Claim::Busy { owner } => panic!("busy: {owner}"),
    };
    keys.into_iter().zip(claims.into_iter().map(token)).collect()
}

/// Marks ticks at the same time. Returns the answers in the order of the marks.
async fn mark_all(
    store: &PostgresStore,
    session: SessionId,
    marks: impl IntoIterator<Item = (LeaseKey, FencingToken, u64)>,
) -> Vec<Result<bool, LeaseError>> {
    let mut calls = JoinSet::new();
    for (n, (key, token, tick)) in marks.into_iter().enumerate() {
        let store = store.clone();
        calls.spawn(async move { (n, store.mark(session, &key, token, tick).await) });
    }
    let mut answers = calls.join_all().await;
    answers.sort_by_key(|(n, _)| *n);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// A commit takes as long as the disk of the server, whatever is in it.
#[tokio::test]
async fn a_thousand_marks_at_one_time_are_few_commits() {
    let Some(url) = server() else { return };
    let (store, control) = (store(&url, "marks_many").await, client(&url).await);
    let session = open(&store, "a", TTL).await;
    let held = acquire_all(&store, session, 1_000).await;
    let marks = held.iter().map(|(key, token)| (key.clone(), *token, 7));
    let answers = mark_all(&store, session, marks).await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(true))), "{answers:?}");
    let row = "SELECT count(*), count(DISTINCT xmin::text) FROM marks_many.lease WHERE tick = 7";
    let row = control.query_one(row, &[]).await.unwrap();
    let (marked, commits): (i64, i64) = (row.get(0), row.get(1));
    assert_eq!(marked, 1_000);
    assert!(commits <= 10, "{commits} commits");
    // So that none of them locks rows for long.
    let most = "SELECT count(*) FROM marks_many.lease WHERE tick = 7 GROUP BY xmin::text ORDER BY 1 DESC LIMIT 1";
    let most: i64 = control.query_one(most, &[]).await.unwrap().get(0);
    assert!(most <= 250, "{most} marks in one commit");
}

/// Where the default of a role is stricter, a statement that conflicts with a renewal is run again.
#[tokio::test]
async fn many_marks_are_stored_beside_renewals_in_each_isolation() {
    let Some(url) = server() else { return };
    for (n, isolation) in ["repeatable\\\\ read", "serializable"].into_iter().enumerate() {
        let url = format!("{url} options='-c default_transaction_isolation={isolation}'");
        let store = store(&url, &format!("marks_isolation_{n}")).await;
        let session = open(&store, "a", TTL).await;
        let held = acquire_all(&store, session, 300).await;
        let marking = async {
            for tick in 1..=5 {
                let marks = held.iter().map(|(key, token)| (key.clone(), *token, tick));
                let answers = mark_all(&store, session, marks).await;
                assert!(answers.iter().all(|answer| matches!(answer, Ok(true))), "{isolation}: {answers:?}");
            }
        };
        let renewing = async {
            loop {
                store.renew(session).await.unwrap();
            }
        };
        tokio::select! {
            () = marking => {}
            () = renewing => {}
        }
    }
}

/// Each mark has the answer to it.
#[tokio::test]
async fn marks_of_one_statement_have_answers_of_their_own() {
    let Some(url) = server() else { return };
    let store = store(&url, "marks_own").await;
    let (a, b) = (open(&store, "a", TTL).await, open(&store, "b", TTL).await);
    let held = acquire_all(&store, a, 40).await;
    let others = acquire(&store, b, "other").await.unwrap();
    assert!(store.mark(a, &held[0].0, held[0].1, 7).await.unwrap());
    let stale = FencingToken::from_number(1);
    let marks = held.iter().enumerate().map(|(n, (key, token))| match n % 4 {
        // A tick as before, an earlier token, a new tick twice.
        0 => (held[0].0.clone(), held[0].1, 7),
        1 => (key.clone(), stale, 7),
        2 => (key.clone(), *token, 7),
        _ => (held[n - 1].0.clone(), held[n - 1].1, 7),
    });
    let marks = marks.chain([(key("other"), others, 7), (key("nobody's"), others, 7)]);
    let answers: Vec<_> = mark_all(&store, a, marks).await.into_iter().map(Result::unwrap).collect();
    for (n, answers) in answers[..40].chunks(4).enumerate() {
        assert_eq!(answers[..2], [false; 2], "{n}");
        assert_eq!(u8::from(answers[2]) + u8::from(answers[3]), 1, "{n}: a tick is marked once");
    }
    assert_eq!(answers[40..], [false; 2]);
    // Sessions that share a store, and one that is over.
    let marks = |session, tick| (session, held[1].0.clone(), held[1].1, tick);
    store.close(b).await.unwrap();
    let mut calls = JoinSet::new();
    for (session, key, token, tick) in [marks(a, 8), marks(b, 9), marks(a, 10), marks(b, 11)] {
        let store = store.clone();
        calls.spawn(async move { (tick, store.mark(session, &key, token, tick).await) });
    }
    for (tick, answer) in calls.join_all().await {
        match tick {
            8 | 10 => assert!(answer.is_ok(), "{answer:?}"),
            _ => assert!(matches!(answer, Err(LeaseError::Expired)), "{answer:?}"),
        }
    }
}

/// A transaction has called `check` for one key: the marks of the others, and other calls, do not wait for it.
#[tokio::test]
async fn a_mark_that_waits_for_a_transaction_delays_no_other_call() {
    let Some(url) = server() else { return };
    let (store, mut service, control) = (store(&url, "marks_lock").await, client(&url).await, client(&url).await);
    let session = open(&store, "a", TTL).await;
    let held = acquire_all(&store, session, 20).await;
    let tx = service.transaction().await.unwrap();
    let (locked, token) = held[0].clone();
    store.fence("fleet").check(&tx, locked.as_str(), token).await.unwrap();
    let mut marking = pin!(store.mark(session, &locked, token, 7));
    let others = async {
        let marks = held[1..].iter().map(|(key, token)| (key.clone(), *token, 7));
        assert!(mark_all(&store, session, marks).await.iter().all(|answer| matches!(answer, Ok(true))));
        acquire(&store, session, "y").await.unwrap();
        let marked = "SELECT 1 FROM marks_lock.lease HAVING count(*) FILTER (WHERE tick = 7) = 19";
        assert_eq!(control.query(marked, &[]).await.unwrap().len(), 1);
    };
    tokio::select! {
        biased;
        marked = &mut marking => panic!("it is locked: {marked:?}"),
        () = others => {}
    }
    tx.commit().await.unwrap();
    assert!(marking.await.unwrap());
}

/// As `idle_session_timeout` of the server closes a connection, or a proxy.
#[tokio::test]
async fn a_connection_that_was_closed_while_idle_fails_no_mark() {
    let Some(url) = server() else { return };
    let (direct, control) = (store(&url, "marks_idle").await, client(&url).await);
    let proxy = Proxy::start(address(&url)).await.unwrap();
    let store = unmigrated(&url_by(&url, proxy.address().port()), "marks_idle").without_hints();
    let session = open(&store, "a", TTL).await;
    let token = acquire(&store, session, "x").await.unwrap();
    let terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'taskvisor' AND query LIKE '%marks_idle%'";
    for tick in 1..20 {
        if tick % 2 == 0 {
            proxy.cut().await;
        } else {
            control.query(terminate, &[]).await.unwrap();
        }
        assert!(store.mark(session, &key("x"), token, tick).await.unwrap(), "{tick}");
    }
    assert!(!direct.mark(session, &key("x"), token, 19).await.unwrap());
}

/// The call that runs the statement is given up: the others that it was run for have no answer, and the next call is
/// served.
#[tokio::test]
async fn a_call_that_is_given_up_leaves_the_others_without_an_answer() {
    let Some(url) = server() else { return };
    let direct = store(&url, "marks_drop").await;
    let proxy = Proxy::start(address(&url)).await.unwrap();
    let store = unmigrated(&url_by(&url, proxy.address().port()), "marks_drop").without_hints();
    let session = open(&store, "a", TTL).await;
    let held = acquire_all(&store, session, 3).await;
    proxy.set(Link::Stalled);
    // The first has a statement of its own, and the others wait for it.
    let mut calls: Vec<_> = held
        .iter()
        .cloned()
        .map(|(key, token)| {
            let store = store.clone();
            tokio::spawn(async move { store.mark(session, &key, token, 7).await })
        })
        .collect();
    for _ in 0..2 {
        yield_some().await;
        let first = calls.remove(0);
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
    }
    // The second has run the statement for the third too.
    let answer = timeout(TTL, calls.remove(0)).await.unwrap().unwrap();
    assert!(matches!(answer, Err(LeaseError::Unreachable(_))), "{answer:?}");
    proxy.set(Link::Open);
    let (x, token) = &held[0];
    assert!(timeout(TTL, store.mark(session, x, *token, 8)).await.unwrap().unwrap());
    assert!(!direct.mark(session, x, *token, 8).await.unwrap());
}

/// The call is dropped while it waits for the statement of another one.
#[tokio::test]
async fn a_mark_whose_call_was_dropped_while_it_waited_is_not_carried_out() {
    let Some(url) = server() else { return };
    let store = store(&url, "marks_dropped").await;
    let session = open(&store, "a", TTL).await;
    let held = acquire_all(&store, session, 3).await;
    let mark = |n: usize| store.mark(session, &held[n].0, held[n].1, 7);
    let mut first = pin!(mark(0));
    let mut dropped = Box::pin(mark(1));
    tokio::select! {
        biased;
        marked = &mut first => panic!("it waits for the server: {marked:?}"),
        marked = &mut dropped => panic!("it waits for the first: {marked:?}"),
        () = async {} => {}
    }
    drop(dropped);
    assert!(first.await.unwrap());
    assert!(mark(2).await.unwrap());
    assert!(mark(1).await.unwrap(), "it was not marked before");
}

/// One statement is for one session. The others wait in their order.
#[tokio::test]
async fn marks_of_several_sessions_are_stored_in_the_order_of_their_calls() {
    let Some(url) = server() else { return };
    let (store, control) = (store(&url, "marks_order").await, client(&url).await);
    let mut held = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let session = open(&store, name, TTL).await;
        held.push((session, key(name), acquire(&store, session, name).await.unwrap()));
    }
    let mark = |n: usize| store.mark(held[n].0, &held[n].1, held[n].2, 7);
    let (a, b, c, d) = tokio::join!(mark(0), mark(1), mark(2), mark(3));
    assert!([a, b, c, d].into_iter().all(|marked| matches!(marked, Ok(true))));
    let keys = "SELECT key FROM marks_order.lease ORDER BY age(xmin) DESC";
    let keys: Vec<String> = control.query(keys, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(keys, ["a", "b", "c", "d"]);
}

/// Each call has the error of the statement that it was run by.
#[tokio::test]
async fn marks_without_tables_are_misconfigured() {
    let Some(url) = server() else { return };
    let migrated = store(&url, "marks_tables").await;
    let session = open(&migrated, "a", TTL).await;
    let held = acquire_all(&migrated, session, 3).await;
    let store = unmigrated(&url, "marks_no_tables");
    let marks = held.into_iter().map(|(key, token)| (key, token, 7));
    let answers = mark_all(&store, session, marks).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(LeaseError::Misconfigured(_)))), "{answers:?}");
}

async fn yield_some() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}
