//! What the macros say of a fleet, run in two replicas.

use taskvisor::fleet::{Fleet, LocalStore, Overrun, Standby, Ticks};
use taskvisor::test::set_wall_clock;
use taskvisor::{
    Group, Missed, RestartPolicy, SupervisorConfig, TaskContext, TaskSpec, TaskState, Tree, supervise, task,
};
use tokio::time::sleep;

use super::{Log, Result, TTL, secs, serve};

#[task]
async fn ledger(ctx: TaskContext, log: Log, replica: usize) {
    let _running = log.begin(replica, "ledger", ctx.fencing_token());
    ctx.cancelled().await;
}

#[task]
async fn feed(ctx: TaskContext, log: Log, replica: usize, of: &'static str) {
    let _running = log.begin(replica, of, ctx.fencing_token());
    ctx.cancelled().await;
}

#[task(restart = "always", every = "1h", singleton, missed = "once")]
async fn report(ctx: TaskContext, log: Log, replica: usize) {
    drop(log.begin(replica, "report", ctx.fencing_token()));
}

#[task(singleton = "owner", standby = "not_ready", overrun = "abort")]
async fn owner() {}

/// Starts a replica of the tree, which has all that a fleet is for.
macro_rules! replica {
    ($store:expr, $log:expr, $replica:expr) => {{
        let fleet = Fleet::new($store.clone()).name("billing").ttl(TTL);
        let (log, replica) = ($log.clone(), $replica);
        let tree = supervise!(
            signals = false,
            fleet = fleet,
            tasks = [
                task(ledger { log: log.clone(), replica }, singleton),
                feeds = group(
                    singleton,
                    tasks = [
                        orders = feed { log: log.clone(), replica, of: "orders" },
                        task(feed { log: log.clone(), replica, of: "prices" }, after = [orders]),
                    ],
                ),
                report { log: log.clone(), replica },
                everywhere = task(report { log: Log::new(), replica }, singleton = false),
            ],
            slots = [slot(deploy, fleet), slot(computed, fleet = replica < 9), slot(local, fleet = false)],
        );
        tree.start().await?;
        tree
    }};
}

#[tokio::test(start_paused = true)]
async fn t5_a_fleet_is_said_by_the_macros() -> Result {
    // The ticks of `report` are the full hours.
    set_wall_clock("2026-05-05T12:10:00Z");
    let (store, log) = (LocalStore::new(), Log::new());
    let first = replica!(store, log, 0);
    sleep(secs(0.2)).await;
    let second = replica!(store, log, 1);
    sleep(secs(1.0)).await;
    for what in ["ledger", "orders", "prices"] {
        assert_eq!(log.owners(what), [0], "{what}");
    }
    assert_eq!(second.tasks.ledger.status().map(|status| status.state), Some(TaskState::Standby));
    assert_eq!(second.groups.feeds.status(), Some(TaskState::Standby));

    // One job of the slot runs in both replicas together.
    let job = first.slots.deploy.submit(serve(&log, 0, "deploy")).await?;
    sleep(secs(1.0)).await;
    let waits = second.slots.deploy.submit(serve(&log, 1, "deploy")).await?;
    sleep(secs(1.0)).await;
    assert_eq!(log.owners("deploy"), [0]);
    assert_eq!(waits.status().state, TaskState::Standby);
    assert!(job.cancel().await?);
    sleep(TTL).await;
    assert_eq!(log.owners("deploy"), [1]);

    // The flag can be computed, and undone.
    let everywhere = Log::new();
    for (n, slots) in [[&first.slots.computed, &first.slots.local], [&second.slots.computed, &second.slots.local]]
        .into_iter()
        .enumerate()
    {
        slots[0].submit(serve(&log, n, "computed")).await?;
        slots[1].submit(serve(&everywhere, n, "local")).await?;
    }
    sleep(secs(1.0)).await;
    assert_eq!((log.owners("computed"), everywhere.owners("local")), (vec![0], vec![0, 1]));

    // Each tick in one replica.
    sleep(secs(3.0 * 3_600.0)).await;
    assert_eq!(log.runs().iter().filter(|run| run.what == "report").count(), 3);

    first.shutdown().await?;
    sleep(secs(1.0)).await;
    for what in ["ledger", "orders", "prices"] {
        assert_eq!(log.owners(what), [1], "{what}");
    }
    second.shutdown().await?;
    log.check();
    Ok(())
}

