//! Options that are unknown, repeated, misplaced, or in the wrong form.

use taskvisor::prelude::*;

#[task(restrat = "always", intervall = "10s", TIMEOUT = "5s", name = "ping")]
async fn misspelt() {}

#[task(delay = "10s", retries = 3)]
async fn far_off() {}

#[task(timeout = "5s", restart = "always", timeout = "6s", restart = "never")]
async fn repeated() {}

#[task(backoff(first = "1s", frist = "2s", first = "3s", max_retries = 3))]
async fn in_backoff() {}

#[task(factor = 2.0, jitter = "equal", reset_after = "60s")]
async fn outside_backoff() {}

#[task(restart, timeout("5s"), backoff = "100ms", backoff, "always", max_retries + 1)]
async fn wrong_form() {}

#[task(restart == "always")]
async fn compared() {}

#[task(strategy = one_for_one, grace = "5s", after = [misspelt], slots = [], tasks = [])]
async fn of_other_places() {}

#[task(critcal, significant("x"), critical, redy = "signal", critical = true, start = "5s")]
async fn flags() {}

#[task(clean_up = "5s", final_atempt, readines = false, metric_lable = "x", readiness("x"), cleanup)]
async fn of_operation() {}

#[task(bloking, retry_on = is_transient, blocking("x"), retry_if)]
fn of_functions() {}

#[task(crate = 5)]
async fn no_path() {}

#[task(struct = "Quoted")]
async fn quoted() {}

#[task(struct = First, struct = Second)]
async fn twice() {}

#[task(#[cfg(test)] timeout = "5s")]
async fn with_attribute() {}

fn main() {
    let _ = supervise!(
        gracee = "5s",
        grace = "5s",
        grace = "6s",
        timeout = "5s",
        cleanup = "5s",
        readiness = false,
        stratergy = one_for_one,
        critical,
        defaults(name = "x", every = "1s", timout = "5s", crate = "x", critical, after = [], ready = "start", blocking, final_attempt, readiness = false, metric_label = "x"),
        subscriber = [],
        tasks = [
            task(misspelt {}, timout = "5s", crate = "x", jitter = "equal", timeout = "1s", timeout = "2s"),
            task(far_off {}, strategy = one_for_one, tasks = [], "5s"),
            task(flags {}, blocking, retry_if = is_transient),
            store = group(tasks = [], blocking, retry_if = is_transient, cleanup = "1s", final_attempt, metric_label = "x"),
        ],
        5,
    );
    let _ = supervise!(tasks, grace("5s"), defaults = 5, subscribers = 3, tasks = repeated {});
}
