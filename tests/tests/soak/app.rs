//! The tree: one of each feature.

use std::sync::Arc;

use taskvisor::fleet::{Fleet, LocalStore};
use taskvisor::inbox::Sender;
use taskvisor::{
    AdmissionPolicy, BackoffPolicy, ControllerConfig, Dynamic, Group, History, JitterPolicy, Missed, Ready,
    RestartPolicy, SlotSpec, SupervisorConfig, TaskError, TaskSpec, Tree, inbox,
};
use tests::{ALWAYS, secs};

use crate::ledger::Ledger;
use crate::net::Net;
use crate::rules;
use crate::work::{Kind, Works};
use crate::world::{Bounds, Life, World};

/// A replica of the service, with its ledger.
pub(crate) struct Replica {
    pub(crate) life: Life,
    pub(crate) tree: Tree,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) net: Net,
    pub(crate) works: Works,
    pub(crate) messages: Sender<u64>,
}

/// A group whose tasks have all ended starts again, so that the chaos does not run dry.
const AGAIN: RestartPolicy = RestartPolicy::Always { interval: Some(secs(300)) };

fn backoff(first: u64) -> BackoffPolicy {
    BackoffPolicy { first: secs(first), max: secs(600), factor: 2.0, jitter: JitterPolicy::Equal }
}

fn db() -> Bounds {
    Bounds { limits: vec![("db".into(), rules::DB)], lease: None }
}

fn inner() -> Bounds {
    Bounds { limits: vec![("db".into(), rules::DB), ("inner".into(), rules::INNER)], lease: None }
}

fn lease(key: &'static str) -> Bounds {
    Bounds { limits: Vec::new(), lease: Some(key) }
}

/// The bounds of a submission to `uploads`.
pub(crate) fn upload(key: &str) -> Bounds {
    let limits = vec![(format!("uploads {key}"), rules::UPLOADS.0), ("uploads".into(), rules::UPLOADS.1)];
    Bounds { limits, lease: None }
}

fn store(works: &Works) -> Group {
    let pool = works.plain("pool", Kind::Server).with_ready(Ready::Signal).with_watchdog(secs(900));
    let migrate = works.plain("migrate", Kind::Job).with_ready(Ready::Completed).with_restart(RestartPolicy::OnFailure);
    Group::rest_for_one("store")
        .with_limit(6, secs(600))
        .with_backoff(backoff(5))
        .with_restart(AGAIN)
        .not_critical()
        .task(pool.with_restart(ALWAYS))
        .task(migrate.with_timeout(secs(30)))
        .task(works.plain("writer", Kind::Daemon).with_restart(ALWAYS).with_watchdog(secs(1200)))
}

fn feeds(works: &Works) -> Group {
    let task = |name: &str, bounds: Bounds| works.task(name, Kind::Daemon, bounds).with_timeout(secs(7200));
    let nested = Group::one_for_one("inner")
        .with_max_concurrent(rules::INNER)
        .with_after(["a"])
        .with_restart(AGAIN)
        .not_critical()
        .task(task("c", inner()).with_named_limit("db"))
        .task(task("d", inner()).with_named_limit("db"))
        .task(task("e", inner()).with_named_limit("db").with_limit(3, secs(3600)));
    Group::one_for_all("feeds")
        .with_limit(20, secs(3600))
        .with_backoff(backoff(2))
        .with_restart(AGAIN)
        .not_critical()
        .task(task("a", db()).with_named_limit("db"))
        .task(task("b", Bounds::default()).with_after(["a"]))
        .group(nested)
}

/// A group whose children are new ones in each run.
fn fresh(works: &Works) -> Group {
    let works = works.clone();
    let make = move || {
        let works = works.clone();
        async move {
            let (fails, children) = works.world.random(|random| (random.u8(..10), random.usize(1..4)));
            if fails == 0 && !works.world.is_calm() {
                return Err(TaskError::Fail { reason: "not made".into() });
            }
            let children = if works.world.is_calm() { 2 } else { children };
            Ok((0..children).map(|n| works.plain(&format!("f{n}"), Kind::Daemon)).collect::<Vec<TaskSpec>>())
        }
    };
    Group::one_for_one("fresh")
        .fresh(make)
        .with_limit(1, secs(600))
        .with_backoff(backoff(3))
        .with_restart(AGAIN)
        .not_critical()
}

