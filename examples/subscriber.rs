//! A custom subscriber that keeps metrics of each task.
//!
//! ```text
//! cargo run --example subscriber
//! ```
//!
//! Four tasks run for two seconds: a healthy one, one that fails now and then, one that is too slow, and one that runs
//! once. `LogWriter` prints the events; at the end the program prints the metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use taskvisor::prelude::*;
use tokio::time::sleep;

/// Metrics of all tasks, by name. A real program would use the `metrics` or `prometheus` crate.
#[derive(Default)]
struct Metrics(Mutex<BTreeMap<Arc<str>, TaskMetrics>>);

#[derive(Default)]
struct TaskMetrics {
    attempts: u64,
    failures: u64,
    timeouts: u64,
    waited_ms: u64,
    last_failure: Option<String>,
}

#[async_trait::async_trait]
impl Subscribe for Metrics {
    async fn on_event(&self, event: &Event) {
        let Some(task) = &event.task else { return };
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let metrics = tasks.entry(Arc::clone(task)).or_default();
        match event.kind {
            EventKind::TaskStarting => metrics.attempts += 1,
            EventKind::TimeoutHit => metrics.timeouts += 1,
            EventKind::TaskFailed => {
                metrics.failures += 1;
                metrics.last_failure = event.reason.as_ref().map(ToString::to_string);
            }
            // The wait for a retry or for the interval.
            EventKind::BackoffScheduled => metrics.waited_ms += event.delay_ms.unwrap_or_default(),
            _ => {}
        }
    }

    /// Its name in `SubscriberOverflow` and `SubscriberPanicked`.
    fn name(&self) -> &'static str {
        "metrics"
    }
}

impl Metrics {
    fn print(&self) {
        println!(
            "\n{:<10}{:>10}{:>10}{:>10}{:>10}  last failure",
            "task", "attempts", "failures", "timeouts", "waited ms"
        );
        for (task, metrics) in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            let TaskMetrics { attempts, failures, timeouts, waited_ms, last_failure } = metrics;
            let last_failure = last_failure.as_deref().unwrap_or("-");
            println!("{task:<10}{attempts:>10}{failures:>10}{timeouts:>10}{waited_ms:>10}  {last_failure}");
        }
    }
}

#[task(restart = "always", interval = "500ms")]
async fn heartbeat() {
    sleep(Duration::from_millis(10)).await;
}

#[task(restart = "always", interval = "300ms", backoff(first = "100ms", factor = 2.0, jitter = "equal"))]
async fn flaky(ctx: TaskContext) -> Result<(), &'static str> {
    sleep(Duration::from_millis(10)).await;
    match ctx.attempt() % 3 {
        0 => Ok(()),
        _ => Err("bad luck"),
    }
}

#[task(timeout = "200ms", max_retries = 2)]
async fn slow() {
    sleep(Duration::from_secs(60)).await;
}

#[task]
async fn import() {
    sleep(Duration::from_millis(300)).await;
}

#[tokio::main]
async fn main() -> Result<(), RuntimeError> {
    let metrics = Arc::new(Metrics::default());
    let tree = supervise!(
        subscribers = [LogWriter::default(), Arc::clone(&metrics)],
        tasks = [heartbeat {}, flaky {}, slow {}, import {}],
    );

    // When this returns, every event has been delivered.
    let result = tree.run_until(sleep(Duration::from_secs(2))).await;
    metrics.print();
    result
}
