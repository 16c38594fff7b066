//! Every option of `#[task]`, compared with the spec that the setters make. A test of the macros names the options that
//! are missing here.

use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use taskvisor::fleet::{Overrun, Standby, Ticks};
use taskvisor::prelude::*;
use taskvisor::{BackoffPolicy, JitterPolicy, Missed, Ready, RestartPolicy, Schedule, SpanScope, TaskSpec};

const POLL: Duration = Duration::from_millis(1500);
const NAME: &str = "by_constant";

#[task]
async fn plain() {}

#[task(
    name = "renamed",
    restart = "always",
    interval = "1h30m",
    initial_delay = "250ms",
    timeout = "1.5s",
    stop_timeout = "0s",
    cleanup = "2s",
    metric_label = "literal",
    max_retries = 3,
    limit(max_restarts = 5, within = "60s"),
    backoff(
        first = "10us",
        max = "1d",
        factor = 2.5,
        jitter = "decorrelated",
        reset_after = "90s",
    )
)]
async fn literals(_ctx: TaskContext) {}

#[task(
    name = NAME,
    restart = "always",
    every = POLL * 2,
    initial_delay = Duration::from_secs(1),
    timeout = POLL,
    stop_timeout = { POLL },
    cleanup = POLL,
    metric_label = format!("{NAME}-{}", 1),
    max_retries = u32::MAX - 1,
    limit(max_restarts = 1 + 1, within = POLL),
    backoff(first = POLL, max = POLL, factor = f64::from(2_u8), reset_after = POLL),
)]
async fn expressions(_token: CancellationToken) {}

#[task(ready = "start", critical, significant = true, final_attempt, readiness = false, paused)]
async fn flags() {}

#[task(ready = "signal", start_timeout = "90s", watchdog = POLL, critical = true, significant)]
async fn signalled(ctx: TaskContext) {
    ctx.cancelled().await;
}

#[task(ready = "completed", critical = false, significant = false, final_attempt = false, readiness = true, paused = false)]
async fn completed() {}

#[task(critical = "any_end", restart = "never", timeout = Duration::ZERO)]
async fn never() {}

#[task(restart = "always", ready = "first_success", unready_after = 3, critical = any_end)]
async fn repeats() {}

#[task(restart = "always", every = "1m", splay = "10s", span = "none")]
async fn shifted() {}

#[task(
    restart = "always",
    cron = "30 2 * * mon-fri",
    zone = "Europe/Berlin",
    splay = "10m",
    missed = "skip",
    late = "45s",
)]
async fn nightly() {}

const PATTERN: &str = "@daily";

#[task(
    restart = RestartPolicy::Always { interval: None },
    cron = PATTERN,
    zone = format!("{}/{}", "Asia", "Tokyo"),
    missed = Missed::Once,
    late = POLL,
)]
async fn by_expressions() {}

#[task(restart = always, cron = r"0 8 1,L * *", missed = once, ready = start)]
async fn monthly() {}

#[task(restart = always, ready = first_success, unready_after = u32::MAX - 1, start_timeout = "5s")]
async fn repeats_by_words() {}

#[task(restart = "on_failure", backoff(max = "1s"))]
async fn on_failure() {}

#[task(restart = "always", backoff(factor = 2, jitter = "full"))]
async fn always() {}

#[task(restart = "always", interval = "0s", backoff(jitter = "equal"), max_retries = 0)]
async fn yielding() {}

#[task(backoff(jitter = "none"))]
async fn without_jitter() {}

#[task(backoff())]
async fn default_backoff() {}

fn is_transient(error: &String) -> bool {
    error == "busy"
}

#[task(retry_if = is_transient, max_retries = 1, backoff(first = "1ms"))]
async fn asked(error: &'static str) -> Result<(), String> {
    Err(error.to_owned())
}

#[task(blocking, struct = Blocked, crate = "taskvisor")]
fn blocked(threads: Arc<Mutex<Vec<ThreadId>>>) {
    threads.lock().unwrap().push(thread::current().id());
}

#[task(restart = "always", every = "1h", singleton, missed = "skip", late = "45s", ticks = "at_least_once")]
async fn once() {}

#[task(singleton = "key", standby = "not_ready", overrun = "abort")]
async fn owner() {}

#[task(singleton = format!("{NAME}-1"), standby = Standby::Ready, overrun = report, ticks = Ticks::AtMostOnce, restart = always, cron = PATTERN)]
async fn owner_by_expressions() {}

#[task(singleton = false)]
async fn in_every_replica() {}