fn leaders(works: &Works) -> Group {
    Group::one_for_one("leaders")
        .with_singleton()
        .with_restart(AGAIN)
        .not_critical()
        .task(works.task("first", Kind::Daemon, lease("leaders/first")).with_timeout(secs(3600)))
        .task(
            works.task("second", Kind::Daemon, lease("leaders/second")).with_after(["first"]).with_watchdog(secs(900)),
        )
}

fn config() -> SupervisorConfig {
    SupervisorConfig {
        grace: rules::GRACE,
        stop_timeout: Some(secs(10)),
        restart: RestartPolicy::OnFailure,
        backoff: backoff(1),
        max_concurrent: rules::ALL,
        ..SupervisorConfig::default()
    }
}

impl Replica {
    pub(crate) async fn start(world: &Arc<World>, store_of_leases: &LocalStore, life: Life, is_long: bool) -> Self {
        let works = Works { world: Arc::clone(world), life };
        let ledger = Ledger::new(world, life, is_long);
        let net = Net::new(store_of_leases);
        let fleet = Fleet::new(net.clone()).name("soak").label(format!("life {life}")).ttl(secs(120));
        let (messages, receiver) = inbox::<u64>(64);
        let each = |seconds| RestartPolicy::Always { interval: Some(secs(seconds)) };
        let nightly =
            works.plain("nightly", Kind::Job).with_restart(ALWAYS).with_cron("7 */2 * * *").with_splay(secs(120));
        let uploads = SlotSpec::new("uploads")
            .with_keys()
            .with_concurrency(rules::UPLOADS.0)
            .with_max_concurrent(rules::UPLOADS.1)
            .with_rate(rules::RATE.0, rules::RATE.1)
            .with_capacity(8);
        let report = SlotSpec::new("report")
            .with_admission(AdmissionPolicy::Latest)
            .with_debounce(secs(20))
            .with_debounce_max(secs(90));
        let tree = Tree::builder(config())
            .with_subscriber(Arc::clone(&ledger) as Arc<dyn taskvisor::Subscribe>)
            .with_subscriber(History::new().with_attempts(5).with_paths(50))
            .with_fleet(fleet)
            .with_controller(ControllerConfig { queue_capacity: 40, ..ControllerConfig::default() })
            .with_named_limit("db", rules::DB_DECLARED)
            .with_overrides([("limits.db", rules::DB.to_string()), ("sync.interval", "7m".to_owned())])
            .with_slot(uploads)
            .with_slot(SlotSpec::new("mail").with_capacity(5))
            .with_slot(report)
            .with_slot(SlotSpec::new("deploy").with_fleet())
            .group(store(&works))
            .group(feeds(&works))
            .group(fresh(&works))
            .group(Group::one_for_one("tenants").with_max_starting(rules::STARTING).with_restart(AGAIN).not_critical())
            .group(
                Group::one_for_all("guests")
                    .with_dynamic(Dynamic::Drop)
                    .with_limit(2, secs(900))
                    .with_restart(AGAIN)
                    .not_critical(),
            )
            .group(leaders(&works))
            .task(
                works.plain("serve", Kind::Daemon).with_restart(ALWAYS).with_after(["store"]).with_timeout(secs(9000)),
            )
            .task(works.plain("sync", Kind::Job).with_restart(each(60)).with_timeout(secs(60)))
            .task(works.plain("poll", Kind::Job).with_restart(ALWAYS).with_every(secs(600)).with_timeout(secs(30)))
            .task(nightly.with_missed(Missed::Once).with_timeout(secs(300)))
            .task(
                works
                    .task("ledger", Kind::Daemon, lease("ledger"))
                    .with_singleton()
                    .with_restart(ALWAYS)
                    .with_watchdog(secs(900)),
            )
            .task(works.reader("reader", &receiver).with_restart(ALWAYS))
            .build();
        tree.supervisor().seed_jitter(world.seed ^ u64::from(life));
        tree.start().await.unwrap();
        Self { life, tree, ledger, net, works, messages }
    }
}
