//! Periodic singletons whose store has a tick that its clock has yet to reach.

use std::sync::Arc;
use std::time::Duration;

use taskvisor::fleet::{Claim, LeaseKey, LeaseStore, LocalStore, SessionSpec, Ticks};
use taskvisor::test::set_wall_clock;
use taskvisor::{EventKind, TaskSpec};
use tokio::time::sleep;

use super::ticks::{Runs, tick};
use super::{Replica, TTL, replica, secs};

type Result = std::result::Result<(), Box<dyn std::error::Error>>;

const HOUR: Duration = Duration::from_secs(3_600);
/// Between two ticks, so that none is due as an owner takes over.
const START: &str = "2026-06-30T00:00:10Z";

/// The store as an owner leaves it whose clock was ahead. Returns the time of the store.
async fn marked_ahead(store: &LocalStore, ahead: Duration) -> std::result::Result<u64, Box<dyn std::error::Error>> {
    let (session, key) = (store.open(&SessionSpec::new("test", "before", TTL)).await?, LeaseKey::new("report")?);
    let claim = store.acquire(session, std::slice::from_ref(&key)).await?.remove(0);
    let Claim::Held { token, now, .. } = claim else { panic!("{claim:?}") };
    let now = now.since_unix().as_secs();
    assert!(store.mark(session, &key, token, now + ahead.as_secs()).await?);
    store.close(session).await?;
    Ok(now)
}

fn report(runs: &Runs, n: usize, ticks: Ticks) -> TaskSpec {
    tick(runs, n, secs(1.0), &Arc::default()).with_every(Duration::from_secs(60)).with_ticks(ticks)
}

fn warnings(replica: &Replica) -> Vec<String> {
    let seen = replica.recorder.seen().into_iter().filter(|it| it.kind == EventKind::Warning);
    seen.map(|it| it.reason.unwrap_or_default()).collect()
}

#[tokio::test(start_paused = true)]
async fn t5_a_tick_far_ahead_in_the_store_stops_no_singleton() -> Result {
    for ticks in [Ticks::AtMostOnce, Ticks::AtLeastOnce] {
        for ahead in [4 * HOUR, 365 * 24 * HOUR] {
            set_wall_clock(START);
            let (runs, store) = (Runs::default(), LocalStore::new());
            marked_ahead(&store, ahead).await?;
            let a = replica(&store, 0, |tree| tree.task(report(&runs, 0, ticks))).await?;
            sleep(secs(600.0)).await;
            assert_eq!(runs.ticks().len(), 10, "{ticks:?}, {ahead:?}: {:?}", runs.seen());
            let told = warnings(&a);
            assert!(told.len() == 1 && told[0].contains("for its key `report`"), "{told:?}");
            // The next owner runs what comes, and nothing again.
            let b = replica(&store, 1, |tree| tree.task(report(&runs, 1, ticks))).await?;
            sleep(secs(1.0)).await;
            a.tree.shutdown().await?;
            sleep(secs(600.0)).await;
            let seen = runs.ticks();
            assert_eq!(seen.len(), 20, "{ticks:?}, {ahead:?}: {:?}", runs.seen());
            assert!(seen.windows(2).all(|pair| pair[1] == pair[0] + 60), "{seen:?}");
            assert_eq!(warnings(&b).len(), 1);
            b.tree.shutdown().await?;
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_tick_less_than_3_h_ahead_in_the_store_is_waited_for() -> Result {
    set_wall_clock(START);
    let (runs, store) = (Runs::default(), LocalStore::new());
    let now = marked_ahead(&store, 2 * HOUR).await?;
    let a = replica(&store, 0, |tree| tree.task(report(&runs, 0, Ticks::AtMostOnce))).await?;
    sleep(3 * HOUR).await;
    let ticks = runs.ticks();
    assert!((58..=62).contains(&ticks.len()), "{}", ticks.len());
    assert!(ticks[0] > now + 2 * 3_600 && ticks[0] <= now + 2 * 3_600 + 60, "{now}, {ticks:?}");
    assert_eq!(warnings(&a), [""; 0]);
    a.tree.shutdown().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_an_owner_goes_on_when_the_clock_of_the_store_is_set_back() -> Result {
    set_wall_clock(START);
    let (runs, store) = (Runs::default(), LocalStore::new());
    let a = replica(&store, 0, |tree| tree.task(report(&runs, 0, Ticks::AtMostOnce))).await?;
    sleep(secs(300.0)).await;
    assert_eq!((runs.ticks().len(), warnings(&a)), (5, Vec::new()));
    // The clock is ahead by 4 h for an hour.
    a.net.set_ahead(4 * HOUR);
    sleep(HOUR).await;
    let ahead = runs.ticks();
    assert!(ahead.len() > 60, "{}", ahead.len());
    a.net.set_ahead(Duration::ZERO);
    sleep(HOUR).await;
    let back = runs.ticks().split_off(ahead.len());
    assert!((59..=61).contains(&back.len()), "{}", back.len());
    assert!(back.windows(2).all(|pair| pair[1] == pair[0] + 60) && back[0] < ahead[60], "{back:?}");
    assert_eq!(warnings(&a).len(), 1);
    // Past the tick in the store it is as before: each tick is marked.
    sleep(4 * HOUR).await;
    let marks = || a.net.calls().iter().filter(|call| **call == "mark").count();
    let (before, ticks) = (marks(), runs.ticks().len());
    sleep(HOUR).await;
    assert_eq!((marks() - before, runs.ticks().len() - ticks), (60, 60));
    a.tree.shutdown().await?;
    Ok(())
}
