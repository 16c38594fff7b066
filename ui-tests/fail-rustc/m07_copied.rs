//! M07: a task that was copied and not renamed, with the same arguments. See `m07_twice.rs` for why there is more than E0428.

use taskvisor::prelude::*;

#[task]
async fn ping(number: u8) {
    let _ = number;
}

#[task]
async fn ping(number: u8) {
    let _ = number;
}

fn main() {
    supervise!(tasks = [ping { number: 1 }]);
}
