//! Durations that are no durations, and zeros where they make no sense.

use taskvisor::prelude::*;

#[task(timeout = "", initial_delay = "soon", stop_timeout = "10")]
async fn malformed() {}

#[task(timeout = "5sec", initial_delay = "5minutes", stop_timeout = "5 s")]
async fn units() {}

#[task(timeout = "5S", initial_delay = "5fortnights", stop_timeout = "1m1h")]
async fn more_units() {}

#[task(timeout = "1.5.5s", initial_delay = "1.s", stop_timeout = "0.5ns")]
async fn fractions() {}

#[task(timeout = "-5s", initial_delay = -5, stop_timeout = "999999999999999999999999d")]
async fn out_of_range() {}

#[task(timeout = 5, initial_delay = 1.5, stop_timeout = 5s)]
async fn unquoted() {}

#[task(timeout = true, initial_delay = 'c', stop_timeout = b"5s")]
async fn other_literals() {}

#[task(restart = "always", every = "0s", timeout = "0ms")]
async fn zeros() {}

#[task(backoff(first = "1x", max = 30, reset_after = "0s"))]
async fn in_backoff() {}

#[task(timeout = "1h 30m", initial_delay = "5 seconds", stop_timeout = "1s1s")]
async fn spaces() {}

fn main() {
    let _ = supervise!(
        grace = "5 seconds",
        drain = 5,
        defaults(timeout = "0s", stop_timeout = "5"),
        tasks = [task(zeros {}, timeout = "0s", initial_delay = "1hr")],
    );
}
