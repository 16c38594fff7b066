//! M07: two tasks of one name.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[task(timeout = "5s")]
async fn ping(number: u8) -> Result<(), String> {
    Ok(())
}

fn main() {}
