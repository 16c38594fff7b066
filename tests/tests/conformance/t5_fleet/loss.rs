//! The loss of a lease: what is told, what is dropped, and when others take over.

use std::sync::atomic::Ordering;
use std::time::Duration;

use taskvisor::fleet::{Fleet, LocalStore};
use taskvisor::{EventKind, StopReason, SupervisorConfig, TaskContext, TaskFn, TaskSpec, TaskState, Tree};
use tokio::time::sleep;

use super::{Log, Net, Result, TTL, replica, secs, three};

#[tokio::test(start_paused = true)]
async fn t5_work_is_told_before_its_lease_ends_and_others_begin_after() -> Result {
    let log = Log::new();
    let (_store, replicas) = three(&log).await?;
    let cut = log.start.elapsed();
    replicas[0].net.cut(true);
    sleep(2 * TTL).await;
    let runs = log.runs();
    assert_eq!(runs.len(), 2, "{runs:?}");
    let since = |at: Duration| at.saturating_sub(cut);
    let (told, began) = (since(runs[0].to.unwrap()), since(runs[1].from));
    // The last good renewal was sent up to 5.5 s before.
    assert!(told >= secs(3.0) && told <= secs(9.1), "told after {told:?}");
    assert!(began >= secs(9.0) && began <= TTL + TTL / 3, "taken over after {began:?}");
    assert!(runs[1].from >= runs[0].to.unwrap() + secs(5.0), "{runs:?}");
    let lost = replicas[0].find(EventKind::LeaseLost, "ledger").expect("it is told");
    assert_eq!(lost.reason.as_deref(), Some("the lease could not be renewed in time"));
    let stopped = replicas[0].find(EventKind::TaskStopped, "ledger").expect("it has stopped");
    assert_eq!(stopped.stop, Some(StopReason::LeaseLost));
    let status = replicas[0].tree.child("ledger").status().unwrap();
    assert_eq!((status.state, status.failures), (TaskState::Standby, 0));
    assert!(replicas[0].tree.health().is_ready(), "a store out of reach does not turn readiness off");
    let kinds = |kind| replicas[0].recorder.seen().iter().filter(|event| event.kind == kind).count();
    assert_eq!((kinds(EventKind::TaskFailed), kinds(EventKind::BackoffScheduled)), (0, 0));
    assert_eq!((kinds(EventKind::FleetUnreachable), kinds(EventKind::FleetReachable)), (1, 0));
    // It comes back, and the other keeps what it has.
    replicas[0].net.cut(false);
    sleep(10 * TTL).await;
    assert_eq!(log.runs().len(), 2, "nothing flaps");
    assert_eq!(replicas[0].recorder.seen().iter().filter(|it| it.kind == EventKind::FleetReachable).count(), 1);
    for it in &replicas {
        it.tree.shutdown().await?;
    }
    log.check();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_work_that_does_not_heed_the_request_is_dropped_with_its_helpers() -> Result {
    let (log, store) = (Log::new(), LocalStore::new());
    let mine = log.clone();
    let task = TaskFn::arc("deaf", move |ctx: TaskContext| {
        let log = mine.clone();
        async move {
            let token = ctx.fencing_token();
            let _running = log.begin(0, "deaf", token);
            let helper = log.begin(0, "helper", token);
            ctx.spawn(async move {
                let _helper = helper;
                std::future::pending::<()>().await;
            });
            std::future::pending::<()>().await;
            Ok(())
        }
    });
    let a = replica(&store, 0, |tree| tree.task(TaskSpec::inherit(task).with_singleton())).await?;
    sleep(secs(1.0)).await;
    a.net.cut(true);
    let cut = log.start.elapsed();
    sleep(2 * TTL).await;
    let runs = log.runs();
    assert_eq!(runs.len(), 2);
    for run in &runs {
        let end = run.to.expect("it was dropped").saturating_sub(cut);
        assert!(end >= secs(5.5) && end <= secs(12.1), "{run:?} was dropped {end:?} after the cut");
    }
    assert_eq!(a.count(EventKind::LeaseOverrun, "deaf"), 0);
    a.tree.shutdown().await?;
    Ok(())
}

/// Its release was asked for in vain. When the store says that the session is over, others can have the key.
#[tokio::test(start_paused = true)]
async fn t5_a_lease_that_ends_with_its_session_is_told_as_released_if_its_task_has_ended() -> Result {
    let (log, store) = (Log::new(), LocalStore::new());
    let a = replica(&store, 0, |tree| tree).await?;
    let task = a.tree.supervisor().add_task(super::serve(&log, 0, "sync").with_singleton()).await?;
    sleep(secs(1.0)).await;
    assert_eq!(log.owners("sync"), [0]);
    a.net.cut(true);
    task.cancel().await?;
    sleep(2 * TTL).await;
    assert_eq!((a.count(EventKind::LeaseLost, "sync"), a.count(EventKind::LeaseReleased, "sync")), (0, 0));
    a.net.cut(false);
    sleep(TTL).await;
    assert_eq!((a.count(EventKind::LeaseLost, "sync"), a.count(EventKind::LeaseReleased, "sync")), (0, 1));
    a.tree.shutdown().await?;
    assert_eq!(a.count(EventKind::LeaseReleased, "sync"), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_short_cut_is_not_noticed() -> Result {
    let log = Log::new();
    let (_store, replicas) = three(&log).await?;
    for _ in 0..20 {
        replicas[0].net.cut(true);
        sleep(secs(2.0)).await;
        replicas[0].net.cut(false);
        sleep(secs(8.0)).await;
    }
    assert_eq!(log.runs().len(), 1, "{:?}", log.runs());
    for it in &replicas {
        it.tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_answers_that_are_lost_leave_no_key_behind() -> Result {
    let (log, store) = (Log::new(), LocalStore::new());
    let a = replica(&store, 0, |tree| tree).await?;
    a.net.mute(true);
    let task = a.tree.supervisor().add_task(super::serve(&log, 0, "sync").with_singleton()).await?;
    sleep(secs(8.0)).await;
    a.net.mute(false);
    sleep(secs(8.0)).await;
    assert_eq!(log.owners("sync"), [0]);
    a.net.mute(true);
    task.cancel().await?;
    sleep(secs(4.0)).await;
    a.net.mute(false);
    sleep(secs(4.0)).await;
    let b = replica(&store, 1, |tree| tree.task(super::serve(&log, 1, "sync").with_singleton())).await?;
    sleep(secs(1.0)).await;
    assert_eq!(log.owners("sync"), [1]);
    a.tree.shutdown().await?;
    b.tree.shutdown().await?;
    log.check();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_shutdown_does_not_wait_for_a_store_that_is_gone() -> Result {
    let log = Log::new();
    let (_store, replicas) = three(&log).await?;
    replicas[0].net.cut(true);
    let began = log.start.elapsed();
    replicas[0].tree.shutdown().await?;
    let took = log.start.elapsed().saturating_sub(began);
    assert!(took <= 2 * TTL / 5, "the shutdown took {took:?}");
    assert_eq!(log.owners("ledger"), [] as [usize; 0]);
    for it in &replicas[1..] {
        it.tree.shutdown().await?;
    }
    log.check();
    Ok(())
}

/// A right is missing, for example. Renewals succeed all the time.
#[tokio::test(start_paused = true)]
async fn t5_a_store_that_refuses_one_kind_of_calls_is_out_of_reach_once() -> Result {
    let log = Log::new();
    let (_store, replicas) = three(&log).await?;
    let it = &replicas[1];
    let told = || {
        let kinds = [EventKind::FleetUnreachable, EventKind::FleetReachable];
        let seen = it.recorder.seen().into_iter().filter(|event| kinds.contains(&event.kind));
        seen.map(|event| (event.kind, event.reason.unwrap_or_default())).collect::<Vec<_>>()
    };
    let shown = || it.tree.supervisor().fleet().and_then(|fleet| fleet.unreachable).unwrap_or_default();
    it.net.refuse(Some("acquire"));
    sleep(10 * TTL).await;
    let seen = told();
    assert!(
        matches!(&seen[..], [(EventKind::FleetUnreachable, why)] if why.contains("no right to acquire")),
        "{seen:?}"
    );
    assert!(shown().contains("no right to acquire"), "{}", shown());
    // Meanwhile the store is out of reach for all calls. The snapshot shows the last failure.
    it.net.cut(true);
    sleep(TTL).await;
    assert!(shown().contains("has not answered"), "{}", shown());
    it.net.cut(false);
    sleep(2 * TTL).await;
    assert!(shown().contains("no right to acquire"), "{}", shown());
    assert_eq!(told(), seen);
    it.net.refuse(None);
    sleep(TTL).await;
    assert!(matches!(told()[..], [_, (EventKind::FleetReachable, _)]), "{:?}", told());
    assert_eq!(shown(), "");
    for it in &replicas {
        it.tree.shutdown().await?;
    }
    log.check();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_store_that_panics_is_a_store_that_does_not_answer() -> Result {
    use taskvisor::fleet::{
        Claim, FencingToken, Fleet, LeaseError, LeaseKey, LeaseStore, SessionId, SessionSpec, StoreTime,
    };

    struct Broken;
    #[async_trait::async_trait]
    impl LeaseStore for Broken {
        async fn open(&self, _: &SessionSpec) -> std::result::Result<SessionId, LeaseError> {
            panic!("no store")
        }
        async fn renew(&self, _: SessionId) -> std::result::Result<StoreTime, LeaseError> {
            unreachable!()
        }
        async fn acquire(&self, _: SessionId, _: &[LeaseKey]) -> std::result::Result<Vec<Claim>, LeaseError> {
            unreachable!()
        }
        async fn release(&self, _: SessionId, _: &[(LeaseKey, FencingToken)]) -> std::result::Result<(), LeaseError> {
            unreachable!()
        }
        async fn mark(
            &self,
            _: SessionId,
            _: &LeaseKey,
            _: FencingToken,
            _: u64,
        ) -> std::result::Result<bool, LeaseError> {
            unreachable!()
        }
        async fn close(&self, _: SessionId) -> std::result::Result<(), LeaseError> {
            unreachable!()
        }
        async fn changed(&self) {
            panic!("no hints")
        }
    }
    let log = Log::new();
    let recorder = tests::Recorder::new();
    let tree = taskvisor::Tree::builder(taskvisor::SupervisorConfig::default())
        .with_subscriber(recorder.clone())
        .with_fleet(Fleet::new(Broken))
        .task(super::serve(&log, 0, "ledger").with_singleton())
        .build();
    tree.start().await?;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(log.runs().len(), 0);
    let told: Vec<_> = recorder.seen().into_iter().filter(|it| it.kind == EventKind::FleetUnreachable).collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].reason.as_deref().is_some_and(|reason| reason.contains("no store")), "{:?}", told[0].reason);
    tree.shutdown().await
}

/// The jitter of what is asked of the store comes from the seed.
#[tokio::test(start_paused = true)]
async fn t5_a_seed_gives_the_same_story() -> Result {
    async fn story(seed: u64) -> std::result::Result<Vec<String>, taskvisor::RuntimeError> {
        let net = Net::new(&LocalStore::new());
        let task = TaskFn::arc("ledger", |ctx: TaskContext| async move {
            ctx.cancelled().await;
            Ok(())
        });
        let tree = Tree::builder(SupervisorConfig::default())
            .with_fleet(Fleet::new(net.clone()).ttl(TTL))
            .task(TaskSpec::inherit(task).with_singleton())
            .build();
        tree.supervisor().seed_jitter(seed);
        let recorder = taskvisor::test::Recorder::attach(tree.supervisor());
        tree.start().await?;
        for _ in 0..3 {
            sleep(secs(60.0)).await;
            net.cut(true);
            sleep(secs(40.0)).await;
            net.cut(false);
        }
        tree.shutdown().await?;
        let leases = recorder.events().into_iter().filter(|event| event.kind == EventKind::LeaseLost);
        Ok(leases.map(|event| format!("{:?} {event}", event.at)).collect())
    }
    let told = story(7).await?;
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told, story(7).await?);
    assert_ne!(told, story(8).await?);
    Ok(())
}

/// The end of the session comes before the end of the time that its work has to clean up.
#[tokio::test(start_paused = true)]
async fn t5_work_that_stops_already_is_dropped_when_the_store_ends_the_session() -> Result {
    let (log, store) = (Log::new(), LocalStore::new());
    let mine = log.clone();
    let task = TaskFn::arc("deaf", move |ctx: TaskContext| {
        let log = mine.clone();
        async move {
            let token = ctx.fencing_token();
            let helper = log.begin(0, "helper", token);
            ctx.spawn(async move {
                let _helper = helper;
                std::future::pending::<()>().await;
            });
            let _running = log.begin(0, "deaf", token);
            std::future::pending::<()>().await;
            Ok(())
        }
    });
    let a = replica(&store, 0, |tree| tree.task(TaskSpec::inherit(task).with_singleton())).await?;
    // The next renewal is 4.5 to 5.5 s after the last one.
    sleep(secs(4.0)).await;
    a.net.expire(true);
    assert!(a.tree.child("deaf").current().is_some_and(|task| task.resign()));
    let (renewals, began) = (a.net.line.renewals.load(Ordering::Relaxed), log.start.elapsed());
    while a.net.line.renewals.load(Ordering::Relaxed) == renewals {
        assert_eq!((log.owners("deaf").len(), log.owners("helper").len()), (1, 1));
        sleep(secs(0.01)).await;
    }
    sleep(secs(0.1)).await;
    assert!(log.start.elapsed() < began + TTL / 5, "it still has time to clean up");
    assert_eq!((log.owners("deaf").len(), log.owners("helper").len()), (0, 0));
    a.net.expire(false);
    a.tree.shutdown().await
}
