//! M08: options between the braces of an entry, with the `:` of an argument.

use std::time::Duration;

use taskvisor::prelude::*;

#[task]
async fn ping() {}

// An argument may have the name of an option.
#[task]
async fn poll(address: String, timeout: Duration) {
    let _ = (address, timeout);
}

// What is no task from a function keeps the message of the compiler alone.
struct own {}

impl From<own> for TaskSpec {
    fn from(_: own) -> Self {
        ping::spec()
    }
}

async fn plain() {}

fn main() {
    let store = String::from("store");
    supervise!(
        tasks = [
            poll { address: store, timeout: Duration::from_secs(1) },
            ping { timeout: "5s" },
            second = task(ping { name: "second" }, restart = always),
            third = poll { address: String::new(), timeout: Duration::ZERO, interval: "1s" },
            all = group(tasks = [ping { after: [poll] }, own { timeout: 1 }]),
            fourth = ping { restart: "always", critical: true },
            fifth = task(ping { label: "x" }, critical),
            plain { timeout: "5s" },
            typo { timeout: "5s" },
        ],
    );
}
