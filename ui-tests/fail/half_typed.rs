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
        ],
    );
    tree.tasks.ping.cancel().await.ok();
    tree.tasks.other.cancel().await.ok();
    tree.tasks.in_backoff.cancel().await.ok();
    tree.tasks.typed.cancel().await.ok();
}
