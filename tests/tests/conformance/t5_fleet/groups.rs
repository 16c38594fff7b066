//! Singletons that are groups.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use taskvisor::fleet::LocalStore;
use taskvisor::{EventKind, Group, TaskState};
use tokio::time::sleep;

use super::{Log, Replica, Result, TTL, replica, secs, serve};

/// Two replicas with the group `feeds` of `a` and `b`, where `b` is after `a`, beside the task `web`.
async fn two(log: &Log) -> std::result::Result<(LocalStore, Vec<Replica>), taskvisor::RuntimeError> {
    let store = LocalStore::new();
    let mut replicas = Vec::new();
    for n in 0..2 {
        let feeds = Group::one_for_all("feeds")
            .with_singleton()
            .task(serve(log, n, "a"))
            .task(serve(log, n, "b").with_after(["a"]))
            .group(Group::one_for_one("inner").task(serve(log, n, "c")));
        replicas.push(replica(&store, n, |tree| tree.group(feeds)).await?);
        sleep(secs(0.2)).await;
    }
    sleep(secs(1.0)).await;
    Ok((store, replicas))
}

#[tokio::test(start_paused = true)]
async fn t5_a_group_has_one_lease_for_all_and_starts_in_order() -> Result {
    let log = Log::new();
    let (_store, replicas) = two(&log).await?;
    assert_eq!((log.owners("a"), log.owners("b"), log.owners("c")), (vec![0], vec![0], vec![0]));
    let tokens: Vec<_> = log.runs().iter().map(|run| run.token).collect();
    assert!(tokens[0] > 0 && tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
    assert_eq!(replicas[0].count(EventKind::LeaseAcquired, "feeds"), 1);
    for path in ["feeds/a", "feeds/inner/c"] {
        assert_eq!((replicas[0].state(path), replicas[1].state(path)), (TaskState::Running, TaskState::Standby));
    }
    assert_eq!(replicas[1].tree.group("feeds").status(), Some(TaskState::Standby));
    for it in &replicas {
        it.tree.wait_ready().await;
        assert!(it.tree.health().is_ready(), "{:?}", it.tree.health());
    }
    replicas[0].tree.shutdown().await?;
    sleep(secs(0.5)).await;
    assert_eq!((log.owners("a"), log.owners("b"), log.owners("c")), (vec![1], vec![1], vec![1]));
    let order: Vec<_> = log.runs()[3..].iter().map(|run| run.what).filter(|what| *what != "c").collect();
    assert_eq!(order, ["a", "b"]);
    replicas[1].tree.shutdown().await?;
    log.check();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_group_that_loses_its_lease_stops_and_stands_by() -> Result {
    let log = Log::new();
    let (_store, replicas) = two(&log).await?;
    replicas[0].net.cut(true);
    sleep(2 * TTL).await;
    assert_eq!((log.owners("a"), log.owners("b"), log.owners("c")), (vec![1], vec![1], vec![1]));
    assert_eq!(replicas[0].count(EventKind::LeaseLost, "feeds"), 1);
    assert_eq!(replicas[0].count(EventKind::LeaseOverrun, "feeds"), 0);
    assert_eq!(replicas[0].state("feeds/a"), TaskState::Standby);
    replicas[0].net.cut(false);
    sleep(2 * TTL).await;
    replicas[1].tree.shutdown().await?;
    sleep(secs(0.5)).await;
    assert_eq!((log.owners("a"), log.owners("b"), log.owners("c")), (vec![0], vec![0], vec![0]));
    replicas[0].tree.shutdown().await?;
    log.check();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_task_that_is_added_to_the_group_needs_its_lease() -> Result {
    let log = Log::new();
    let (_store, replicas) = two(&log).await?;
    for (n, it) in replicas.iter().enumerate() {
        it.tree.group("feeds").add_task(serve(&log, n, "added")).await?;
    }
    sleep(secs(0.1)).await;
    assert_eq!(log.owners("added"), [0]);
    assert_eq!(replicas[1].state("feeds/a"), TaskState::Standby);
    replicas[0].tree.shutdown().await?;
    sleep(secs(0.5)).await;
    assert_eq!(log.owners("added"), [1]);
    replicas[1].tree.shutdown().await?;
    log.check();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_fresh_group_makes_its_children_where_it_owns_the_lease() -> Result {
    let (log, store) = (Log::new(), LocalStore::new());
    let made: Vec<Arc<AtomicUsize>> = (0..2).map(|_| Arc::default()).collect();
    let mut replicas = Vec::new();
    for (n, made) in made.iter().enumerate() {
        let (mine, made) = (log.clone(), Arc::clone(made));
        let feeds = Group::one_for_one("feeds").fresh(move || {
            made.fetch_add(1, Ordering::Relaxed);
            let child = serve(&mine, n, "a");
            async move { Ok::<_, taskvisor::TaskError>(vec![child]) }
        });
        replicas.push(replica(&store, n, |tree| tree.group(feeds.with_singleton())).await?);
        sleep(secs(0.2)).await;
    }
    sleep(secs(1.0)).await;
    let counts = || made.iter().map(|made| made.load(Ordering::Relaxed)).collect::<Vec<_>>();
    assert_eq!((log.owners("a"), counts()), (vec![0], vec![1, 0]));
    replicas[0].net.cut(true);
    sleep(2 * TTL).await;
    assert_eq!((log.owners("a"), counts()), (vec![1], vec![1, 1]));
    replicas[0].net.cut(false);
    for it in &replicas {
        it.tree.shutdown().await?;
    }
    log.check();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_group_that_resigns_hands_all_over() -> Result {
    let log = Log::new();
    let (_store, replicas) = two(&log).await?;
    assert!(replicas[0].tree.group("feeds").resign());
    sleep(secs(0.5)).await;
    assert_eq!((log.owners("a"), log.owners("b"), log.owners("c")), (vec![1], vec![1], vec![1]));
    assert!(!replicas[0].tree.group("feeds").resign() && !replicas[1].tree.group("feeds/inner").resign());
    assert!(!replicas[1].tree.child("feeds/a").resign(), "the lease is that of the group");
    assert_eq!(replicas[0].count(EventKind::LeaseLost, "feeds"), 0);
    assert_eq!(replicas[0].count(EventKind::LeaseReleased, "feeds"), 1);
    for it in &replicas {
        it.tree.shutdown().await?;
    }
    log.check();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_group_that_is_added_has_its_lease_or_that_of_the_group_around_it() -> Result {
    let log = Log::new();
    let (_store, replicas) = two(&log).await?;
    let root = |n: usize| replicas[n].tree.group("");
    for (n, it) in replicas.iter().enumerate() {
        // In the singleton, it needs its lease.
        let inside = Group::one_for_one("inside").task(serve(&log, n, "inside"));
        let _ = it.tree.group("feeds").add_group(inside)?;
        let own = Group::one_for_one("inside").with_singleton();
        let refused = it.tree.group("feeds").add_group(own).map(drop).unwrap_err().to_string();
        assert!(refused.contains("the group has one lease for all"), "{refused}");
        // Beside it, it has its own.
        let _ = root(n).add_group(Group::one_for_one("own").with_singleton().task(serve(&log, n, "own")))?;
        sleep(secs(0.5)).await;
    }
    assert_eq!((log.owners("inside"), log.owners("own")), (vec![0], vec![0]));
    assert_eq!(replicas[1].tree.group("own").status(), Some(TaskState::Standby));

    // Its end releases the lease, and it can be added again.
    assert!(root(0).group("own").cancel().await?);
    sleep(secs(0.5)).await;
    assert_eq!(log.owners("own"), [1]);
    let _ = root(0).add_group(Group::one_for_one("own").with_singleton().task(serve(&log, 0, "own")))?;
    sleep(secs(0.5)).await;
    assert_eq!(replicas[0].tree.group("own").status(), Some(TaskState::Standby));
    assert!(root(1).group("own").cancel().await?);
    sleep(secs(0.5)).await;
    assert_eq!(log.owners("own"), [0]);

    replicas[0].tree.shutdown().await?;
    sleep(secs(0.5)).await;
    assert_eq!(log.owners("inside"), [1]);
    replicas[1].tree.shutdown().await?;
    log.check();
    Ok(())
}
