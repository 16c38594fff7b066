//! M06: options of systemd, Kubernetes, Spring and Java, and durations that have their unit in the name.

use taskvisor::prelude::*;

#[task(Restart = "on_failure", RestartSec = 5)]
async fn systemd() {}

#[task(initialDelaySeconds = 10, terminationGracePeriodSeconds = 30)]
async fn kubernetes() {}

#[task(restart = "always", fixedDelay = 1000, initialDelay = 500)]
async fn spring() {}

#[task(restart = "always", interval_ms = 500, timeoutSecs = 5, retry_delay_ms = 100)]
async fn units() {}

#[task(restart = "always", cron = "0 0 9 * * MON-FRI", zone = "UTC")]
async fn quartz() {}

#[task]
async fn ping() {}

fn main() {
    let _ = supervise!(stop_grace_period = "30s", logger = [], tasks = [ping {}]);

    let _ = supervise!(terminationGracePeriodSeconds = 30, tasks = [ping {}]);

    // A list with `;` in it, and a number in quotes.
    let _ = supervise!(limits = [limit(db, "4")], tasks = [task(ping {}, limit = db)]);

    let _ = supervise!(tasks = [store = group(strategy = one_for_all; tasks = [ping {}]), task(systemd {}; timeout = "5s")]);
}
