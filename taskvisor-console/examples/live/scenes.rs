//! The trees.

use std::error::Error;
use std::fmt;
use std::future::{pending, poll_fn};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use taskvisor::fleet::{Fleet, LocalStore};
use taskvisor::prelude::*;
use taskvisor::{Tree, TreeBuilder};
use tokio::time::sleep;

const HOUR: Duration = Duration::from_secs(3600);

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A number from 0 to 1. `RandomState` is seeded at random.
fn random() -> f64 {
    let [a, b, c, d, ..] = RandomState::new().hash_one(0).to_le_bytes();
    f64::from(u32::from_le_bytes([a, b, c, d])) / f64::from(u32::MAX)
}

/// An error with a cause.
#[derive(Debug)]
struct Unreadable(io::Error);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot read the catalogue")
    }
}

impl Error for Unreadable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// What goes wrong with the task of this name.
fn failure(name: &str) -> TaskError {
    let cause = match name {
        "payments" => "the bank answers 503: upstream timed out",
        "replica" => "connection reset by peer",
        "shipping" => "no label for parcel 4711",
        _ => "connect to 10.0.0.7:5432: connection refused",
    };
    match name {
        "payments" | "replica" | "shipping" => TaskError::error(cause),
        _ => TaskError::error(Unreadable(io::Error::other(cause))),
    }
}

fn runs(name: &str) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc(name, |ctx: TaskContext| async move {
        ctx.cancelled().await;
        Ok(())
    }))
}

fn fails(name: &str) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc(name, |ctx: TaskContext| async move { Err(failure(ctx.name())) }))
}

fn succeeds(name: &str) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc(name, |_: TaskContext| async { Ok(()) }))
}

fn hangs(name: &str) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc(name, |_: TaskContext| pending()))
}

