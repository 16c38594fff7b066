//! The events of leases in a shutdown.

use taskvisor::fleet::{Fleet, LocalStore};
use taskvisor::{EventKind, Group, SlotSpec, SupervisorConfig, TaskContext, TaskFn, TaskSpec, TaskState, Tree};
use tests::Recorder;
use tokio::time::{Instant, sleep};

use super::{Log, Net, Replica, TTL, replica, secs, serve};

const PATHS: [&str; 4] = ["import", "ledger", "feeds", "job"];

/// A replica that holds four leases, after a second.
async fn owner(log: &Log) -> std::result::Result<Replica, Box<dyn std::error::Error>> {
    let (import, ledger) = (serve(log, 0, "import").with_singleton(), serve(log, 0, "ledger").with_singleton());
    let feeds = Group::one_for_one("feeds").with_singleton().task(serve(log, 0, "a")).task(serve(log, 0, "b"));
    let slot = SlotSpec::new("deploy").with_fleet();
    let it = replica(&LocalStore::new(), 0, |tree| tree.task(import).task(ledger).group(feeds).with_slot(slot)).await?;
    it.tree.slot("deploy").submit(serve(log, 0, "job")).await?;
    sleep(secs(1.0)).await;
    Ok(it)
}

fn count(it: &Replica, kind: EventKind) -> [usize; 4] {
    PATHS.map(|path| it.count(kind, path))
}

#[tokio::test(start_paused = true)]
async fn t5_a_shutdown_tells_each_lease_that_it_gives_back_once() -> std::result::Result<(), Box<dyn std::error::Error>>
{
    let log = Log::new();
    let it = owner(&log).await?;
    assert_eq!((count(&it, EventKind::LeaseAcquired), count(&it, EventKind::LeaseReleased)), ([1; 4], [0; 4]));
    it.tree.shutdown().await?;
    assert_eq!(count(&it, EventKind::LeaseReleased), [1; 4]);
    let seen = it.recorder.seen();
    let at = |kind| seen.iter().rposition(|event| event.kind == kind);
    assert!(at(EventKind::LeaseReleased) < at(EventKind::AllStoppedWithinGrace), "{seen:?}");
    log.check();
    Ok(())
}

/// Nobody knows whether the store has carried anything out.
#[tokio::test(start_paused = true)]
async fn t5_a_shutdown_tells_no_release_that_the_store_has_not_answered()
-> std::result::Result<(), Box<dyn std::error::Error>> {
    for sever in [Net::cut, Net::mute] {
        let log = Log::new();
        let it = owner(&log).await?;
        sever(&it.net, true);
        it.tree.shutdown().await?;
        assert_eq!(count(&it, EventKind::LeaseReleased), [0; 4]);
        // Both were tried.
        assert!(it.net.calls().ends_with(&["release", "close"]), "{:?}", it.net.calls());
    }
    Ok(())
}

/// The end of the session frees its keys.
#[tokio::test(start_paused = true)]
async fn t5_a_shutdown_tells_the_releases_of_the_close_if_that_of_the_keys_was_not_answered()
-> std::result::Result<(), Box<dyn std::error::Error>> {
    let log = Log::new();
    let it = owner(&log).await?;
    it.net.mute(true);
    let shutdown = it.tree.shutdown();
    let heal = async {
        sleep(secs(1.0)).await;
        it.net.mute(false);
    };
    tokio::join!(shutdown, heal).0?;
    assert_eq!(count(&it, EventKind::LeaseReleased), [1; 4]);
    Ok(())
}

/// A store that does not answer holds a shutdown up to the end of its grace, but at least for 500 ms after the work, and
/// at most for two calls. It is told.
#[tokio::test(start_paused = true)]
async fn t5_a_shutdown_whose_store_does_not_answer_ends_with_its_grace()
-> std::result::Result<(), Box<dyn std::error::Error>> {
    for (grace, work, ends) in
        [(0.1, 0.0, 0.5), (0.3, 0.2, 0.7), (2.0, 0.0, 2.0), (2.0, 1.0, 2.0), (2.0, 1.8, 2.3), (30.0, 0.0, 6.0)]
    {
        for sever in [Net::cut, Net::mute] {
            let (net, recorder) = (Net::new(&LocalStore::new()), Recorder::new());
            let task = TaskFn::arc("ledger", move |ctx: TaskContext| async move {
                ctx.cancelled().await;
                sleep(secs(work)).await;
                Ok(())
            });
            let config = SupervisorConfig { grace: secs(grace), ..SupervisorConfig::default() };
            let tree = Tree::builder(config)
                .with_subscriber(recorder.clone())
                .with_fleet(Fleet::new(net.clone()).ttl(TTL))
                .task(TaskSpec::inherit(task).with_singleton())
                .build();
            tree.start().await?;
            sleep(secs(1.0)).await;
            assert_eq!(tree.child("ledger").status().expect("it is registered").state, TaskState::Running);
            sever(&net, true);
            let began = Instant::now();
            tree.shutdown().await?;
            let took = began.elapsed();
            let (least, most) = (secs(ends), secs(ends + 0.02));
            assert!((least..most).contains(&took), "grace {grace}, work {work}: {took:?}");
            let kinds = recorder.kinds();
            assert_eq!(recorder.count(EventKind::FleetUnreachable), 1, "grace {grace}, work {work}: {kinds:?}");
            assert_eq!(kinds.last(), Some(&EventKind::AllStoppedWithinGrace));
        }
    }
    Ok(())
}
