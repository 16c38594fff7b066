//! The option `paused`, misspelled, with a wrong value, and where it does not belong.

use taskvisor::prelude::*;

#[task(paused = "yes", suspended)]
async fn words() {}

#[task(paused(true), pasued)]
async fn lists() {}

#[task(paused, paused = false)]
async fn twice() {}

#[task]
async fn ping() {}

fn main() {
    supervise!(
        paused,
        defaults(paused = true),
        slots = [slot(jobs, pausd), slot(mails, paused = 1), slot(logs, disabled)],
        tasks = [
            task(ping {}, paused = 5),
            store = group(tasks = [ping {}], paused = "no", puased = true),
        ],
    );
}
