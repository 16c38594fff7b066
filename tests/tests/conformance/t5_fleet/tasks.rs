//! Singletons that are tasks.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskvisor::fleet::{LocalStore, Standby};
use taskvisor::{EventKind, Group, RestartPolicy, TaskContext, TaskError, TaskFn, TaskSpec, TaskState, task};
use tokio::time::sleep;

use super::{Log, Result, TTL, replica, secs, serve, three};

#[tokio::test(start_paused = true)]
async fn t5_one_replica_runs_it_and_the_others_stand_by_live_and_ready() -> Result {
    let log = Log::new();
    let (_store, replicas) = three(&log).await?;
    assert_eq!(log.owners("ledger"), [0]);
    let states: Vec<_> = replicas.iter().map(|it| it.state("ledger")).collect();
    assert_eq!(states, [TaskState::Running, TaskState::Standby, TaskState::Standby]);
    for it in &replicas {
        it.tree.wait_ready().await;
        let health = it.tree.health();
        assert!(health.is_live() && health.is_ready(), "{health:?}");
    }
    for it in &replicas {
        let owner = it.tree.child("ledger").current().and_then(|task| task.lease_owner());
        assert_eq!(owner.as_deref(), Some("r0"));
    }
    assert_eq!(replicas[0].count(EventKind::LeaseAcquired, "ledger"), 1);
    assert_eq!(replicas[1].count(EventKind::LeaseAcquired, "ledger"), 0);
    // Nothing changes by itself.
    sleep(Duration::from_secs(600)).await;
    assert_eq!(log.runs().len(), 1);
    for it in &replicas {
        it.tree.shutdown().await?;
    }
    log.check();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_shutdown_hands_over_when_the_work_has_ended() -> Result {
    let log = Log::new();
    let (_store, replicas) = three(&log).await?;
    for (n, it) in replicas[..2].iter().enumerate() {
        it.tree.shutdown().await?;
        sleep(secs(0.5)).await;
        let owners = log.owners("ledger");
        assert_eq!(owners.len(), 1, "another has taken over: {:?}", log.runs());
        assert_eq!(it.count(EventKind::LeaseLost, "ledger"), 0);
        if owners != [n + 1] {
            // The third was quicker.
            break;
        }
    }
    for it in &replicas {
        it.tree.shutdown().await?;
    }
    let runs = log.runs();
    let gap = runs[1].from.saturating_sub(runs[0].to.unwrap());
    assert!(gap < secs(0.5), "the hand-over took {gap:?}");
    assert!(replicas[0].net.calls().contains(&"close"));
    log.check();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_restart_a_backoff_and_an_interval_keep_the_lease_without_a_call() -> Result {
    let (log, store) = (Log::new(), LocalStore::new());
    let mine = log.clone();
    let flaky = TaskFn::arc("flaky", move |ctx: TaskContext| {
        let log = mine.clone();
        async move {
            let _running = log.begin(0, "flaky", ctx.fencing_token());
            if ctx.attempt() % 2 == 1 { Err(TaskError::Fail { reason: "no".into() }) } else { Ok(()) }
        }
    });
    let always = RestartPolicy::Always { interval: Some(Duration::from_secs(7)) };
    let spec = TaskSpec::inherit(flaky).with_restart(always).with_singleton();
    let a = replica(&store, 0, |tree| tree.task(spec)).await?;
    sleep(secs(60.0)).await;
    assert!(a.tree.child("flaky").current().is_some_and(|task| task.restart()));
    sleep(secs(60.0)).await;
    assert!(log.runs().len() > 10, "{:?}", log.runs());
    assert_eq!(a.net.calls(), ["open", "acquire"]);
    assert_eq!(a.count(EventKind::LeaseAcquired, "flaky"), 1);
    a.tree.shutdown().await?;
    log.check();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_task_that_ends_for_good_releases_its_lease() -> Result {
    let (log, store) = (Log::new(), LocalStore::new());
    let once = |n: usize| {
        let log = log.clone();
        let task = TaskFn::arc("import", move |ctx: TaskContext| {
            let log = log.clone();
            async move {
                let _running = log.begin(n, "import", ctx.fencing_token());
                sleep(secs(3.0)).await;
                Ok(())
            }
        });
        TaskSpec::inherit(task).with_restart(RestartPolicy::OnFailure).with_singleton()
    };
    let a = replica(&store, 0, |tree| tree.task(once(0)).task(serve(&log, 0, "other").with_singleton())).await?;
    sleep(secs(0.1)).await;
    let b = replica(&store, 1, |tree| tree.task(once(1))).await?;
    sleep(secs(4.0)).await;
    let runs = log.runs();
    let imports: Vec<_> = runs.iter().filter(|run| run.what == "import").collect();
    assert_eq!(imports.len(), 2, "{imports:?}");
    assert!(imports[1].from.saturating_sub(imports[0].to.unwrap()) < secs(0.2), "{imports:?}");
    assert_eq!(a.count(EventKind::LeaseReleased, "import"), 1);
    assert_eq!(log.owners("other"), [0]);
    b.tree.shutdown().await?;
    a.tree.shutdown().await?;
    log.check();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_resign_hands_over_and_competes_again() -> Result {
    let log = Log::new();
    let (_store, replicas) = three(&log).await?;
    let handle = replicas[0].tree.child("ledger").current().expect("it is registered");
    assert!(handle.resign());
    sleep(secs(0.5)).await;
    assert!(!handle.resign(), "it has no lease to hand over");
    let owners = log.owners("ledger");
    assert!(owners == [1] || owners == [2], "{owners:?}");
    assert_eq!(replicas[0].state("ledger"), TaskState::Standby);
    assert_eq!(replicas[0].count(EventKind::LeaseReleased, "ledger"), 1);
    for it in &replicas[1..] {
        it.tree.shutdown().await?;
    }
    sleep(TTL).await;
    assert_eq!(log.owners("ledger"), [0]);
    replicas[0].tree.shutdown().await?;
    log.check();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_what_has_ended_owns_nothing_and_hands_nothing_over() -> Result {
    let (log, store) = (Log::new(), LocalStore::new());
    let it = replica(&store, 0, |tree| {
        let group = Group::one_for_one("feeds").with_singleton().task(serve(&log, 0, "feed"));
        tree.task(serve(&log, 0, "a").with_singleton()).task(serve(&log, 0, "b").with_singleton()).group(group)
    })
    .await?;
    sleep(secs(1.0)).await;
    let [a, b] = ["a", "b"].map(|name| it.tree.child(name).current().expect("it is registered"));
    let group = it.tree.group("feeds");
    assert!(a.lease_owner().is_some() && b.lease_owner().is_some());
    a.cancel().await?;
    assert_eq!((a.resign(), a.lease_owner()), (false, None));
    group.cancel().await?;
    assert!(!group.resign());
    it.tree.shutdown().await?;
    assert_eq!((b.resign(), b.lease_owner()), (false, None));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_an_added_task_can_be_one_and_its_removal_releases() -> Result {
    let (log, store) = (Log::new(), LocalStore::new());
    let a = replica(&store, 0, |tree| tree).await?;
    let b = replica(&store, 1, |tree| tree).await?;
    let first = a.tree.supervisor().add_task(serve(&log, 0, "sync").with_singleton()).await?;
    sleep(secs(0.1)).await;
    let second = b.tree.supervisor().add_task(serve(&log, 1, "sync").with_singleton()).await?;
    sleep(secs(1.0)).await;
    assert_eq!((log.owners("sync"), second.status().state), (vec![0], TaskState::Standby));
    first.cancel().await?;
    sleep(secs(0.1)).await;
    assert_eq!(log.owners("sync"), [1]);
    // The same name again, in the replica that has released it.
    let third = a.tree.supervisor().add_task(serve(&log, 0, "sync").with_singleton()).await?;
    sleep(secs(20.0)).await;
    assert_eq!((log.owners("sync"), third.status().state), (vec![1], TaskState::Standby));
    // A task that stands by ends at once.
    assert!(third.cancel().await?);
    second.cancel().await?;
    a.tree.shutdown().await?;
    b.tree.shutdown().await?;
    log.check();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_stale_context_has_no_token_and_none_without_a_lease() -> Result {
    let store = LocalStore::new();
    let (told, mut contexts) = tokio::sync::mpsc::unbounded_channel();
    let task = TaskFn::arc("keeper", move |ctx: TaskContext| {
        let told = told.clone();
        async move {
            let _ = told.send(ctx.clone());
            ctx.cancelled().await;
            Ok(())
        }
    });
    let a = replica(&store, 0, |tree| tree.task(TaskSpec::inherit(task).with_singleton())).await?;
    let first = contexts.recv().await.unwrap();
    let token = first.fencing_token().expect("it has a lease");
    assert!(first.lease_left().unwrap() > secs(10.0));
    assert!(a.tree.child("keeper").current().unwrap().restart());
    let second = contexts.recv().await.unwrap();
    assert_eq!((first.fencing_token(), second.fencing_token()), (None, Some(token)));
    a.tree.shutdown().await?;
    assert_eq!((second.fencing_token(), second.lease_left()), (None, None));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_paused_task_that_stands_by_does_not_compete() -> Result {
    let log = Log::new();
    let (_store, replicas) = three(&log).await?;
    assert!(replicas[1].tree.child("ledger").pause());
    replicas[0].tree.shutdown().await?;
    sleep(secs(30.0)).await;
    assert_eq!(log.owners("ledger"), [2]);
    replicas[2].tree.shutdown().await?;
    sleep(secs(30.0)).await;
    assert_eq!(log.owners("ledger"), [] as [usize; 0]);
    assert!(replicas[1].tree.child("ledger").resume());
    sleep(secs(6.0)).await;
    assert_eq!(log.owners("ledger"), [1]);
    replicas[1].tree.shutdown().await?;
    log.check();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_an_owner_that_serves_is_not_ready_while_it_stands_by() -> Result {
    let (log, store) = (Log::new(), LocalStore::new());
    let spec = |n| serve(&log, n, "api").with_standby(Standby::NotReady);
    let a = replica(&store, 0, |tree| tree.task(spec(0))).await?;
    sleep(secs(0.5)).await;
    let b = replica(&store, 1, |tree| tree.task(spec(1)).task(serve(&log, 1, "web").with_singleton())).await?;
    sleep(secs(0.5)).await;
    assert!(a.tree.health().is_ready() && !b.tree.health().is_ready());
    let told: Vec<_> = b.tree.health().not_ready.iter().map(|it| format!("{}: {}", it.path, it.problem)).collect();
    assert_eq!(told, ["api: not ready: standby"]);
    assert!(b.tree.health().is_live());
    a.tree.shutdown().await?;
    sleep(secs(0.5)).await;
    assert!(b.tree.health().is_ready());
    b.tree.shutdown().await?;
    log.check();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_units_of_one_process_with_one_key_never_run_at_once() -> Result {
    let (log, store) = (Log::new(), LocalStore::new());
    let spec = |name| serve(&log, 0, name).with_singleton_key("shared");
    let a = replica(&store, 0, |tree| tree.task(spec("one")).task(spec("two"))).await?;
    sleep(secs(30.0)).await;
    assert_eq!((log.owners("one").len(), log.owners("two").len()), (1, 0));
    assert_eq!((a.state("one"), a.state("two")), (TaskState::Running, TaskState::Standby));
    a.tree.child("one").cancel().await?;
    sleep(secs(0.5)).await;
    assert_eq!((log.owners("one").len(), log.owners("two").len()), (0, 1));
    a.tree.shutdown().await?;
    Ok(())
}

/// Lets time pass. Beside a blocked thread, the paused clock does not advance by itself.
async fn pass(time: Duration) {
    let mut left = time;
    while !left.is_zero() {
        let step = left.min(secs(0.1));
        tokio::time::advance(step).await;
        tests::settle().await;
        left = left.saturating_sub(step);
    }
}

/// Blocks its thread until it is released.
#[task(blocking)]
fn stuck(held: Arc<Mutex<Receiver<()>>>) {
    let _ = held.lock().unwrap().recv();
}

#[tokio::test(start_paused = true)]
async fn t5_work_that_cannot_be_dropped_is_told() -> Result {
    let store = LocalStore::new();
    let (release, held) = channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let a = replica(&store, 0, |tree| tree.task(stuck::spec(held).with_singleton())).await?;
    pass(secs(1.0)).await;
    a.net.cut(true);
    pass(2 * TTL).await;
    assert_eq!(a.count(EventKind::LeaseOverrun, "stuck"), 1);
    drop(release);
    // The thread ends in real time.
    while a.tree.child("stuck").status().is_some_and(|status| status.state != TaskState::Standby) {
        std::thread::sleep(Duration::from_millis(1));
        tests::settle().await;
    }
    a.net.cut(false);
    pass(TTL).await;
    assert_eq!(a.count(EventKind::LeaseOverrun, "stuck"), 1);
    a.tree.shutdown().await?;
    Ok(())
}
