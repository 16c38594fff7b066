//! Slots of a fleet.

use std::sync::atomic::Ordering;

use taskvisor::fleet::{Fleet, LocalStore};
use taskvisor::{
    AdmissionPolicy, ControllerError, ControllerSpec, SlotSpec, SupervisorConfig, TaskContext, TaskFn, TaskOutcome,
    TaskSpec, TaskState, Tree,
};
use tokio::time::sleep;

use super::{Log, Result, TTL, replica, secs};

/// A job that takes two seconds.
fn job(log: &Log, replica: usize, name: &str) -> TaskSpec {
    let log = log.clone();
    let task = TaskFn::arc(name, move |ctx: TaskContext| {
        let log = log.clone();
        async move {
            let _running = log.begin(replica, "deploy", ctx.fencing_token());
            sleep(secs(2.0)).await;
            Ok(())
        }
    });
    TaskSpec::inherit(task)
}

#[tokio::test(start_paused = true)]
async fn t5_one_task_of_all_replicas_runs_in_a_slot_of_the_fleet() -> std::result::Result<(), Box<dyn std::error::Error>>
{
    let (log, store) = (Log::new(), LocalStore::new());
    let mut replicas = Vec::new();
    for n in 0..3 {
        replicas.push(replica(&store, n, |tree| tree.with_slot(SlotSpec::new("deploy").with_fleet())).await?);
    }
    let mut jobs = Vec::new();
    for (n, it) in replicas.iter().enumerate() {
        for name in ["a", "b"] {
            jobs.push(it.tree.slot("deploy").submit(job(&log, n, &format!("{name}{n}"))).await?);
        }
    }
    sleep(secs(1.0)).await;
    let states: Vec<_> = jobs.iter().map(|job| job.status().state).collect();
    let count = |state| states.iter().filter(|it| **it == state).count();
    let counts = (count(TaskState::Running), count(TaskState::Standby), count(TaskState::Queued));
    assert_eq!(counts, (1, 2, 3), "{states:?}");
    for job in &jobs {
        assert!(matches!(job.outcome().await, TaskOutcome::Completed));
    }
    let runs = log.runs();
    assert_eq!(runs.len(), 6);
    log.check();
    // Whoever is refused is woken by the release, so the whole takes little longer than the jobs do.
    let end = runs.iter().filter_map(|run| run.to).max().unwrap();
    let took = end.saturating_sub(runs[0].from);
    assert!(took < secs(6.0 * 2.0 + 6.0 * 0.1), "{took:?}");
    for it in &replicas {
        it.tree.shutdown().await?;
        assert_eq!(it.net.line.renewals.load(Ordering::Relaxed), 2, "{took:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_each_key_of_a_slot_has_a_lease_of_its_own() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let (log, store) = (Log::new(), LocalStore::new());
    let slot = || SlotSpec::new("sync").with_keys().with_fleet();
    let a = replica(&store, 0, |tree| tree.with_slot(slot())).await?;
    let b = replica(&store, 1, |tree| tree.with_slot(slot())).await?;
    let first = a.tree.slot("sync").key("acme").submit(job(&log, 0, "one")).await?;
    sleep(secs(0.5)).await;
    let second = b.tree.slot("sync").key("acme").submit(job(&log, 1, "one")).await?;
    let third = b.tree.slot("sync").key("ajax").submit(job(&log, 1, "one")).await?;
    sleep(secs(0.5)).await;
    let states = [&first, &second, &third].map(|job| job.status().state);
    assert_eq!(states, [TaskState::Running, TaskState::Standby, TaskState::Running]);
    for job in [first, second, third] {
        assert!(job.outcome().await.is_completed());
    }
    a.tree.shutdown().await?;
    b.tree.shutdown().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_job_that_loses_the_lease_runs_again() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let (log, store) = (Log::new(), LocalStore::new());
    let a = replica(&store, 0, |tree| tree.with_slot(SlotSpec::new("deploy").with_fleet())).await?;
    let endless = {
        let log = log.clone();
        TaskFn::arc("long", move |ctx: TaskContext| {
            let log = log.clone();
            async move {
                let _running = log.begin(0, "deploy", ctx.fencing_token());
                ctx.run_until_cancelled(sleep(secs(30.0))).await;
                Ok(())
            }
        })
    };
    let job = a.tree.slot("deploy").submit(endless).await?;
    sleep(secs(1.0)).await;
    a.net.cut(true);
    sleep(TTL).await;
    assert_eq!(job.status().state, TaskState::Standby);
    a.net.cut(false);
    assert!(job.outcome().await.is_completed());
    assert_eq!(log.runs().len(), 2);
    log.check();
    a.tree.shutdown().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_what_a_slot_of_the_fleet_refuses() -> Result {
    let refused = |slot: SlotSpec, fleet: Option<Fleet>| {
        let tree = Tree::builder(SupervisorConfig::default()).with_slot(slot);
        let tree = match fleet {
            Some(fleet) => tree.with_fleet(fleet),
            None => tree,
        };
        tree.try_build().err().map_or_else(String::new, |error| error.to_string())
    };
    let slot = || SlotSpec::new("deploy").with_fleet();
    assert_eq!(
        refused(slot(), None),
        "slot `deploy`: `fleet` is set, expected a supervisor with a fleet: `fleet = Fleet::new(store)`, or \
         `Fleet::local()` for one process"
    );
    assert_eq!(
        refused(slot().with_concurrency(2), Some(Fleet::local())),
        "slot `deploy`: `concurrency` is 2, expected 1 in a slot of the fleet, whose lease has one owner"
    );
    let no_replace = "slot `deploy`: `admission` is `Replace`, expected `Queue`, `Latest` or `DropIfRunning` in a slot of \
                      the fleet: the owner can be in another replica";
    assert_eq!(refused(slot().with_admission(AdmissionPolicy::Replace), Some(Fleet::local())), no_replace);
    let tree = Tree::builder(SupervisorConfig::default()).with_fleet(Fleet::local()).with_slot(slot()).build();
    let log = Log::new();
    let spec = ControllerSpec::replace(job(&log, 0, "a")).with_slot("deploy");
    let Err(ControllerError::InvalidOption(error)) = tree.supervisor().submit(spec).await else {
        panic!("it is refused")
    };
    assert_eq!(error.to_string(), no_replace);
    tree.shutdown().await
}
