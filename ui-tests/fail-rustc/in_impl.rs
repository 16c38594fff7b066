//! M24: a function in an `impl` that looks like a free one. A macro is not told what stands around the function, so its
//! struct is refused there by the compiler. See `fail/m24_in_impl.rs` for functions that show where they are.

use taskvisor::prelude::*;

struct Service;

impl Service {
    #[task]
    async fn ping(number: u8) {
        let _ = number;
    }
}

fn main() {}
