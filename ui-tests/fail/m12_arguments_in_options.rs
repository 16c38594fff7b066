//! M12: options that use the arguments of the function: told once for each option, and not by the compiler as well.

use std::time::Duration;

use taskvisor::prelude::*;

#[task(restart = "always", interval = period)]
async fn poll(period: Duration) {
    let _ = period;
}

#[task(timeout = limit * 2, max_retries = retries.len())]
async fn fetch(ctx: TaskContext, limit: Duration, retries: Vec<u8>) -> Result<(), String> {
    let _ = (ctx, limit, retries);
    Ok(())
}

#[task(critical = is_critical, backoff(first = first, factor = f64::from(factor)), limit(max_restarts = 3, within = first))]
async fn follow(is_critical: bool, first: Duration, factor: f32) {
    let _ = (is_critical, first, factor);
}

#[task(name = host)]
async fn ping(host: &'static str) {
    let _ = host;
}

#[task(watchdog = beat, start_timeout = { let twice = beat; twice * 2 })]
async fn beating(ctx: TaskContext, beat: Duration) {
    let _ = (ctx, beat);
}

// No use: a field, a method, a path, a macro, and another name.
const PERIOD: Duration = Duration::from_secs(5);

#[task(restart = "always", interval = Duration::from_secs(seconds::seconds()))]
async fn fine(seconds: u64, secs: u64) {
    let _ = (seconds, secs, PERIOD);
}

mod seconds {
    pub fn seconds() -> u64 {
        5
    }
}

fn main() {}
