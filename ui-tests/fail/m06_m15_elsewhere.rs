//! M06 and M15: words of Celery, Kubernetes, Temporal and systemd, and numbers in other notations.

use taskvisor::prelude::*;

#[task(retry_backoff = true, retry_backoff_max = 600, retry_jitter = true, autoretry_for = [Error])]
async fn celery() {}

#[task(soft_time_limit = 60, default_retry_delay = 5, rate_limit = "10/m")]
async fn celery_limits() {}

#[task(backoffLimit = 4, activeDeadlineSeconds = 100, concurrencyPolicy = "Forbid", failureThreshold = 3)]
async fn kubernetes() {}

#[task(maximumAttempts = 3, initialInterval = 1, maximumInterval = 100, backoffCoefficient = 2.0)]
async fn temporal() {}

#[task(OnBootSec = 5, OnUnitActiveSec = 5, RandomizedDelaySec = 5)]
async fn systemd() {}

#[task(max_attempts = 3, min_backoff = "1s", max_backoff = "10s")]
async fn attempts() {}

#[task(tries = retries(), max_tries = 0)]
async fn unknown_attempts() {}

const fn retries() -> u32 {
    3
}

// A word of another option tells what was meant.
#[task(restart = "always", cron = "@daily", tick = "at_least_once", mode = always)]
async fn words() {}

#[task(alias = "once", kind = "pool", notify = "start", backoff(strategy = "full"))]
async fn texts() {}

#[task(timeout = "01:30", stop_timeout = "1,5s", initial_delay = "1_000ms")]
async fn notations() {}

#[task(timeout = "1,500ms", stop_timeout = "PT1M30S", initial_delay = ".5s", start_timeout = "+5s")]
async fn more_notations() {}

#[task(timeout = 1,5s)]
async fn comma() {}

#[task(max_retries = 1,000, backoff(factor = 1,5))]
async fn commas() {}

#[task(timeout = "infinity", stop_timeout = "none", watchdog = "off")]
async fn no_limits(ctx: TaskContext) {
    ctx.heartbeat();
}

#[task(restart = "always", every = "0 2 * * *")]
async fn pattern() {}

#[task(restart = "always", interval = "daily")]
async fn nickname() {}

#[task(,,timeout = "5s",,, restart = "always",)]
async fn marks() {}

fn main() {}
