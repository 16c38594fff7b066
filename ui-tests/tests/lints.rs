//! A user's crate with strict lints: Clippy finds nothing in the generated code.
#![deny(warnings, clippy::all, clippy::pedantic)]
#![deny(missing_docs, missing_debug_implementations, unreachable_pub, unnameable_types)]
#![deny(rust_2018_idioms, nonstandard_style, unused_qualifications, single_use_lifetimes)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use taskvisor::prelude::*;

const POLL: Duration = Duration::from_secs(1);

/// Waits, with every option.
///
/// # Errors
/// If there is nothing to wait for.
#[task(
    name = "waiter",
    restart = "always",
    interval = POLL,
    initial_delay = "1s",
    timeout = "5s",
    stop_timeout = "5s",
    max_retries = 3,
    backoff(first = "1s", max = POLL, factor = 2.0, jitter = "equal", reset_after = "60s")
)]
pub async fn wait(ctx: TaskContext, text: String, number: u64) -> Result<(), TaskError> {
    ctx.cancelled().await;
    drop(text);
    number.checked_sub(1).map(drop).ok_or(TaskError::Canceled)
}

/// Yields, with many arguments.
#[task]
#[allow(clippy::too_many_arguments)]
async fn many(one: u8, two: u8, three: u8, four: u8, five: u8, six: u8, seven: u8, text: String) {
    tokio::task::yield_now().await;
    let _ = (one, two, three, four, five, six, seven, text);
}

/// Deprecated: only the uses of the user are reported.
#[task]
#[deprecated = "use `wait`"]
pub async fn old(number: u8) {
    tokio::task::yield_now().await;
    let _ = number;
}

fn is_transient(error: &TaskError) -> bool {
    error.is_retryable()
}

/// Blocks, with what it owns.
///
/// # Errors
/// Never.
#[task(blocking, retry_if = is_transient, name = "blocks")]
pub fn block(token: CancellationToken, text: String) -> Result<(), TaskError> {
    if token.is_cancelled() || text.is_empty() { Err(TaskError::Canceled) } else { Ok(()) }
}

#[task(restart = "never")]
async fn private() {
    tokio::task::yield_now().await;
}

#[task(restart = "always", ready = "signal", start_timeout = "5s", watchdog = POLL, critical)]
async fn steady(ctx: TaskContext) {
    ctx.cancelled().await;
}

/// Looks, with a queue and state.
#[subscriber(name = "looker", queue = 16)]
pub async fn look(event: &Event, one: Arc<AtomicU64>, two: String) {
    tokio::task::yield_now().await;
    one.fetch_add(event.seq, Ordering::Relaxed);
    drop(two);
}

#[subscriber]
async fn glance(event: &Event) {
    let _ = event;
}

/// A named tree, most of whose handles are unused.
#[supervisor]
pub fn app(text: String) -> App {
    let one = Arc::default();
    supervise!(
        subscribers = [look { one, two: text }, glance {}],
        slots = [slot(jobs, capacity = 5)],
        tasks = [unused = private {}, store = group(tasks = [private {}, inner = group(tasks = [last = private {}])])],
    )
}

#[supervisor]
async fn hidden() -> Hidden {
    tokio::task::yield_now().await;
    supervise!(tasks = [private {}, store = group(tasks = [private {}])])
}

#[tokio::test]
async fn a_named_tree_is_clean() {
    assert_eq!(app("text".to_owned()).groups.store.name(), "store");
    assert!(app("text".to_owned()).slots.jobs.is_idle());
    assert_eq!(hidden().await.name(), "root");
}

#[test]
fn what_is_generated_is_clean() {
    let text = String::from("text");
    let tree = supervise!(
        name = "clean",
        grace = POLL,
        max_concurrent = 4,
        defaults(restart = "on_failure", backoff(factor = 2.0)),
        tasks = [
            wait { text: text.clone(), number: 1 },
            task(many::spec(1, 2, 3, 4, 5, 6, 7, text), timeout = POLL),
            other = private {},
            block { text: "text".into() },
            store = group(
                strategy = rest_for_one(max_restarts = 5, within = POLL),
                tasks = [private {}, inner = group(tasks = [last = private {}])],
                after = [wait, other],
                critical = false,
            ),
            task(steady::spec(), after = [store]),
            ..(0..2).map(|number| private::spec().with_name(format!("private-{number}"))),
        ],
    );
    assert_eq!(tree.tasks.wait.name(), "waiter");
}
