//! Servers whose clock is set while they run.

use crate::support::{Server, is_refused, key, open, set_clock, take};
use taskvisor::fleet::{LeaseError, LeaseStore as _};

const SESSIONS: &str = "taskvisor:{billing}:sessions";
const HOUR: i64 = 3_600;

#[tokio::test]
async fn a_step_back_revives_no_session() {
    let Some(server) = Server::start(&[]).await else { return };
    let (store, other) = (server.store(), server.store());
    let a = open(&store, "a").await;
    let (first, unnoticed) = (take(&store, a, "x").await, take(&store, a, "y").await);
    set_clock(&server, "billing", HOUR).await;
    let b = open(&other, "b").await;
    let second = take(&other, b, "x").await;
    assert!(second > first);
    set_clock(&server, "billing", -HOUR).await;
    // By this clock its time is not over.
    let renewed = store.renew(a).await;
    assert!(matches!(renewed, Err(LeaseError::Expired)), "{renewed:?}");
    assert!(take(&other, b, "y").await > unnoticed);
}

/// It was noticed by the session itself, and not by another one.
#[tokio::test]
async fn a_step_back_revives_no_session_that_has_heard_it() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = server.store();
    for n in 0..4 {
        let a = open(&store, "a").await;
        let token = take(&store, a, "x").await;
        set_clock(&server, "billing", HOUR).await;
        let x = key("x");
        let over = match n {
            0 => store.renew(a).await.map(drop),
            1 => store.acquire(a, &[]).await.map(drop),
            2 => store.release(a, &[(x, token)]).await,
            _ => store.mark(a, &x, token, 1).await.map(drop),
        };
        assert!(matches!(over, Err(LeaseError::Expired)), "{over:?}");
        let sessions: usize = server.say(&format!("HLEN {SESSIONS}")).await;
        assert_eq!(sessions, 0, "it is not kept, so it cannot be revived");
    }
}

#[tokio::test]
async fn sessions_that_are_over_are_forgotten_when_another_is_opened() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = server.store();
    for _ in 0..3 {
        open(&store, "a").await;
    }
    set_clock(&server, "billing", HOUR).await;
    let b = open(&store, "b").await;
    let sessions: Vec<String> = server.say(&format!("HKEYS {SESSIONS}")).await;
    assert_eq!(sessions, [b.to_string()]);
}

#[tokio::test]
async fn a_session_lives_for_all_of_its_time() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = server.store();
    let (a, b) = (open(&store, "a").await, open(&store, "b").await);
    take(&store, a, "x").await;
    let most = i64::try_from(crate::support::LONG.as_secs()).unwrap() - 30;
    for _ in 0..3 {
        set_clock(&server, "billing", most).await;
        is_refused(&store, b, "x").await;
        store.renew(a).await.unwrap();
        store.renew(b).await.unwrap();
    }
    set_clock(&server, "billing", most + 30).await;
    let renewed = store.renew(a).await;
    assert!(matches!(renewed, Err(LeaseError::Expired)), "{renewed:?}");
}
