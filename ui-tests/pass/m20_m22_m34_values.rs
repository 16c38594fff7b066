//! Values from configuration, bare words, and trees from several places.

use std::sync::Arc;
use std::time::Duration;

use taskvisor::prelude::*;
use taskvisor::{AdmissionPolicy, JitterPolicy, Strategy, Subscribe, TaskFn};

const POLICY: RestartPolicy = RestartPolicy::Never;

fn backoff() -> BackoffPolicy {
    BackoffPolicy { first: Duration::from_millis(7), ..BackoffPolicy::default() }
}

#[task(restart = POLICY)]
async fn constant() {}

#[task(restart = always, interval = "1s", backoff(first = "5µs", jitter = equal))]
async fn bare() {}

#[task(restart = RestartPolicy::Always { interval: None }, every = "1s", timeout = None)]
async fn variants() {}

#[task(ready = signal, backoff = backoff(), critical = cfg!(debug_assertions), final_attempt = 1 > 0)]
async fn computed(ctx: TaskContext) {
    ctx.ready();
}

#[task(ready = Ready::Signal, backoff(jitter = JitterPolicy::Full))]
async fn signaled(ctx: TaskContext) {
    ctx.ready();
}

#[task]
async fn ping() {}

/// M01: the tree as the type of the crate.
fn tree(first: bool) -> Tree {
    if first { supervise!(tasks = [ping {}]).into() } else { supervise!(tasks = [bare {}, ping {}]).into() }
}

struct Silent;

#[taskvisor::async_trait]
impl Subscribe for Silent {
    async fn on_event(&self, _: &Event) {}
}

fn main() {
    assert_eq!(constant {}.into_task_spec().restart(), RestartPolicy::Never);
    let spec = bare::spec();
    assert_eq!(spec.restart(), RestartPolicy::Always { interval: Some(Duration::from_secs(1)) });
    assert_eq!(spec.backoff().first, Duration::from_micros(5));
    assert_eq!(spec.backoff().jitter, JitterPolicy::Equal);
    let spec = variants::spec();
    assert_eq!((spec.every(), spec.timeout()), (Some(Duration::from_secs(1)), None));
    let spec = computed::spec();
    assert_eq!(spec.backoff().first, Duration::from_millis(7));
    assert!(spec.is_critical() && spec.has_final_attempt());
    assert_eq!((spec.ready(), signaled::spec().ready()), (Ready::Signal, Ready::Signal));
    assert_eq!(signaled::spec().backoff().jitter, JitterPolicy::Full);

    let (flag, strategy, backoff) = (true, Strategy::OneForAll, backoff());
    let others: Vec<Arc<dyn Subscribe>> = vec![Arc::new(Silent)];
    let tree_of_values = supervise!(
        strategy = strategy,
        subscribers = [Silent, ..others],
        defaults(restart = POLICY, timeout = None),
        slots = [slot(deploy, admission = AdmissionPolicy::Replace), slot(index, admission = drop_if_running)],
        tasks = [
            task(ping {}, critical = flag, significant = !flag, restart = POLICY, backoff = backoff),
            store = group(
                strategy = if flag { Strategy::RestForOne } else { strategy },
                critical = !flag,
                tasks = [inner = ping {}],
            ),
            quoted = group(strategy = "one_for_all", tasks = []),
            TaskFn::new("closure", |_: TaskContext| async { Ok(()) }),
            ..Some(bare {}),
        ],
    );
    let snapshot = tree_of_values.snapshot().to_string();
    for expected in ["root", "one_for_all", "rest_for_one", "closure", "bare"] {
        assert!(snapshot.contains(expected), "{snapshot}");
    }
    // M23
    assert_eq!(ping {}.with_name("second").name(), "second");
    assert_eq!(tree(true).snapshot().root.children.len() + 1, tree(false).snapshot().root.children.len());
}
