//! Several units of one process with one key.

use taskvisor::fleet::LocalStore;
use taskvisor::{Group, RestartPolicy, TaskSpec, TaskState};
use tokio::time::sleep;

use super::{Log, Replica, Result, TTL, replica, secs, serve};

fn both(log: &Log, n: usize, name: &'static str) -> TaskSpec {
    serve(log, n, "shared").with_name(name).with_singleton_key("shared")
}

/// A replica in which two tasks share a key. The first one runs.
async fn pair(log: &Log, store: &LocalStore) -> std::result::Result<Replica, taskvisor::RuntimeError> {
    let it = replica(store, 0, |tree| tree.task(both(log, 0, "first")).task(both(log, 0, "second"))).await?;
    sleep(secs(1.0)).await;
    assert_eq!((it.state("first"), it.state("second")), (TaskState::Running, TaskState::Standby));
    Ok(it)
}

#[tokio::test(start_paused = true)]
async fn t5_a_task_that_resigns_lets_another_of_its_process_compete() -> Result {
    let (log, store) = (Log::new(), LocalStore::new());
    let it = pair(&log, &store).await?;
    for (owner, next) in [("first", "second"), ("second", "first"), ("first", "second")] {
        assert!(it.tree.child(owner).current().is_some_and(|task| task.resign()));
        sleep(TTL).await;
        assert_eq!((it.state(owner), it.state(next)), (TaskState::Standby, TaskState::Running));
    }
    it.tree.shutdown().await?;
    log.check();
    Ok(())
}

/// The paused one does not compete, so it does not hold up the other.
#[tokio::test(start_paused = true)]
async fn t5_a_paused_task_that_stands_by_lets_another_of_its_process_compete() -> Result {
    let (log, store) = (Log::new(), LocalStore::new());
    let owner = replica(&store, 1, |tree| tree.task(both(&log, 1, "first"))).await?;
    sleep(secs(1.0)).await;
    let it = replica(&store, 0, |tree| tree.task(both(&log, 0, "first")).task(both(&log, 0, "second"))).await?;
    sleep(secs(1.0)).await;
    assert!(it.tree.child("first").pause());
    owner.tree.shutdown().await?;
    sleep(secs(1.0)).await;
    assert_eq!(it.state("second"), TaskState::Running);
    // It waits behind the other one now.
    assert!(it.tree.child("first").resume());
    sleep(TTL).await;
    assert_eq!((it.state("first"), it.state("second")), (TaskState::Standby, TaskState::Running));
    assert!(it.tree.child("second").current().expect("it runs").cancel().await?);
    sleep(secs(1.0)).await;
    assert_eq!(it.state("first"), TaskState::Running);
    it.tree.shutdown().await?;
    log.check();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_groups_that_share_a_key_take_turns() -> Result {
    let (log, store) = (Log::new(), LocalStore::new());
    let group = |name| Group::one_for_one(name).with_singleton_key("shared").task(serve(&log, 0, "shared"));
    let it = replica(&store, 0, |tree| tree.group(group("a")).group(group("b"))).await?;
    sleep(secs(1.0)).await;
    let (a, b) = (it.tree.group("a"), it.tree.group("b"));
    assert_eq!((it.state("a/shared"), it.state("b/shared")), (TaskState::Running, TaskState::Standby));
    assert!(a.resign());
    sleep(TTL).await;
    assert_eq!((it.state("a/shared"), it.state("b/shared")), (TaskState::Standby, TaskState::Running));
    // A paused owner keeps its lease, and a group that is behind stays there.
    assert!(b.pause() && b.resign());
    sleep(TTL).await;
    assert_eq!((it.state("a/shared"), it.state("b/shared")), (TaskState::Running, TaskState::Standby));
    assert!(b.resume() && a.resign());
    sleep(TTL).await;
    assert_eq!((it.state("a/shared"), it.state("b/shared")), (TaskState::Standby, TaskState::Running));
    it.tree.shutdown().await?;
    log.check();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_task_that_comes_while_the_first_is_paused_competes() -> Result {
    let (log, store) = (Log::new(), LocalStore::new());
    let it = pair(&log, &store).await?;
    assert!(it.tree.child("second").pause());
    assert!(it.tree.child("first").current().expect("it runs").cancel().await?);
    sleep(TTL).await;
    assert_eq!(it.state("second"), TaskState::Standby);
    let third = it.tree.supervisor().add_task(both(&log, 0, "third")).await?;
    sleep(secs(1.0)).await;
    assert_eq!(third.status().state, TaskState::Running);
    it.tree.shutdown().await?;
    log.check();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_trigger_is_refused_where_the_task_stands_by() -> Result {
    let store = LocalStore::new();
    let log = Log::new();
    let hourly = |n| {
        let log = log.clone();
        let task = taskvisor::TaskFn::arc("hourly", move |ctx: taskvisor::TaskContext| {
            let log = log.clone();
            async move {
                drop(log.begin(n, "hourly", ctx.fencing_token()));
                Ok(())
            }
        });
        let spec = TaskSpec::inherit(task).with_restart(RestartPolicy::Always { interval: None });
        spec.with_every(secs(3_600.0)).with_singleton()
    };
    let owner = replica(&store, 0, |tree| tree.task(hourly(0))).await?;
    sleep(secs(1.0)).await;
    let other = replica(&store, 1, |tree| tree.task(hourly(1))).await?;
    sleep(secs(1.0)).await;
    let runs = |n: usize| log.runs().iter().filter(|run| run.replica == n).count();
    let before = runs(0);
    assert!(!other.tree.child("hourly").trigger());
    assert!(other.tree.child("hourly").pause());
    assert!(!other.tree.child("hourly").trigger(), "nor in a pause");
    assert!(owner.tree.child("hourly").trigger());
    sleep(secs(1.0)).await;
    assert_eq!((runs(0), runs(1)), (before + 1, 0));
    owner.tree.shutdown().await?;
    other.tree.shutdown().await
}
