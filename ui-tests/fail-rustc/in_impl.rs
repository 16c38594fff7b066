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

// Tried for the one error about the struct, which the parser drops in an `impl` with all that hangs on it:
//
// - Items in an attribute macro on the struct: one error, and 1 % more of a check of 100 tasks. But a path to taskvisor
//   that does not exist is then that of a macro and no import, after which the compiler goes on: each use of each task is
//   an error as well, and the help of `cargo add` is missing.
// - Items in a constant in the `where` of the struct: one error, but rustdoc shows the `where`.
// - Items in a constant in the `where` of an empty `impl`: two errors. Both need an `#[allow(non_local_definitions)]`,
//   which is an error under a `forbid` of it.
fn main() {}
