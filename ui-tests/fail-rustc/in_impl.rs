//! A function in an `impl` that nothing tells from a free one.

use taskvisor::prelude::*;

struct Service;

impl Service {
    #[task]
    async fn ping(number: u8) {
        let _ = number;
    }
}

fn main() {}
