//! Types that only the compiler knows.

use taskvisor::prelude::*;
use tokio::sync::mpsc::Receiver;

#[task]
async fn ping() {}

fn m01() -> taskvisor::Tree {
    supervise!(tasks = [ping {}])
}

#[task]
async fn m04(inbox: Receiver<u32>) {}

#[task]
async fn m09_str(text: str) {}

#[task]
async fn m09_slice(bytes: [u8]) {}

#[task]
async fn m09_cow(text: std::borrow::Cow<str>) {}

#[task(name = concat!("a", "/", "b"))]
async fn m16_path() {}

#[task(name = 5 + 5)]
async fn m16_number() {}

#[deny(unused_must_use)]
fn m16_unused() {
    ping {};
}

#[supervisor]
fn m01_taken() -> Tree {
    supervise!(tasks = [ping {}])
}

fn main() {}
