//! Numbers, words, switches and names that are not what the option takes.

use taskvisor::prelude::*;

#[task(max_retries = -1, backoff(factor = "2"))]
async fn numbers() {}

#[task(max_retries = "3", backoff(factor = 0.5))]
async fn more_numbers() {}

#[task(max_retries = 5000000000, backoff(factor = -2.0))]
async fn out_of_range() {}

#[task(max_retries = 3u64, backoff(factor = 2.0f32))]
async fn suffixes() {}

#[task(max_retries = 2.5, backoff(factor = 1e999))]
async fn infinite() {}

#[task(restart = "alway", backoff(jitter = "ful"))]
async fn misspelt_words() {}

#[task(restart = "Always", backoff(jitter = "exponential"))]
async fn other_words() {}

#[task(restart = "on-failure", backoff(jitter = none))]
async fn dashes() {}

#[task(restart = always, backoff(jitter = JitterPolicy::Full))]
async fn unquoted() {}

#[task(restart = true, backoff(jitter = 5))]
async fn literals() {}

#[task(restart = 5)]
async fn computed() {}

#[task(ready = "signaled", critical = "yes")]
async fn states() {}

#[task(ready = started, critical = 1, significant = cfg!(test))]
async fn other_states() {}

#[task(ready = Ready::Signal, start_timeout = 30, watchdog = "10")]
async fn paths() {}

#[task(retry_if = |error| true)]
async fn closure() -> Result<(), String> {
    Ok(())
}

#[task(retry_if = "is_transient")]
async fn quoted() -> Result<(), String> {
    Ok(())
}

#[task(retry_if = std::io::Error::is_transient())]
async fn called() -> Result<(), String> {
    Ok(())
}

#[task(retry_if = true, blocking = "yes")]
fn switched() -> Result<(), String> {
    Ok(())
}

#[task(blocking = "pol", critical = "anyend")]
fn misspelt() {}

#[task(critical = any_ends, blocking = 5)]
fn misspelt_switches() {}

#[task(critical = "on_exit", ready = "first_sucess", unready_after = "3")]
async fn of_others() {}

#[task(name = "a/b")]
async fn path_name() {}

#[task(name = "")]
async fn empty_name() {}

#[task(metric_label = "", cleanup = 5, readiness = "no", final_attempt = 1)]
async fn of_operation() {}

#[task(metric_label = 5, readiness = cfg!(test), final_attempt = 1 > 0, cleanup = "-1s")]
async fn more_of_operation() {}

#[task(name = 5)]
async fn number_name() {}

fn main() {
    let _ = supervise!(
        name = "",
        signals = "no",
        max_concurrent = -1,
        defaults(restart = "sometimes", max_retries = "many"),
        tasks = [task(empty_name {}, name = "", max_retries = 1.5, ready = "never"), task(states {}, name = "x/")],
    );
}
