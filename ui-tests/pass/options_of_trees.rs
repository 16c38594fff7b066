//! Every option of `#[subscriber]` and `task(..)`, `group(..)` and `defaults(..)`, and every key of `supervise!`,
//! compared with hand-written code. A test of the macros names those that are missing here. Slots are compared in a
//! file of their own.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use taskvisor::fleet::{Overrun, Standby, Ticks};
use taskvisor::prelude::*;
use taskvisor::{Dynamic, Group, JitterPolicy, Missed, Ready, Schedule, SpanScope, Strategy, Tree};

#[task]
async fn ping(_ctx: TaskContext) {}

#[task]
async fn poll(_token: CancellationToken) {}

#[task(restart = "always", ready = "signal", watchdog = "1s")]
async fn serve(ctx: TaskContext) {
    ctx.cancelled().await;
}

#[subscriber(name = "ear", queue = 16, crate = "taskvisor")]
async fn listen(_event: &Event, held: Arc<()>) {
    drop(held);
}

struct ByHand(Arc<()>);

#[taskvisor::async_trait]
impl Subscribe for ByHand {
    async fn on_event(&self, _event: &Event) {
        drop(Arc::clone(&self.0));
    }

    fn name(&self) -> &str {
        "ear"
    }

    fn queue_capacity(&self) -> usize {
        16
    }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[task(critical, significant, final_attempt, readiness = false, paused)]
async fn needed() {}

#[task(singleton, standby = "not_ready")]
async fn single() {}

async fn made_anew() -> Result<Vec<TaskSpec>, String> {
    Ok(vec![ping::spec()])
}

/// An entry or a slot, by a condition.
#[allow(dead_code)]
fn by_condition() -> impl std::ops::Deref<Target = Tree> {
    supervise!(
        slots = [
            #[cfg(any())]
            slot(poll),
        ],
        tasks = [
            #[cfg(not(any()))]
            poll {},
            task(serve {}, after = [poll]),
        ],
    )
}

fn made(held: Arc<()>) -> impl std::ops::Deref<Target = Tree> {
    let held_once = Arc::strong_count(&held) == 0;
    supervise!(
        name = "app",
        config = SupervisorConfig { bus_capacity: 17, ..SupervisorConfig::default() },
        grace = "11s",
        drain = "12s",
        max_concurrent = 13,
        max_starting = 130,
        fleet = Fleet::local().name("app"),
        limits = [limit(db, 131), limit(cpu, 132)],
        signals(force_after = "14s", interrupt = "drain", terminate = "stop"),
        strategy = rest_for_one(max_restarts = 14, within = "15s"),
        defaults(
            restart = "always",
            interval = "16s",
            timeout = "17s",
            stop_timeout = "18s",
            cleanup = "18500ms",
            start_timeout = "19s",
            max_retries = 20,
            zone = "Asia/Tokyo",
            backoff(first = "21s", max = "22s", factor = 2.3, jitter = "full", reset_after = "24s"),
        ),
        subscribers = [listen { held }],
        overrides = Overrides::from([("endless.ping.timeout", "71s")]),
        crate = taskvisor,
        tasks = [
            ping {},
            task(
                poll {},
                name = "often",
                restart = "always",
                every = "31s",
                initial_delay = "32s",
                timeout = "33s",
                stop_timeout = "34s",
                cleanup = "34500ms",
                metric_label = format!("{}", 34),
                final_attempt,
                readiness = false,
                paused,
                start_timeout = "35s",
                max_retries = 36,
                backoff(first = "37s", max = "38s", factor = 3.9, jitter = "equal", reset_after = "40s"),
                critical,
                ready = "first_success",
                unready_after = 43,
                splay = "44s",
                span = none,
                limit = db,
                after = [ping],
            ),
            task(serve {}, restart = "on_failure", ready = "completed", watchdog = "41s", significant),
            task(needed {}, critical = false, significant = false, final_attempt = false, readiness = true, paused = false),
            again = task(ping {}, restart = "always", interval = "42s"),
            scheduled = task(
                ping {},
                restart = "always",
                cron = "@hourly",
                zone = "local",
                splay = "43s",
                missed = "skip",
                late = "44s",
                last_run = SystemTime::UNIX_EPOCH,
            ),
            nightly = task(ping {}, restart = always, cron = "0 2 * * *", last_run = Some(SystemTime::UNIX_EPOCH)),
            never_run = task(ping {}, restart = always, cron = "0 3 * * *", last_run = None),
            task(single {}, singleton = false),
            owner = task(ping {}, singleton = "ledger", standby = "not_ready", overrun = "abort"),
            hourly = task(ping {}, restart = always, every = "1h", singleton, ticks = "at_least_once"),
            owned = group(singleton, standby = "not_ready", overrun = "abort", tasks = [ping {}]),
            keyed = group(singleton = String::from("key"), tasks = [ping {}]),
            everywhere = group(singleton = false, tasks = [ping {}]),
            by_flag = group(
                tasks = [
                    on = task(ping {}, singleton = !held_once, standby = "not_ready"),
                    off = task(ping {}, singleton = held_once, standby = "not_ready"),
                    by_key = task(ping {}, singleton = Some(String::from("flags"))),
                    by_none = task(ping {}, singleton = None::<&str>),
                    group_on = group(singleton = !held_once, tasks = []),
                    group_off = group(singleton = held_once, tasks = []),
                ],
            ),
            store = group(
                strategy = one_for_all(max_restarts = 51, within = "52s"),
                tasks = [task(ping {}, restart = "never", ready = "signal")],
                after = [ping, serve],
                restart = "never",
                max_concurrent = 53,
                max_starting = 54,
                dynamic = "drop",
                limit = cpu,
                critical = false,
                significant,
                readiness = false,
                paused = true,
            ),
            endless = group(tasks = [task(ping {}, critical = "any_end")], critical = "any_end"),
            fresh = group(fresh = made_anew, start_timeout = "66s"),
            last = group(
                restart = "on_failure",
                max_retries = 61,
                critical,
                significant = false,
                readiness = true,
                paused = false,
                backoff(first = "62s", max = "63s", factor = 6.4, jitter = "decorrelated", reset_after = "65s"),
            ),
        ],
    )
}

fn built(held: Arc<()>) -> Tree {
    let config = SupervisorConfig {
        bus_capacity: 17,
        grace: seconds(11),
        drain: seconds(12),
        max_concurrent: 13,
        signals: Signals {
            force_after: seconds(14),
            interrupt: SignalAction::Drain,
            terminate: SignalAction::Stop,
            ..Signals::default()
        },
        restart: RestartPolicy::Always { interval: Some(seconds(16)) },
        timeout: seconds(17),
        stop_timeout: Some(seconds(18)),
        cleanup: Some(Duration::from_millis(18_500)),
        start_timeout: seconds(19),
        max_retries: Some(20),
        zone: Some("Asia/Tokyo".into()),
        backoff: BackoffPolicy { first: seconds(21), max: seconds(22), factor: 2.3, jitter: JitterPolicy::Full },
        reset_after: Some(seconds(24)),
        ..SupervisorConfig::default()
    };
    let often = poll::spec()
        .with_name("often")
        .with_restart(RestartPolicy::Always { interval: None })
        .with_every(seconds(31))
        .with_initial_delay(seconds(32))
        .with_timeout(seconds(33))
        .with_stop_timeout(seconds(34))
        .with_cleanup(Duration::from_millis(34_500))
        .with_metric_label("34")
        .with_final_attempt()
        .without_readiness()
        .with_paused(true)
        .with_start_timeout(seconds(35))
        .with_max_retries(36)
        .with_backoff(BackoffPolicy {
            first: seconds(37),
            max: seconds(38),
            factor: 3.9,
            jitter: JitterPolicy::Equal,
        })
        .with_reset_after(seconds(40))
        .critical()
        .with_ready(Ready::FirstSuccess)
        .with_unready_after(43)
        .with_splay(seconds(44))
        .with_span(SpanScope::None)
        .with_named_limit("db")
        .with_after(["ping"]);
    let serve = serve::spec()
        .with_restart(RestartPolicy::OnFailure)
        .with_ready(Ready::Completed)
        .with_watchdog(seconds(41))
        .significant();
    let needed = needed::spec().not_critical().not_significant().without_final_attempt().with_readiness();
    let needed = needed.with_paused(false);
    assert!(!needed.is_critical() && !needed.is_significant() && !needed.has_final_attempt() && needed.has_readiness());
    let again = ping::spec().with_name("again").with_restart(RestartPolicy::Always { interval: Some(seconds(42)) });
    let on = |name, schedule| {
        let always = RestartPolicy::Always { interval: None };
        ping::spec().with_name(name).with_restart(always).with_schedule(schedule)
    };
    let scheduled = Schedule::cron("@hourly").zone("local").splay(seconds(43)).missed(Missed::Skip).late(seconds(44));
    let scheduled = on("scheduled", scheduled).with_last_run(SystemTime::UNIX_EPOCH);
    let nightly = on("nightly", Schedule::cron("0 2 * * *")).with_last_run(Some(SystemTime::UNIX_EPOCH));
    let never_run = on("never_run", Schedule::cron("0 3 * * *")).with_last_run(None);
    let owner = ping::spec().with_name("owner").with_singleton_key("ledger");
    let owner = owner.with_standby(Standby::NotReady).with_overrun(Overrun::Abort);
    let always = RestartPolicy::Always { interval: None };
    let hourly = ping::spec().with_name("hourly").with_restart(always).with_every(seconds(3_600));
    let hourly = hourly.with_singleton().with_ticks(Ticks::AtLeastOnce);
    let owned = Group::new("owned", Strategy::OneForOne).with_singleton().with_standby(Standby::NotReady);
    let owned = owned.with_overrun(Overrun::Abort).task(ping::spec());
    let keyed = Group::new("keyed", Strategy::OneForOne).with_singleton_key("key").task(ping::spec());
    let everywhere = Group::new("everywhere", Strategy::OneForOne).task(ping::spec());
    let by_flag = Group::new("by_flag", Strategy::OneForOne)
        .task(ping::spec().with_name("on").with_singleton().with_standby(Standby::NotReady))
        .task(ping::spec().with_name("off"))
        .task(ping::spec().with_name("by_key").with_singleton_key("flags"))
        .task(ping::spec().with_name("by_none"))
        .group(Group::new("group_on", Strategy::OneForOne).with_singleton())
        .group(Group::new("group_off", Strategy::OneForOne));
    let store = Group::new("store", Strategy::OneForAll)
        .with_limit(51, seconds(52))
        .with_max_concurrent(53)
        .with_max_starting(54)
        .with_dynamic(Dynamic::Drop)
        .with_named_limit("cpu")
        .task(ping::spec().with_restart(RestartPolicy::Never).with_ready(Ready::Signal))
        .with_after(["ping", "serve"])
        .with_restart(RestartPolicy::Never)
        .not_critical()
        .significant()
        .without_readiness()
        .with_paused(true);
    let endless = Group::new("endless", Strategy::OneForOne)
        .task(ping::spec().critical_at_any_end().with_timeout(seconds(71)))
        .critical_at_any_end();
    let fresh = Group::new("fresh", Strategy::OneForOne).fresh(made_anew).with_start_timeout(seconds(66));
    let last = Group::new("last", Strategy::OneForOne)
        .with_restart(RestartPolicy::OnFailure)
        .with_max_retries(61)
        .with_backoff(BackoffPolicy {
            first: seconds(62),
            max: seconds(63),
            factor: 6.4,
            jitter: JitterPolicy::Decorrelated,
        })
        .with_reset_after(seconds(65))
        .critical()
        .not_significant()
        .with_readiness()
        .with_paused(false);
    Tree::builder(config)
        .with_name("app")
        .with_strategy(Strategy::RestForOne)
        .with_limit(14, seconds(15))
        .with_max_starting(130)
        .with_fleet(Fleet::local().name("app"))
        .with_named_limit("db", 131)
        .with_named_limit("cpu", 132)
        .with_subscriber(ByHand(held))
        .task(ping::spec())
        .task(often)
        .task(serve)
        .task(needed)
        .task(again)
        .task(scheduled)
        .task(nightly)
        .task(never_run)
        .task(single::spec().without_singleton())
        .task(owner)
        .task(hourly)
        .group(owned)
        .group(keyed)
        .group(everywhere)
        .group(by_flag)
        .group(store)
        .group(endless)
        .group(fresh)
        .group(last)
        .build()
}

fn main() {
    let (of_macro, of_builder) = (Arc::new(()), Arc::new(()));
    let (made, built) = (made(Arc::clone(&of_macro)), built(Arc::clone(&of_builder)));
    assert_eq!(format!("{:#?}", *made), format!("{built:#?}"));
    // Each tree holds its subscriber.
    assert_eq!((Arc::strong_count(&of_macro), Arc::strong_count(&of_builder)), (2, 2));

    let (of_macro, by_hand) = (listen { held: Arc::default() }, ByHand(Arc::default()));
    assert_eq!((of_macro.name(), of_macro.queue_capacity()), (by_hand.name(), by_hand.queue_capacity()));
}
