//! A function in an `impl` that looks like a free one.

use taskvisor::prelude::*;

struct Service;

impl Service {
    #[task]
    async fn ping(number: u8) {
        let _ = number;
    }
}

fn main() {}
