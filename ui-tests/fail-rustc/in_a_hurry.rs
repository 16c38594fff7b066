//! What a hand in a hurry types: one error for each mistake.

use std::time::Duration;

use taskvisor::prelude::*;

#[task]
async fn ping() {}

// An argument that was copied and not renamed.
#[task]
async fn copied(number: u8, number: u8) {}

#[subscriber]
async fn copied_listener(event: &Event, number: u8, number: String) {
    let _ = event;
}

#[task]
async fn poll(timeout: Duration) {
    let _ = timeout;
}

fn main() {
    let limit = Duration::from_secs(1);
    supervise!(
        subscribers = [copied_listener { number: 1 }],
        tasks = [
            ping { timeout = "5s", interval = "1m" },
            poll { timeout = limit },
            copied { number: 1 },
        ],
    );
}
