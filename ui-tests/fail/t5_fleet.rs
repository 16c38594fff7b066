//! Singletons, fleets and slots of a fleet that are wrong alone, and beside other options.

use std::time::Duration;

use taskvisor::prelude::*;

#[task(singleton = 5)]
async fn number() {}

#[task(singleton = "")]
async fn empty_key() {}

#[task(singleton = "a\nb", standby = "never", overrun = "kill")]
async fn each_value() {}

#[task(singleton(key = "ledger"), standby, overrun("abort"), ticks = 1)]
async fn forms() {}

#[task(standby = "not_ready", overrun = "abort", ticks = "at_least_once", restart = "always", every = "1h")]
async fn without_singleton() {}

#[task(singleton = false, standby = "not_ready")]
async fn no_singleton() {}

#[task(singleton, ticks = "at_least_once", restart = "always", interval = "1h")]
async fn without_ticks() {}

// All at once.
#[task(singleton, restart = "always", every = "1500ms", initial_delay = "1s", ready = "completed", unready_after = 3)]
async fn common_ticks() {}

#[task(restart = "always", every = "1h", missed = "once", late = "1h")]
async fn missed_without_singleton() {}

#[task(restart = "always", interval = "1h", singleton, missed = "once")]
async fn missed_without_ticks() {}

#[task(restart = "always", every = "1h", singleton, zone = "UTC")]
async fn zone_of_a_period() {}

#[task(leader_election, at_least_once = true, fleet = Fleet::local())]
async fn other_words() {}

#[task]
async fn right() {}

#[task(restart = "always", every = "1h", singleton, missed = "once", late = "1h", ticks = "at_least_once")]
async fn hourly() {}

fn main() {
    // One key is missing, which is one error.
    let _ = supervise!(
        tasks = [task(right {}, singleton), store = group(singleton, tasks = [hourly {}])],
        slots = [slot(deploy, fleet)],
    );
    let _ = supervise!(slots = [slot(deploy, fleet)]);
    let _ = supervise!(fleet = "billing", tasks = [task(right {}, singleton)]);
    let _ = supervise!(fleet, singleton, cluster = Fleet::local());
    let _ = supervise!(fleet(name = "billing"), tasks = [task(right {}, singleton)]);
    let _ = supervise!(
        fleet = Fleet::local(),
        tasks = [
            // What is missing here may be in `#[task]`.
            one = task(right {}, standby = "not_ready", missed = "skip", ticks = "at_most_once"),
            two = task(right {}, singleton = false, overrun = "abort"),
            three = task(right {}, singleton, every = "100ms", initial_delay = Duration::ZERO),
            four = group(standby = "ready", ticks = "at_least_once", tasks = []),
            five = group(singleton, tasks = [task(right {}, singleton), inner = group(singleton = "key", tasks = [])]),
            six = task(right {}, singleton, after = [one]),
            seven = task(right {}, after = [six, five]),
            eight = group(after = [six], tasks = []),
            nine = group(fleet, tasks = []),
        ],
        slots = [
            slot(first, fleet, admission = "replace"),
            slot(second, fleet, concurrency = 2, keyed),
            slot(third, fleet = "yes"),
            slot(fourth, singleton),
            slot(fifth, cluster),
            slot(sixth, fleet, admission = "latest", concurrency = 1),
            slot(seventh, fleet = false, admission = "replace", concurrency = 2),
        ],
    );
}
