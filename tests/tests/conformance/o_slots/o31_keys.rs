//! Slots with several places, with keys, and with a rate.

use std::time::Duration;

use taskvisor::{
    AdmissionPolicy, ControllerError, RejectReason, RuntimeError, SlotPhase, SlotSpec, SupervisorConfig, TaskHandle,
    TaskOutcome, TaskState, Tree,
};
use tests::{Script, Step, cooperative, ms, secs, settle};
use tokio::time::{Instant, sleep};

use super::{is_canceled, runs};

type Result = std::result::Result<(), Box<dyn std::error::Error>>;

fn tree_with(slot: SlotSpec) -> Tree {
    Tree::builder(SupervisorConfig::default()).with_slot(slot).build()
}

fn running(handles: &[TaskHandle]) -> Vec<usize> {
    let alive = handles.iter().enumerate().filter(|(_, handle)| runs(handle));
    alive.map(|(number, _)| number).collect()
}

#[tokio::test(start_paused = true)]
async fn o31_concurrency_runs_so_many_at_once() -> Result {
    let tree = tree_with(SlotSpec::new("jobs").with_concurrency(3));
    let slot = tree.slot("jobs");
    let script = Script::new([Step::Succeed(secs(1))]);
    let start = Instant::now();
    let mut handles = Vec::new();
    for number in 0..8 {
        handles.push(slot.submit(script.spec(&format!("t{number}"))).await?);
    }
    settle().await;
    assert_eq!((slot.len(), slot.snapshot().owners.len(), slot.snapshot().queued), (8, 3, 5));
    for handle in &handles {
        assert!(handle.outcome().await.is_completed());
    }
    assert_eq!(script.begun_ms(start), [0, 0, 0, 1_000, 1_000, 1_000, 2_000, 2_000]);
    assert_eq!((script.most(), slot.is_idle()), (3, true));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o31_each_policy_with_several_places() -> Result {
    let tree = tree_with(SlotSpec::new("jobs").with_concurrency(2));
    let slot = tree.slot("jobs");
    let oldest = slot.drop_if_running(cooperative("oldest")).await?;
    let second = slot.replace(cooperative("second")).await?;
    settle().await;
    assert!(runs(&oldest) && runs(&second), "a place was free");
    let busy = slot.drop_if_running(cooperative("busy")).await?;
    assert!(matches!(busy.outcome().await, TaskOutcome::Rejected { reason: RejectReason::Busy }));
    let third = slot.replace(cooperative("third")).await?;
    assert!(is_canceled(&oldest.outcome().await), "the oldest makes way");
    settle().await;
    assert!(runs(&second) && runs(&third));
    let latest = slot.latest(cooperative("latest")).await?;
    let queued = slot.queue(cooperative("queued")).await?;
    assert!(third.cancel().await?);
    settle().await;
    assert!(runs(&latest) && !runs(&queued));
    assert_eq!(slot.cancel_all().await?, 3);
    assert!(slot.is_idle() && is_canceled(&second.outcome().await) && is_canceled(&queued.outcome().await));
    // Two of one name do not run at once.
    let first = slot.submit(cooperative("same")).await?;
    let same = slot.submit(cooperative("same")).await?;
    assert!(matches!(same.outcome().await, TaskOutcome::Rejected { reason: RejectReason::Refused { .. } }));
    assert!(first.cancel().await?);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o31_keys_have_slots_of_their_own_and_equal_names_in_them_are_no_conflict() -> Result {
    let jobs = SlotSpec::new("jobs").with_keys().with_capacity(1).with_admission(AdmissionPolicy::Queue);
    let tree = tree_with(jobs);
    let slot = tree.slot("jobs");
    let [acme, zeta] = ["acme", "zeta/eu"].map(|key| slot.key(key));
    let mut handles = Vec::new();
    for key in [&acme, &zeta, &acme, &acme] {
        handles.push(key.submit(cooperative("export")).await?);
    }
    settle().await;
    assert_eq!(running(&handles), [0, 1]);
    assert_eq!((handles[0].path(), handles[1].path()), ("jobs/acme/export", "jobs/zeta/eu/export"));
    assert!(matches!(handles[3].outcome().await, TaskOutcome::Rejected { reason: RejectReason::Full }));
    assert_eq!((acme.len(), zeta.len(), slot.len()), (2, 1, 3));
    assert_eq!((acme.name(), acme.snapshot().capacity), ("jobs/acme", 1));
    let names: Vec<_> = tree.supervisor().slots().into_iter().map(|slot| slot.name).collect();
    assert_eq!(names, ["jobs", "jobs/acme", "jobs/zeta/eu"]);
    assert!(handles[0].cancel().await?);
    settle().await;
    assert_eq!(handles[2].status().state, TaskState::Running);
    assert_eq!(slot.cancel_all().await?, 2);
    assert!(slot.is_idle());
    assert_eq!(tree.supervisor().slots(), [slot.snapshot()], "an idle key is not stored");
    tree.shutdown().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o31_a_key_is_any_text_but_the_empty_one() -> Result {
    for name in ["jobs", "jobs/"] {
        let tree = tree_with(SlotSpec::new(name).with_keys());
        let slot = tree.slot(name);
        let keys = ["acme/", "/", "//", "/srv/data/", "a//b", " ", "\n", "\u{e9}"];
        let mut jobs = Vec::new();
        for key in keys {
            let job = slot.key(key).submit(cooperative("export")).await?;
            assert_eq!(job.path(), format!("{name}/{key}/export"));
            jobs.push(job);
        }
        settle().await;
        assert!(jobs.iter().all(runs), "each key has a slot of its own");
        assert_eq!(slot.len(), keys.len());
        assert!(jobs.iter().all(|job| tree.supervisor().node(job.path()).is_some()));
        assert!(tree.supervisor().cancel(jobs[0].path()).await?);
        jobs.push(slot.key(keys[0]).submit(cooperative("export")).await?);
        let empty = slot.key("").submit(cooperative("export")).await;
        assert!(matches!(&empty, Err(ControllerError::InvalidOption(invalid)) if invalid.option == "key"), "{empty:?}");
        assert_eq!(slot.cancel_all().await?, keys.len());
        tree.shutdown().await?;
    }
    Ok(())
}

/// A customer with many jobs does not delay another with few.
#[tokio::test(start_paused = true)]
async fn o31_a_free_place_goes_round_the_keys() -> Result {
    let tree = tree_with(SlotSpec::new("jobs").with_keys().with_max_concurrent(1).with_capacity(50));
    let slot = tree.slot("jobs");
    let scripts = ["a", "b", "c"].map(|key| (key, Script::new([Step::Succeed(secs(1))])));
    let start = Instant::now();
    let mut handles = Vec::new();
    for (key, script) in &scripts {
        for number in 0..if *key == "a" { 10 } else { 2 } {
            handles.push(slot.key(key).submit(script.spec(&format!("t{number}"))).await?);
        }
    }
    for handle in &handles {
        assert!(handle.outcome().await.is_completed());
    }
    let [a, b, c] = scripts.map(|(_, script)| script.begun_ms(start));
    assert_eq!((&a[..3], &*b, &*c), (&[0, 3_000, 6_000][..], &[1_000, 4_000][..], &[2_000, 5_000][..]));
    assert_eq!(a.len(), 10);
    assert!(slot.is_idle());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o31_concurrency_bounds_one_key_and_max_concurrent_all() -> Result {
    let tree = tree_with(SlotSpec::new("jobs").with_keys().with_concurrency(2).with_max_concurrent(3));
    let slot = tree.slot("jobs");
    let mut handles = Vec::new();
    for (key, name) in [("a", "1"), ("a", "2"), ("a", "3"), ("b", "1"), ("b", "2"), ("c", "1")] {
        handles.push(slot.key(key).submit(cooperative(name)).await?);
    }
    settle().await;
    assert_eq!(running(&handles), [0, 1, 3]);
    assert_eq!(slot.key("c").snapshot().phase, SlotPhase::Waiting);
    let dropped = slot.key("d").drop_if_running(cooperative("1")).await?;
    assert!(matches!(dropped.outcome().await, TaskOutcome::Rejected { reason: RejectReason::Busy }));
    // `b` has waited for a place before `c`. `a` may have one more now, and is the last in the line.
    assert!(handles[0].cancel().await?);
    settle().await;
    assert_eq!(running(&handles), [1, 3, 4]);
    assert!(handles[1].cancel().await?);
    settle().await;
    assert_eq!(running(&handles), [3, 4, 5]);
    // A withdrawn submission leaves the line.
    assert!(handles[2].cancel().await?);
    assert!(handles[3].cancel().await?);
    settle().await;
    assert_eq!(running(&handles), [4, 5]);
    assert_eq!(slot.cancel_all().await?, 2);
    let again = slot.key("a").submit(cooperative("1")).await?;
    settle().await;
    assert!(runs(&again));
    tree.shutdown().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o31_a_rate_lets_the_rest_wait() -> Result {
    for keyed in [false, true] {
        let slot = SlotSpec::new("jobs").with_rate(2, secs(10)).with_concurrency(5);
        let tree = tree_with(if keyed { slot.with_keys() } else { slot });
        let script = Script::new([Step::Succeed(ms(100))]);
        let start = Instant::now();
        let mut handles = Vec::new();
        for number in 0..5 {
            let slot = tree.slot("jobs");
            let slot = if keyed { slot.key(&format!("k{}", number % 2)) } else { slot };
            handles.push(slot.submit(script.spec(&format!("t{number}"))).await?);
            sleep(secs(1)).await;
        }
        for handle in &handles {
            assert!(handle.outcome().await.is_completed());
        }
        assert_eq!(script.begun_ms(start), [0, 1_000, 10_000, 11_000, 20_000]);
        // After a pause, the whole rate is free again.
        sleep(secs(60)).await;
        let start = Instant::now();
        for number in 0..2 {
            let slot = tree.slot("jobs");
            let slot = if keyed { slot.key("x") } else { slot };
            assert!(slot.submit(script.spec(&format!("t{number}"))).await?.outcome().await.is_completed());
        }
        assert!(start.elapsed() < secs(1));
        assert!(tree.slot("jobs").is_idle());
        tree.shutdown().await?;
    }
    Ok(())
}

/// A start that is refused uses up neither a place nor the rate.
#[tokio::test(start_paused = true)]
async fn o31_a_refused_start_does_not_count() -> Result {
    let tree = tree_with(SlotSpec::new("jobs").with_rate(1, secs(10)));
    let slot = tree.slot("jobs");
    let taken = tree.supervisor().add_task(cooperative("taken")).await?;
    let refused = slot.submit(cooperative("taken")).await?;
    assert!(matches!(refused.outcome().await, TaskOutcome::Rejected { reason: RejectReason::Refused { .. } }));
    let first = slot.submit(cooperative("runs")).await?;
    settle().await;
    assert!(runs(&first));
    let [refused, last] = [slot.submit(cooperative("taken")).await?, slot.submit(cooperative("last")).await?];
    assert!(first.cancel().await?);
    sleep(secs(10)).await;
    settle().await;
    assert!(matches!(refused.outcome().await, TaskOutcome::Rejected { reason: RejectReason::Refused { .. } }));
    assert!(runs(&last) && runs(&taken));
    tree.shutdown().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o31_options_that_are_wrong_are_refused() -> Result {
    let refused = |slot: SlotSpec| match Tree::builder(SupervisorConfig::default()).with_slot(slot).try_build() {
        Err(RuntimeError::InvalidOption(invalid)) => (invalid.option, invalid.value.clone()),
        other => panic!("{other:?}"),
    };
    let slot = || SlotSpec::new("jobs");
    assert_eq!(refused(slot().with_concurrency(0)), ("concurrency", "0".into()));
    assert_eq!(refused(slot().with_keys().with_max_concurrent(0)), ("max_concurrent", "0".into()));
    assert_eq!(refused(slot().with_max_concurrent(3)), ("max_concurrent", "set".into()));
    assert_eq!(refused(slot().with_rate(0, secs(1))), ("rate", "0".into()));
    assert_eq!(refused(slot().with_rate(1, Duration::ZERO)), ("rate", "0ns".into()));
    let after = Tree::builder(SupervisorConfig::default())
        .with_slot(slot().with_keys())
        .task(cooperative("a").with_after(["jobs"]))
        .try_build();
    assert!(matches!(after, Err(RuntimeError::InvalidOption(_))), "{after:?}");
    let tree = tree_with(slot().with_keys());
    let without = tree.slot("jobs").submit(cooperative("a")).await;
    assert!(matches!(&without, Err(ControllerError::InvalidOption(invalid)) if invalid.option == "key"), "{without:?}");
    let empty = tree.slot("jobs").key("").submit(cooperative("a")).await;
    assert!(matches!(&empty, Err(ControllerError::InvalidOption(invalid)) if invalid.option == "key"), "{empty:?}");
    Ok(())
}
