//! The lines and metrics of leases and of the fleet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use metrics_util::debugging::DebuggingRecorder;
use taskvisor::fleet::{Fleet, LocalStore};
use taskvisor::{Group, SlotSpec, SupervisorConfig, TaskSpec, Tree};
use tests::{OK, Script, cooperative, secs};
use tokio::time::sleep;

use super::log::Log;
use super::metrics::{Recorded, watched};
use super::run;
use super::unsteady::Unsteady;

/// No field has the meaning of another.
#[test]
fn t5_leases_and_the_fleet_have_fields_of_their_own() {
    let log = Log::default();
    log.during(|| {
        run(async {
            let fleet = Fleet::new(LocalStore::new()).name("billing").ttl(secs(15));
            let task = cooperative("ledger").with_singleton_key("eu/ledger");
            let tree = Tree::builder(SupervisorConfig::default()).with_fleet(fleet).task(task).build();
            tree.start().await?;
            sleep(secs(1)).await;
            tree.shutdown().await
        })
    })
    .unwrap();
    let told = log.lines_of("ledger").into_iter().filter(|line| line.message().starts_with("lease "));
    let told: Vec<_> = told.map(|line| (line.message().to_owned(), line.field("key").to_owned(), line)).collect();
    let expected = ["lease acquired", "lease released"].map(|message| (message.to_owned(), "eu/ledger".to_owned()));
    assert_eq!(told.iter().map(|(message, key, _)| (message.clone(), key.clone())).collect::<Vec<_>>(), expected);
    for (.., line) in told {
        assert!(line.field("token").parse::<u64>().is_ok_and(|token| token > 0), "{line:?}");
    }
}

/// The leases that are held, by label, since the last look.
fn held(recorded: &Recorded, label: &str) -> Option<i64> {
    recorded.number(&format!("taskvisor_lease_held{{task={label}}}"))
}

#[test]
fn t5_the_leases_of_singletons_that_share_a_label_are_counted() {
    let fleet = Fleet::new(LocalStore::new()).ttl(secs(15));
    let slot = SlotSpec::new("jobs").with_keys().with_fleet();
    let labeled = |task: TaskSpec| task.with_singleton().with_metric_label("shared");
    let tree = Tree::builder(SupervisorConfig::default())
        .with_fleet(fleet)
        .with_slot(slot)
        .group(Group::one_for_one("pool").task(labeled(cooperative("a"))))
        .task(labeled(cooperative("b")))
        .build();
    let recorded = watched(|snapshotter| async move {
        tree.start().await.unwrap();
        let ok = Script::new([OK]);
        for key in ["a", "b"] {
            tree.slot("jobs").key(key).queue(cooperative("t")).await.unwrap();
        }
        for name in ["one", "two"] {
            tree.group("pool").add_task(cooperative(name).with_singleton()).await.unwrap();
        }
        sleep(secs(1)).await;
        // Others of the same labels come and go.
        for n in 0..10_u32 {
            let name = n.to_string();
            tree.slot("jobs").key(&name).queue(ok.spec("t")).await.unwrap().outcome().await;
            tree.group("pool").add_task(ok.spec(&name).with_singleton()).await.unwrap().outcome().await;
            let group = Group::one_for_one(format!("group-{n}")).with_singleton().task(ok.spec("t"));
            tree.group("pool").add_group(group).unwrap().outcome().await;
        }
        sleep(secs(1)).await;
        let mut now = Recorded::default();
        now.look(&snapshotter);
        assert_eq!(["dynamic", "pool", "shared"].map(|label| held(&now, label)), [Some(2); 3]);
        assert!(tree.child("b").resign());
        tree.slot("jobs").key("a").cancel_all().await.unwrap();
        tree.supervisor().cancel("pool/one").await.unwrap();
        // What was handed over comes back, as there is no other replica.
        sleep(secs(30)).await;
        now.look(&snapshotter);
        assert_eq!(["dynamic", "pool", "shared"].map(|label| held(&now, label)), [Some(1), Some(1), Some(2)]);
        tree.shutdown().await.unwrap();
        now.look(&snapshotter);
        assert_eq!(["dynamic", "pool", "shared"].map(|label| held(&now, label)), [Some(0); 3]);
    });
    assert!(recorded.values_of("task").iter().all(|label| !label.contains("group-")));
    assert!(["dynamic", "pool", "shared"].iter().all(|label| held(&recorded, label).is_none_or(|held| held == 0)));
}

fn replica(store: &LocalStore) -> Tree {
    let fleet = Fleet::new(store.clone()).ttl(secs(15));
    Tree::builder(SupervisorConfig::default()).with_fleet(fleet).task(cooperative("t").with_singleton()).build()
}

#[test]
fn t5_a_lease_that_moves_within_a_process_is_counted_once() {
    let store = LocalStore::new();
    let (first, second) = (replica(&store), replica(&store));
    let recorded = watched(|snapshotter| async move {
        first.start().await.unwrap();
        sleep(secs(1)).await;
        second.start().await.unwrap();
        let mut now = Recorded::default();
        now.look(&snapshotter);
        assert_eq!(held(&now, "t"), Some(1));
        first.shutdown().await.unwrap();
        sleep(secs(30)).await;
        now.look(&snapshotter);
        assert_eq!(held(&now, "t"), Some(1), "the other replica holds it");
        second.shutdown().await.unwrap();
        now.look(&snapshotter);
        assert_eq!(held(&now, "t"), Some(0));
    });
    assert!(held(&recorded, "t").is_none_or(|held| held == 0));
}

#[test]
fn t5_a_lease_whose_session_expires_while_it_is_handed_over_is_not_counted() {
    let is_cut = Arc::new(AtomicBool::new(false));
    let cut = Arc::clone(&is_cut);
    let fleet = Fleet::new(Unsteady::new(move |_| cut.load(Ordering::Relaxed))).ttl(secs(15));
    let tree =
        Tree::builder(SupervisorConfig::default()).with_fleet(fleet).task(cooperative("t").with_singleton()).build();
    watched(|snapshotter| async move {
        tree.start().await.unwrap();
        sleep(secs(1)).await;
        let mut now = Recorded::default();
        now.look(&snapshotter);
        assert_eq!(held(&now, "t"), Some(1));
        is_cut.store(true, Ordering::Relaxed);
        assert!(tree.child("t").resign());
        sleep(secs(60)).await;
        now.look(&snapshotter);
        assert_eq!(held(&now, "t"), Some(0), "its session has expired");
        is_cut.store(false, Ordering::Relaxed);
        sleep(secs(60)).await;
        now.look(&snapshotter);
        assert_eq!(held(&now, "t"), Some(1), "it is taken again");
        tree.shutdown().await.unwrap();
        now.look(&snapshotter);
        assert_eq!(held(&now, "t"), Some(0));
    });
}

#[test]
fn t5_a_lease_that_was_taken_before_the_recorder_came_is_not_counted_down() {
    let late = replica(&LocalStore::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        late.start().await.unwrap();
        sleep(secs(1)).await;
    });
    let recorder = DebuggingRecorder::new();
    metrics::with_local_recorder(&recorder, || runtime.block_on(async { late.shutdown().await.unwrap() }));
    let mut seen = Recorded::default();
    seen.look(&recorder.snapshotter());
    assert_eq!(seen.number("taskvisor_lease_transitions_total{task=t,change=released}"), Some(1));
    assert_eq!(held(&seen, "t"), None);
}
