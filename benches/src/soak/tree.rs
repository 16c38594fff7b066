//! The tree: one of each feature.

use std::sync::Arc;
use std::time::Duration;

use taskvisor::fleet::{Fleet, LocalStore};
use taskvisor::prelude::*;
use taskvisor::{Dynamic, History, Subscribe};
use tokio::signal::unix::{SignalKind, signal};

use crate::work::{Kind, Works, load, ms, own_thread, pool_thread, serve};
use crate::world::Bounds;

const DB: Bounds = Bounds { limit: Some(("db", 3)), lease: None };
/// Submissions to `uploads` that run at once.
pub(crate) const UPLOADS: Bounds = Bounds { limit: Some(("uploads", 4)), lease: None };
pub(crate) const DEPLOY: Bounds = Bounds { limit: None, lease: Some("deploy") };
pub(crate) const GRACE: Duration = Duration::from_secs(20);

/// A group whose tasks have all ended starts again, so that the soak does not run dry.
const AGAIN: RestartPolicy = RestartPolicy::Always { interval: Some(Duration::from_millis(300)) };
const ALWAYS: RestartPolicy = RestartPolicy::Always { interval: Some(Duration::from_millis(20)) };

fn backoff(first: u64) -> BackoffPolicy {
    BackoffPolicy { first: ms(first), max: ms(400), factor: 2.0, jitter: JitterPolicy::Equal }
}

fn group(group: Group) -> Group {
    group.with_backoff(backoff(20)).with_restart(AGAIN).not_critical()
}

/// Makes the tenants equal to a drawn list, at each SIGHUP.
fn configure(works: &Works) -> TaskSpec {
    let works = works.clone();
    let task = TaskFn::arc("configure", move |ctx: TaskContext| {
        let works = works.clone();
        async move {
            let mut hangup = signal(SignalKind::hangup()).map_err(TaskError::error)?;
            ctx.ready();
            while ctx.run_until_cancelled(hangup.recv()).await.is_some() {
                let specs: Vec<_> = (0..12).filter(|_| fastrand::u8(..10) < 7).map(|n| tenant(&works, n)).collect();
                drop(ctx.supervisor().group("tenants").reconcile(specs).await);
            }
            Ok(())
        }
    });
    TaskSpec::inherit(task).with_restart(ALWAYS).with_ready(Ready::Signal)
}

fn tenant(works: &Works, n: u32) -> TaskSpec {
    let spec = works.plain(&format!("t{n}"), Kind::Server).with_ready(Ready::Signal).with_restart(ALWAYS);
    spec.with_timeout(Duration::from_secs(5)).with_revision(fastrand::u32(..3))
}

fn leaders(works: &Works) -> Group {
    let bounds = |lease| Bounds { limit: None, lease: Some(lease) };
    group(Group::one_for_one("leaders"))
        .with_singleton()
        .task(works.task("first", Kind::Daemon, bounds("first")).with_watchdog(ms(800)))
        .task(works.task("second", Kind::Daemon, bounds("second")).with_after(["first"]).with_watchdog(ms(800)))
}

/// A group whose children are new ones in each run.
fn fresh(works: &Works) -> Group {
    let works = works.clone();
    let make = move || {
        let works = works.clone();
        async move {
            if fastrand::u8(..10) == 0 {
                return Err(TaskError::Fail { reason: "not made".into() });
            }
            let children = fastrand::usize(1..4);
            Ok((0..children).map(|n| works.plain(&format!("f{n}"), Kind::Daemon)).collect::<Vec<TaskSpec>>())
        }
    };
    group(Group::one_for_one("fresh")).fresh(make).with_limit(5, ms(2000))
}

fn fleet(store: &LocalStore, works: &Works) -> Fleet {
    Fleet::new(store.clone()).name("soak").label(format!("life {}", works.life)).ttl(Duration::from_secs(3))
}

fn config() -> SupervisorConfig {
    SupervisorConfig {
        grace: GRACE,
        stop_timeout: Some(Duration::from_secs(2)),
        restart: RestartPolicy::OnFailure,
        backoff: backoff(10),
        ..SupervisorConfig::default()
    }
}

/// The tree that lives as long as the soak.
pub(crate) fn long(works: &Works, store: &LocalStore, subscribers: [Arc<dyn Subscribe>; 2]) -> Tree {
    let limited = |name: &str| works.task(name, Kind::Daemon, DB).with_named_limit("db").with_timeout(ms(4000));
    let pool = works.plain("pool", Kind::Server).with_ready(Ready::Signal).with_watchdog(ms(800));
    let inner = group(Group::one_for_one("inner")).task(limited("c")).task(limited("d")).task(limited("e"));
    let [ledger, slow] = subscribers;
    let mut builder = Tree::builder(config())
        .with_subscriber(ledger)
        .with_subscriber(slow)
        .with_subscriber(History::new().with_attempts(5).with_paths(50))
        .with_fleet(fleet(store, works))
        .with_controller(ControllerConfig { queue_capacity: 100, ..ControllerConfig::default() })
        .with_named_limit("db", 3)
        .with_slot(SlotSpec::new("uploads").with_keys().with_concurrency(2).with_max_concurrent(4).with_capacity(20))
        .with_slot(SlotSpec::new("mail").with_capacity(20).with_rate(50, Duration::from_secs(1)))
        .with_slot(SlotSpec::new("report").with_admission(AdmissionPolicy::Latest).with_debounce(ms(50)))
        .with_slot(SlotSpec::new("deploy").with_fleet().with_capacity(5))
        .group(
            group(Group::rest_for_one("store"))
                .with_limit(20, ms(2000))
                .task(pool.with_restart(ALWAYS))
                .task(works.plain("writer", Kind::Daemon).with_restart(ALWAYS).with_watchdog(ms(800))),
        )
        .group(
            group(Group::one_for_all("feeds"))
                .with_limit(20, ms(2000))
                .task(limited("a"))
                .task(works.plain("b", Kind::Daemon).with_after(["a"]).with_watchdog(ms(800)))
                .group(inner.with_after(["a"])),
        )
        .group(fresh(works))
        .group(group(Group::one_for_one("tenants")).with_max_starting(3))
        .group(group(Group::one_for_all("guests")).with_dynamic(Dynamic::Drop).with_limit(10, ms(2000)))
        .group(leaders(works))
        .task(
            works
                .plain("poll", Kind::Job)
                .with_restart(RestartPolicy::Always { interval: None })
                .with_every(ms(150))
                .with_timeout(ms(500)),
        )
        .task(configure(works))
        .task(serve { works: works.clone() })
        .task(own_thread { works: works.clone() }.into_task_spec().with_name("own-0"))
        .task(own_thread { works: works.clone() }.into_task_spec().with_name("own-1"));
    for n in 0..4 {
        builder = builder
            .task(pool_thread { works: works.clone() }.into_task_spec().with_name(format!("pool-{n}")))
            .task(load { works: works.clone() }.into_task_spec().with_name(format!("load-{n}")));
    }
    builder.build()
}

/// A replica that lives for some seconds, and takes leases over.
pub(crate) fn short(works: &Works, store: &LocalStore) -> Tree {
    Tree::builder(config()).with_fleet(fleet(store, works)).group(leaders(works)).build()
}