fn assert_same(made: &TaskSpec, expected: &TaskSpec) {
    assert_eq!(made.name(), expected.name());
    assert_eq!(made.restart(), expected.restart());
    assert_eq!(made.every(), expected.every());
    assert_eq!(made.initial_delay(), expected.initial_delay());
    assert_eq!(made.timeout(), expected.timeout());
    assert_eq!(made.stop_timeout(), expected.stop_timeout());
    assert_eq!(made.cleanup(), expected.cleanup());
    assert_eq!(made.max_retries(), expected.max_retries());
    assert_eq!(made.limit(), expected.limit());
    assert_eq!(made.backoff(), expected.backoff());
    assert_eq!(made.reset_after(), expected.reset_after());
    assert_eq!(made.ready(), expected.ready());
    assert_eq!(made.start_timeout(), expected.start_timeout());
    assert_eq!(made.watchdog(), expected.watchdog());
    assert_eq!(made.unready_after(), expected.unready_after());
    assert_eq!(made.is_critical_at_any_end(), expected.is_critical_at_any_end());
    assert_eq!(made.after(), expected.after());
    assert_eq!(made.is_critical(), expected.is_critical());
    assert_eq!(made.is_significant(), expected.is_significant());
    assert_eq!(made.has_final_attempt(), expected.has_final_attempt());
    assert_eq!(made.has_readiness(), expected.has_readiness());
    assert_eq!(made.is_paused(), expected.is_paused());
    assert_eq!(made.metric_label(), expected.metric_label());
    assert_eq!(made.splay(), expected.splay());
    assert_eq!(made.schedule(), expected.schedule());
    assert_eq!(made.last_run(), expected.last_run());
    assert_eq!(made.span(), expected.span());
    assert_eq!(made.is_singleton(), expected.is_singleton());
    // What has no getter of its own.
    assert_eq!(singleton(made), singleton(expected));
}

/// The lines about the singleton in what `Debug` says of the spec.
fn singleton(spec: &TaskSpec) -> String {
    let text = format!("{spec:?}");
    text.split_once("singleton: ").map_or(String::new(), |(_, rest)| rest.split_inclusive(')').take(3).collect())
}

