//! Return types that are no outcome of a task.

use taskvisor::prelude::*;

#[task]
async fn number() -> u32 {
    5
}

#[task]
async fn number_as_error() -> Result<(), u32> {
    Err(5)
}

#[task]
async fn value() -> Result<u32, String> {
    Ok(5)
}

#[task(retry_if = is_transient)]
async fn asked() -> u32 {
    5
}

#[task(blocking, retry_if = is_transient)]
fn asked_blocking() -> Result<(), u32> {
    Err(5)
}

fn is_transient(error: &u32) -> bool {
    *error == 0
}

#[task(blocking)]
fn blocking_number() -> u32 {
    5
}

#[task]
async fn optional() -> Option<()> {
    None
}

#[task]
async fn not_send_error() -> Result<(), Box<dyn std::error::Error>> {
    Ok(())
}

fn main() {
    let _ = supervise!(tasks = [number {}, number_as_error {}, value {}, optional {}, not_send_error {}]);
}