/// Goes on in another turn, for which Tokio wakes a worker that sleeps. A turn that follows the timers and IO of the runtime
/// wakes none (as after `yield_now`), so that nobody would look at them while its worker is blocked.
async fn turn() {
    let mut is_another = false;
    poll_fn(|cx| {
        if is_another {
            return Poll::Ready(());
        }
        is_another = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Works for `work` on average, and then fails with this probability.
fn works(name: &str, work: Duration, failing: f64) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc(name, move |ctx: TaskContext| async move {
        if !ctx.sleep(work.mul_f64(2.0 * random())).await {
            return Ok(());
        }
        if random() < failing { Err(failure(ctx.name())) } else { Ok(()) }
    }))
}

const fn backoff(first: Duration, max: Duration) -> BackoffPolicy {
    BackoffPolicy { first, max, factor: 2.0, jitter: JitterPolicy::None }
}

const fn always(interval: Duration) -> RestartPolicy {
    RestartPolicy::Always { interval: Some(interval) }
}

/// A task in each state, and some with hostile names and errors.
pub(crate) async fn states(builder: TreeBuilder) -> Result<TreeBuilder, Box<dyn Error>> {
    let hostile = r#"<img src=x onerror="alert(1)">"#;
    let evil = TaskFn::arc(hostile, |_: TaskContext| async {
        let reason = "</script><script>alert(2)</script>\u{202e}<b style='color:red' onclick=alert(3)>".to_owned();
        Err(TaskError::Fatal { reason })
    });
    let panics = TaskFn::arc("panics", |_: TaskContext| async { panic!("index out of bounds") });
    let silent = TaskFn::arc("silent", |ctx: TaskContext| async move {
        ctx.heartbeat();
        turn().await;
        thread::sleep(HOUR);
        Ok(())
    });
    let store = Group::rest_for_one("store").task(succeeds("migrate").with_restart(RestartPolicy::Never)).task(
        fails("pool").with_ready(Ready::Signal).with_backoff(backoff(seconds(1), seconds(40))).with_max_retries(50),
    );
    let web = Group::one_for_all("web").with_after(["store"]).task(runs("serve")).task(runs("metrics"));
    let other = elsewhere().await?;
    Ok(builder
        .with_fleet(other)
        .with_named_limit("db", 1)
        .with_slot(SlotSpec::new("deploy"))
        .with_slot(SlotSpec::new("import").with_paused(true))
        .group(store)
        .group(web)
        .task(runs("running"))
        .task(works("interval", Duration::from_millis(20), 0.1).with_restart(always(seconds(3))))
        .task(succeeds("scheduled").with_restart(RestartPolicy::Always { interval: None }).with_cron("30 2 * * *"))
        .task(succeeds("throttled").with_restart(RestartPolicy::Always { interval: None }))
        .task(runs("delayed").with_initial_delay(HOUR))
        .task(runs("paused").with_paused(true))
        .task(runs("standby").with_singleton())
        .task(runs("not-ready").with_ready(Ready::Signal).with_start_timeout(HOUR))
        .task(TaskSpec::inherit(silent).with_watchdog(seconds(1)).with_stop_timeout(Duration::from_millis(100)))
        .task(fails("exhausted").with_max_retries(2).with_backoff(backoff(Duration::from_millis(1), seconds(1))))
        .task(TaskSpec::inherit(panics).with_restart(RestartPolicy::Never))
        .task(TaskSpec::inherit(evil))
        .task(hangs("stopping").with_stop_timeout(HOUR))
        .task(runs("permit-a").with_named_limit("db"))
        .task(runs("permit-b").with_named_limit("db")))
}

/// A fleet in which somebody else has the lease of `standby`. That tree lives as long as the process.
async fn elsewhere() -> Result<Fleet, Box<dyn Error>> {
    let store = LocalStore::new();
    let fleet = |label| Fleet::new(store.clone()).name("live").label(label).ttl(seconds(120));
    let tree =
        Tree::builder(SupervisorConfig::default()).with_fleet(fleet("host-b")).task(runs("standby").with_singleton());
    let tree = tree.build();
    tree.start().await?;
    running(&tree.supervisor().handle(), "standby").await;
    Box::leak(Box::new(tree));
    Ok(fleet("host-a"))
}

/// Waits until a task runs.
async fn running(supervisor: &SupervisorHandle, path: &str) {
    while supervisor.node(path).is_none_or(|node| node.state != TaskState::Running) {
        sleep(Duration::from_millis(10)).await;
    }
}

/// What a declaration alone does not bring about: jobs of a slot, and a task that does not stop.
pub(crate) async fn disturb(tree: &Tree) -> Result<(), Box<dyn Error>> {
    let slot = tree.slot("deploy");
    for job in ["deploy-41", "deploy-42", "deploy-43"] {
        slot.queue(runs(job)).await?;
    }
    let supervisor = tree.supervisor().handle();
    running(&supervisor, "stopping").await;
    tokio::spawn(async move { supervisor.child("stopping").cancel().await });
    Ok(())
}

/// A shop of services that mostly work.
pub(crate) fn shop(builder: TreeBuilder) -> TreeBuilder {
    let worker = |name: &str, work, failing| works(name, work, failing).with_backoff(backoff(seconds(1), seconds(20)));
    let job = |name: &str, failing, pause| {
        worker(name, Duration::from_millis(700), failing).with_restart(always(seconds(pause)))
    };
    let store =
        Group::rest_for_one("store").task(runs("pool")).task(job("vacuum", 0.05, 7)).task(job("replica", 0.3, 2));
    let orders = Group::one_for_one("orders")
        .task(runs("inbox"))
        .task(job("payments", 0.5, 3))
        .task(job("invoices", 0.02, 4))
        .task(job("shipping", 0.1, 6));
    let web =
        Group::one_for_one("web").with_after(["store"]).task(runs("http")).task(runs("metrics")).task(runs("admin"));
    let search = Group::one_for_all("search")
        .task(job("crawler", 0.15, 2))
        .task(fails("index").with_backoff(backoff(seconds(2), seconds(60))).with_max_retries(40));
    builder
        .group(store)
        .group(orders)
        .group(web)
        .group(search)
        .task(succeeds("nightly-report").with_restart(RestartPolicy::Always { interval: None }).with_cron("30 2 * * *"))
        .task(runs("newsletter").with_initial_delay(HOUR))
        .task(runs("experiments").with_paused(true))
        .task(fails("legacy-sync").with_max_retries(3).with_backoff(backoff(Duration::from_millis(50), seconds(1))))
}

/// Groups of at most 5,000 tasks, of which this part fails every second or so.
pub(crate) fn many(builder: TreeBuilder, count: u32, failing: f64) -> TreeBuilder {
    let names: Vec<u32> = (0..count).collect();
    let groups = names.chunks(5000.min(names.len().div_ceil(2)).max(1)).enumerate().map(|(number, members)| {
        let tasks = members.iter().map(|n| {
            let name = format!("tenant-{n:05}");
            if (f64::from(*n) * 0.618_034).fract() < failing {
                works(&name, seconds(2), 0.8)
                    .with_restart(always(seconds(1)))
                    .with_backoff(backoff(seconds(1), seconds(8)))
            } else {
                runs(&name)
            }
        });
        Group::one_for_one(format!("shard-{number}")).with_limit(u32::MAX, seconds(1)).tasks(tasks)
    });
    groups.fold(builder, TreeBuilder::group)
}