/// The options that change attempts, compared by their outcomes.
async fn assert_same_outcomes() -> Result<(), RuntimeError> {
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    let by_hand = |error: &'static str| {
        let task = TaskFn::arc("by_hand", move |_: TaskContext| async move {
            Err(if error == "busy" { TaskError::error(error) } else { TaskError::permanent(error) })
        });
        let backoff = BackoffPolicy { first: Duration::from_millis(1), ..BackoffPolicy::default() };
        TaskSpec::inherit(task).with_max_retries(1).with_backoff(backoff)
    };
    let mut labels = Vec::new();
    for error in ["busy", "gone"] {
        let made = supervisor.add_task(asked { error }).await?.outcome().await;
        let expected = supervisor.add_task(by_hand(error)).await?.outcome().await;
        assert_eq!(made.to_string(), expected.to_string());
        labels.push(made.to_string());
    }
    assert_ne!(labels[0].replace("busy", "gone"), labels[1]);

    let threads = Arc::new(Mutex::new(Vec::new()));
    supervisor.add_task(Blocked { threads: Arc::clone(&threads) }).await?.outcome().await;
    let seen = Arc::clone(&threads);
    let by_hand = TaskFn::arc("by_hand", move |_: TaskContext| {
        let threads = Arc::clone(&seen);
        let look = move || threads.lock().unwrap().push(thread::current().id());
        async { tokio::task::spawn_blocking(look).await.map_err(TaskError::error) }
    });
    supervisor.add_task(TaskSpec::inherit(by_hand)).await?.outcome().await;
    let threads = threads.lock().unwrap();
    assert!(threads.len() == 2 && threads.iter().all(|&id| id != thread::current().id()), "{threads:?}");
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert_same_outcomes().await.unwrap();
    assert_same(&plain::spec(), &TaskSpec::inherit(Arc::new(plain {})));
    assert_same(
        &literals::spec(),
        &TaskSpec::inherit(Arc::new(plain {}))
            .with_name("renamed")
            .with_restart(RestartPolicy::Always {
                interval: Some(Duration::from_secs(5400)),
            })
            .with_initial_delay(Duration::from_millis(250))
            .with_timeout(Duration::from_millis(1500))
            .with_stop_timeout(Duration::ZERO)
            .with_cleanup(Duration::from_secs(2))
            .with_metric_label("literal")
            .with_max_retries(3)
            .with_limit(5, Duration::from_secs(60))
            .with_backoff(BackoffPolicy {
                first: Duration::from_micros(10),
                max: Duration::from_secs(86_400),
                factor: 2.5,
                jitter: JitterPolicy::Decorrelated,
            })
            .with_reset_after(Duration::from_secs(90)),
    );
    assert_same(
        &expressions {}.into(),
        &TaskSpec::inherit(Arc::new(plain {}))
            .with_name("by_constant")
            .with_restart(RestartPolicy::Always { interval: None })
            .with_every(Duration::from_secs(3))
            .with_initial_delay(Duration::from_secs(1))
            .with_timeout(POLL)
            .with_stop_timeout(POLL)
            .with_cleanup(POLL)
            .with_metric_label("by_constant-1")
            .with_max_retries(u32::MAX - 1)
            .with_limit(2, POLL)
            .with_backoff(BackoffPolicy {
                first: POLL,
                max: POLL,
                factor: 2.0,
                jitter: JitterPolicy::None,
            })
            .with_reset_after(POLL),
    );
    let base = |name: &'static str| TaskSpec::inherit(Arc::new(plain {})).with_name(name);
    assert_same(&flags::spec(), &base("flags")
            .with_ready(Ready::Start)
            .critical()
            .significant()
            .with_final_attempt()
            .without_readiness()
            .with_paused(true));
    assert_same(
        &signalled::spec(),
        &base("signalled")
            .with_ready(Ready::Signal)
            .with_start_timeout(Duration::from_secs(90))
            .with_watchdog(POLL)
            .critical()
            .significant(),
    );
    assert_same(&completed::spec(), &base("completed").with_ready(Ready::Completed));
    assert_same(
        &never::spec(),
        &base("never")
            .with_restart(RestartPolicy::Never)
            .with_timeout(Duration::ZERO)
            .critical_at_any_end(),
    );
    let always = |name| base(name).with_restart(RestartPolicy::Always { interval: None }).with_ready(Ready::FirstSuccess);
    assert_same(&repeats::spec(), &always("repeats").with_unready_after(3).critical_at_any_end());
    assert_same(
        &shifted::spec(),
        &base("shifted")
            .with_restart(RestartPolicy::Always { interval: None })
            .with_every(Duration::from_secs(60))
            .with_splay(Duration::from_secs(10))
            .with_span(SpanScope::None),
    );
    let scheduled = |name, schedule| {
        base(name).with_restart(RestartPolicy::Always { interval: None }).with_schedule(schedule)
    };
    let (hour, late) = (Duration::from_secs(3600), Duration::from_secs(45));
    let schedule = Schedule::cron("30 2 * * mon-fri").zone("Europe/Berlin").splay(hour / 6);
    assert_same(&nightly::spec(), &scheduled("nightly", schedule.missed(Missed::Skip).late(late)));
    let schedule = Schedule::cron("@daily").zone("Asia/Tokyo").missed(Missed::Once).late(POLL);
    assert_same(&by_expressions {}.into(), &scheduled("by_expressions", schedule));
    assert_same(&monthly::spec(), &scheduled("monthly", Schedule::cron("0 8 1,L * *").missed(Missed::Once)).with_ready(Ready::Start));
    let hourly = base("once")
        .with_restart(RestartPolicy::Always { interval: None })
        .with_every(hour)
        .with_singleton()
        .with_missed(Missed::Skip)
        .with_late(late)
        .with_ticks(Ticks::AtLeastOnce);
    assert_same(&once::spec(), &hourly);
    let owner = base("owner").with_singleton_key("key").with_standby(Standby::NotReady).with_overrun(Overrun::Abort);
    assert_same(&owner::spec(), &owner);
    assert!(singleton(&owner).contains("key") && singleton(&owner).contains("Abort"), "{}", singleton(&owner));
    let owner = scheduled("owner_by_expressions", Schedule::cron("@daily")).with_singleton_key("by_constant-1");
    assert_same(&owner_by_expressions::spec(), &owner);
    assert_same(&in_every_replica::spec(), &base("in_every_replica"));
    assert_same(
        &repeats_by_words::spec(),
        &always("repeats_by_words")
            .with_unready_after(u32::MAX - 1)
            .with_start_timeout(Duration::from_secs(5)),
    );
    assert_same(
        &on_failure::spec(),
        &base("on_failure")
            .with_restart(RestartPolicy::OnFailure)
            .with_backoff(BackoffPolicy {
                max: Duration::from_secs(1),
                ..BackoffPolicy::default()
            }),
    );
    assert_same(
        &always::spec(),
        &base("always")
            .with_restart(RestartPolicy::Always { interval: None })
            .with_backoff(BackoffPolicy {
                factor: 2.0,
                jitter: JitterPolicy::Full,
                ..BackoffPolicy::default()
            }),
    );
    assert_same(
        &yielding::spec(),
        &base("yielding")
            .with_restart(RestartPolicy::Always {
                interval: Some(Duration::ZERO),
            })
            .with_max_retries(0)
            .with_backoff(BackoffPolicy {
                jitter: JitterPolicy::Equal,
                ..BackoffPolicy::default()
            }),
    );
    assert_same(
        &without_jitter::spec(),
        &base("without_jitter").with_backoff(BackoffPolicy::default()),
    );
    assert_same(
        &default_backoff::spec(),
        &base("default_backoff").with_backoff(BackoffPolicy::default()),
    );
}
