//! Names and paths that do not exist, or exist already: one error each, although much is generated from them.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[task]
async fn m09_typo(client: Clinet) {}

#[task]
async fn m09_typo_in_error() -> Result<(), PingEror> {
    Ok(())
}

#[task(retry_if = is_transient)]
async fn m09_typo_in_retried_error() -> Result<(), PingEror> {
    Ok(())
}

fn is_transient(_: &String) -> bool {
    true
}

#[task(crate = "facade::taskvisor", timeout = "5s", backoff(first = "1s"))]
async fn m11(number: u8) -> Result<(), String> {
    Ok(())
}

#[subscriber(crate = "facade::taskvisor", queue = 5)]
async fn m11_listener(event: &Event, number: u8) {}

#[supervisor(crate = "facade::taskvisor")]
fn m11_tree() -> M11 {
    supervise!(grace = "5s", tasks = [ping {}, store = group(tasks = [ping {}])])
}

struct Taken;

#[supervisor]
fn m01() -> Taken {
    supervise!(tasks = [ping {}, store = group(tasks = [ping {}])])
}

struct Service;

impl Service {
    #[supervisor]
    fn m14(&self) -> App {
        supervise!(tasks = [ping {}])
    }
}

fn main() {}
