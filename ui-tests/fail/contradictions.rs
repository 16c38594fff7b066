//! Options that are right alone, and contradict each other.

use std::time::Duration;
use taskvisor::prelude::*;

#[task(interval = "10s")]
async fn interval_alone() {}

#[task(every = "10s", restart = "on_failure")]
async fn every_without_always() {}

#[task(restart = "always", interval = "10s", every = "10s")]
async fn interval_and_every() {}

#[task(interval = Duration::from_secs(1), every = Duration::from_secs(1), restart = "never")]
async fn all_three() {}

#[task(restart = "never", max_retries = 3, backoff(factor = 2.0))]
async fn never_retried() {}

#[task(restart = "never", final_attempt, cleanup = "1s")]
async fn one_only() {}

#[task(restart = "never", final_attempt = false, readiness = true)]
async fn none_more() {}

#[task(backoff(first = "1m", max = "10s"))]
async fn first_past_max() {}

#[task(backoff(first = "1m"))]
async fn first_past_default_max() {}

#[task(backoff(max = "50ms"))]
async fn max_below_default_first() {}

// A word that cannot be read is one error, and contradicts nothing.
#[task(restart = "alwyas", interval = "10s", max_retries = 3)]
async fn unreadable_word() {}

#[task(restart = "always", significant, ready = "completed")]
async fn never_ends() {}

#[task(restart = "always", significant = false, ready = "start")]
async fn no_contradiction() {}

#[task(critical = "any_end", significant, ready = "completed")]
async fn must_not_end() {}

#[task(critical = "any_end", significant = false, ready = "start")]
async fn may_be_both() {}

#[task(significant, ready = "completed")]
async fn never_returns() -> ! {
    std::future::pending().await
}

#[task(restart = "always", ready = "first_success")]
async fn never_succeeds() -> Result<std::convert::Infallible, String> {
    Err("again".into())
}

#[task(ready = "first_success")]
async fn first_of_one() {}

#[task(restart = "always", splay = "5s")]
async fn shifted_without_a_period() {}

#[task(restart = "on_failure", ready = "first_success", unready_after = 0)]
async fn first_and_only() {}

#[task(restart = "always", unready_after = 3)]
async fn unready_without_ready() {}

#[task(restart = "always", ready = "signal", unready_after = 3)]
async fn unready_after_a_signal(ctx: TaskContext) {
    ctx.ready();
}

#[task(watchdog = "10s", ready = "signal")]
async fn without_context() {}

#[task(watchdog = Duration::from_secs(1), ready = "signal", critical)]
async fn with_token(token: CancellationToken, number: u8) {
    let _ = (token, number);
}

#[task(watchdog = "0s", start_timeout = "0s", ready = "signal")]
async fn zeros(ctx: TaskContext) {
    let _ = ctx;
}

fn is_transient(error: &String) -> bool {
    !error.is_empty()
}

#[task(restart = "never", retry_if = is_transient)]
async fn never_asked() -> Result<(), String> {
    Ok(())
}

#[task(max_retries = 0, retry_if = is_transient)]
async fn none_to_ask_for() -> Result<(), String> {
    Ok(())
}

#[task(timeout = "5s", watchdog = "10s")]
async fn never_silent(ctx: TaskContext) {
    ctx.heartbeat();
}

#[task(timeout = "10s", watchdog = "10s")]
async fn may_be_silent(ctx: TaskContext) {
    ctx.heartbeat();
}

#[task(retry_if = is_transient)]
async fn cannot_fail() {}

#[task(blocking, retry_if = is_transient)]
fn cannot_fail_either() -> () {}

#[task(blocking, watchdog = "1s", ready = "signal")]
fn blocking_without_context() {}

// Without a context, an attempt is dropped.
#[task(cleanup = "5s")]
async fn dropped() {}

#[task(cleanup = "5s")]
async fn not_dropped(token: CancellationToken) {
    token.cancelled().await;
}

// A thread cannot be dropped.
#[task(blocking, cleanup = "5s")]
fn thread() {}

#[task]
async fn skipped() {}

// A context that is refused is one error.
#[task(watchdog = "10s")]
async fn borrowed(ctx: &TaskContext) {
    let _ = ctx;
}

fn main() {
    let _ = supervise!(
        // As defaults these make sense: for the tasks that are restarted.
        defaults(restart = "never", max_retries = 3, interval = "10s"),
        tasks = [
            task(interval_alone {}, interval = "10s"),
            task(never_retried {}, restart = "never", backoff(first = "1s"), final_attempt),
            task(without_context {}, restart = "always", ready = "completed", significant, watchdog = "0s"),
            with_token { number: 1 },
            task(first_of_one {}, restart = "never", ready = "first_success"),
            task(may_be_both {}, unready_after = 0, critical = "any_end", significant),
            // What is missing here may be in `#[task]`.
            task(unready_without_ready {}, ready = "first_success"),
            store = group(tasks = [no_contradiction {}], critical = "any_end", significant),
        ],
    );
    let _ = supervise!(
        slots = [slot(dropped), slot(thread)],
        tasks = [
            dropped {},
            // The slot, as it cannot be after itself.
            task(thread {}, after = [thread]),
            task(skipped {}, after = [dropped]),
            not_dropped {},
        ],
    );
}
