//! What a user is still typing is one error, and takes nothing else with it.

use taskvisor::prelude::*;

#[task(restart = "always", interval = )]
async fn value_missing() {}

#[task(restart = "always" interval = "10s")]
async fn comma_missing() {}

#[task(restart = "always", backoff(first = , max = "10s"))]
async fn in_backoff() {}

#[task(restart = "always", interval)]
async fn value_to_come() {}

#[task]
async fn ping(number: u8) {
    let _ = number;
}

#[tokio::main]
async fn main() {
    let (number, name) = (1, String::from("app"));
    let tree = supervise!(
        name = name,
        grace = ,
        tasks = [
            value_missing {},
            ping { number: number. },
            other = ping { number },
            task(in_backoff {}, timeout = ),
            typed = ping { number: },
            // What cannot be read may be what others are after.
            half.,
            store = group(
                strategy = ,
                tasks = [
                    pool = ping { number: number. },
                    inner = group(tasks = [ping { number: }, value_missing {}], after = [pool, ]),
                    last = task(ping { number }, after = [inner.]),
                ],
                after = [ping, unread],
                backoff(first = ),
            ),
            open = group(tasks = ),
        ],
    );
    // A comma or a word is missing.
    let other = supervise!(
        grace = "5s"
        tasks = [
            value_missing {}
            store = group(strategy = one_for_all(max_restarts = ), tasks = [ping { number: 1 }]),
            task(in_backoff {}, = "always", interval = "1s", after = [value_missing]),
        ],
    );
    let last = supervise!(
        slots = [slot(deploy, capacity = )],
        tasks = [task(value_missing {}, timeout = "5s") ..Vec::<TaskSpec>::new()],
    );
    last.tasks.value_missing.cancel().await.ok();
    other.groups.store.tasks.ping.cancel().await.ok();
    other.tasks.in_backoff.cancel().await.ok();
    tree.groups.store.tasks.pool.cancel().await.ok();
    tree.groups.store.groups.inner.tasks.value_missing.cancel().await.ok();
    tree.groups.store.tasks.last.cancel().await.ok();
    tree.groups.open.cancel().await.ok();
    tree.tasks.ping.cancel().await.ok();
    tree.tasks.other.cancel().await.ok();
    tree.tasks.in_backoff.cancel().await.ok();
    tree.tasks.typed.cancel().await.ok();
}
