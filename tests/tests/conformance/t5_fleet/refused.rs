//! What is refused, with the value and what would be right.

use std::time::Duration;

use taskvisor::fleet::{Fleet, LocalStore};
use taskvisor::{Group, SlotSpec, SupervisorConfig, TaskError, TaskState, Tree, TreeBuilder};
use tests::Seen;
use tokio::time::sleep;

use super::{Log, Result, TTL, replica, secs, serve};

fn refused(tree: TreeBuilder) -> String {
    tree.try_build().err().map_or_else(String::new, |error| error.to_string())
}

fn builder() -> TreeBuilder {
    Tree::builder(SupervisorConfig::default())
}

#[tokio::test(start_paused = true)]
async fn t5_a_singleton_needs_a_fleet_and_stops_in_a_fifth_of_its_time() {
    let log = Log::new();
    let task = || serve(&log, 0, "ledger").with_singleton();
    for (tree, expected) in [
        (
            builder().task(task()),
            "task `ledger`: `singleton` is set, expected a supervisor with a fleet: `fleet = Fleet::new(store)`, or `Fleet::local()` for one process",
        ),
        (
            builder().group(Group::one_for_one("feeds").with_singleton().task(serve(&log, 0, "a"))),
            "group `feeds`: `singleton` is set, expected a supervisor with a fleet: `fleet = Fleet::new(store)`, or `Fleet::local()` for one process",
        ),
        (
            builder().with_fleet(Fleet::local()).task(task().with_stop_timeout(Duration::from_secs(4))),
            "task `ledger`: `stop_timeout` is 4s, expected at most 3s for a singleton: a fifth of the time to live of the fleet",
        ),
        (
            builder().with_fleet(Fleet::local().ttl(Duration::from_millis(10))),
            "the fleet: `ttl` is 10ms, expected 500 ms to 1 day",
        ),
        (
            builder().with_fleet(Fleet::local().name("")),
            "the fleet: `name` is \"\", expected 1 to 128 bytes without control characters",
        ),
        (
            builder().with_fleet(Fleet::local()).group(Group::one_for_one("feeds").with_singleton().task(task())),
            "task `ledger`: `singleton` is set, expected no singleton in the singleton `feeds`: the group has one lease for all",
        ),
    ] {
        assert_eq!(refused(tree), expected);
    }
    assert_eq!(
        refused(builder().with_fleet(Fleet::local()).task(task().with_stop_timeout(Duration::from_secs(3)))),
        ""
    );
}

#[tokio::test(start_paused = true)]
async fn t5_nothing_waits_for_a_singleton() {
    let log = Log::new();
    let tree = builder()
        .with_fleet(Fleet::local())
        .task(serve(&log, 0, "ledger").with_singleton())
        .task(serve(&log, 0, "web").with_after(["ledger"]));
    let expected = "`web`: `after` is `ledger`, expected a task that runs in every replica: put `web` and the singleton `ledger` into one group that is the singleton";
    assert_eq!(refused(tree), expected);
}

/// The group has one lease for all, so a singleton in it would have two.
#[tokio::test(start_paused = true)]
async fn t5_no_singleton_comes_into_a_singleton_group_while_it_runs() -> Result {
    let (log, store) = (Log::new(), LocalStore::new());
    let inner = Group::one_for_one("inner").task(serve(&log, 0, "b"));
    let feeds = Group::one_for_one("feeds").with_singleton().task(serve(&log, 0, "a")).group(inner);
    let plain = Group::one_for_one("plain").task(serve(&log, 0, "c"));
    let it = replica(&store, 0, |tree| tree.group(feeds).group(plain)).await?;
    sleep(secs(1.0)).await;
    let added = || serve(&log, 0, "ledger").with_singleton_key("ledger");
    for group in ["feeds", "feeds/inner"] {
        let expected = "task `ledger`: `singleton` is set, expected no singleton in the singleton `feeds`: the group has one lease for all";
        let refused = it.tree.group(group).add_task(added()).await.map(|_| ());
        assert_eq!(refused.expect_err("add_task").to_string(), expected);
        let refused = it.tree.group(group).reconcile([serve(&log, 0, "d"), added()]).await.map(|_| ());
        assert_eq!(refused.expect_err("reconcile").to_string(), expected);
        assert!(it.tree.child(&format!("{group}/d")).status().is_none(), "nothing changes if a spec is refused");
        it.tree.group(group).add_task(serve(&log, 0, "e")).await?;
    }
    it.tree.group("plain").add_task(added()).await?;
    it.tree.shutdown().await
}

/// The children of a fresh group are checked when they are made.
#[tokio::test(start_paused = true)]
async fn t5_no_singleton_is_made_in_a_singleton_group() -> Result {
    let (log, store) = (Log::new(), LocalStore::new());
    let made = serve(&log, 0, "ledger").with_singleton_key("ledger");
    let fresh = Group::one_for_one("inner").fresh(move || {
        let made = made.clone();
        async move { Ok::<_, TaskError>([made]) }
    });
    let feeds = Group::one_for_one("feeds").with_singleton().group(fresh);
    let it = replica(&store, 0, |tree| tree.group(feeds)).await?;
    sleep(secs(1.0)).await;
    assert_eq!(log.runs(), []);
    let seen = it.recorder.seen();
    let is_told =
        |it: &Seen| it.reason.as_deref().is_some_and(|why| why.contains("no singleton in the singleton `feeds`"));
    assert!(seen.iter().any(is_told), "{seen:?}");
    it.tree.shutdown().await
}

/// The job has the lease of its slot. One of its own would be lost without a word.
#[tokio::test(start_paused = true)]
async fn t5_a_job_of_a_slot_of_the_fleet_has_no_lease_of_its_own() -> std::result::Result<(), Box<dyn std::error::Error>>
{
    let (log, store) = (Log::new(), LocalStore::new());
    let slots = |tree: TreeBuilder| {
        tree.with_slot(SlotSpec::new("jobs").with_fleet())
            .with_slot(SlotSpec::new("plain"))
            .task(serve(&log, 0, "ledger").with_singleton())
    };
    let it = replica(&store, 0, slots).await?;
    let job = || serve(&log, 0, "correct").with_singleton_key("ledger");
    let expected = "task `correct`: `singleton` is set, expected no singleton in the slot `jobs` of the fleet: its jobs have the lease of the slot";
    let refused = it.tree.slot("jobs").submit(job()).await.map(|_| ());
    assert_eq!(refused.expect_err("it has a key of its own").to_string(), expected);
    it.tree.slot("jobs").submit(serve(&log, 0, "other")).await?;
    let job = it.tree.slot("plain").submit(job()).await?;
    sleep(TTL).await;
    assert_eq!(job.status().state, TaskState::Standby);
    it.tree.shutdown().await?;
    log.check();
    Ok(())
}