/// With `Fleet::local()` nobody else takes the key, so the process has it again, by a new taking.
#[tokio::test(start_paused = true)]
async fn t5_the_typed_handles_of_tasks_and_groups_hand_over() -> Result {
    let log = Log::new();
    let tree = supervise!(
        signals = false,
        fleet = Fleet::local().ttl(TTL),
        tasks = [
            task(ledger { log: log.clone(), replica: 0 }, singleton),
            feeds = group(singleton, tasks = [orders = feed { log: log.clone(), replica: 0, of: "orders" }]),
            alone = feed { log: Log::new(), replica: 0, of: "alone" },
        ],
    );
    assert!(!tree.tasks.ledger.resign() && !tree.groups.feeds.resign(), "nothing is held before the start");
    tree.start().await?;
    sleep(secs(1.0)).await;
    assert!(tree.tasks.ledger.resign());
    assert!(tree.groups.feeds.resign());
    assert!(!tree.tasks.alone.resign(), "it is no singleton");
    sleep(secs(1.0)).await;
    let runs = |what: &str| log.runs().into_iter().filter(|run| run.what == what).collect::<Vec<_>>();
    for what in ["ledger", "orders"] {
        assert!(matches!(&runs(what)[..], [first, ..] if first.to.is_some()), "{what}: {:?}", runs(what));
    }
    sleep(TTL).await;
    for what in ["ledger", "orders"] {
        assert!(matches!(&runs(what)[..], [first, next] if first.token < next.token), "{what}: {:?}", runs(what));
        assert_eq!(log.owners(what), [0]);
    }
    tree.shutdown().await?;
    log.check();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_the_options_are_those_of_the_setters() {
    let log = Log::new();
    let said = supervise!(
        fleet = Fleet::local().name("said"),
        tasks = [
            again = task(owner {}, singleton),
            task(owner {}, singleton = "other", standby = "ready"),
            none = task(owner {}, singleton = false),
            hourly = task(
                feed { log: log.clone(), replica: 0, of: "a" },
                restart = "always",
                every = "1h",
                singleton,
                missed = "skip",
                late = "1m",
                ticks = "at_least_once",
            ),
            feeds = group(singleton = "key", standby = "not_ready", overrun = "abort", tasks = []),
        ],
    );
    let set = |spec: TaskSpec| spec.with_standby(Standby::NotReady).with_overrun(Overrun::Abort);
    let hourly = feed::spec(log.clone(), 0, "a")
        .with_name("hourly")
        .with_restart(RestartPolicy::Always { interval: None })
        .with_every(secs(3_600.0))
        .with_singleton()
        .with_missed(Missed::Skip)
        .with_late(secs(60.0))
        .with_ticks(Ticks::AtLeastOnce);
    let by_hand = Tree::builder(SupervisorConfig::default())
        .with_fleet(Fleet::local().name("said"))
        // An option that stands alone replaces what it says, and not the others.
        .task(set(owner::spec().with_name("again")).with_singleton())
        .task(set(owner::spec()).with_singleton_key("other").with_standby(Standby::Ready))
        .task(owner::spec().with_name("none").without_singleton())
        .task(hourly)
        .group(
            Group::one_for_one("feeds")
                .with_singleton_key("key")
                .with_standby(Standby::NotReady)
                .with_overrun(Overrun::Abort),
        )
        .build();
    let said = format!("{:#?}", *said);
    assert_eq!(said, format!("{by_hand:#?}"));
    for part in ["NotReady", "Abort", "AtLeastOnce", "\"other\"", "\"key\""] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[tokio::test(start_paused = true)]
async fn t5_a_setter_of_a_singleton_keeps_the_others() {
    let spec = owner::spec();
    assert_eq!(format!("{spec:?}"), format!("{:?}", owner::spec().with_singleton().with_singleton_key("owner")));
    assert!(!spec.without_singleton().is_singleton());
    let group = || Group::one_for_one("feeds").with_standby(Standby::NotReady);
    assert_eq!(format!("{:?}", group()), format!("{:?}", group().with_singleton_key("key").with_singleton()));
    let never = Group::one_for_one("feeds");
    assert_eq!(format!("{never:?}"), format!("{:?}", group().without_singleton()));
}
