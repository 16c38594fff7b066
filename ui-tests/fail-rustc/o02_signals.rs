//! O02: values of other types in `signals`.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

fn types() {
    supervise!(signals = Some(true), tasks = [ping {}]);
    let force_after = 2_u64;
    supervise!(signals(force_after = force_after), tasks = [ping {}]);
}

fn main() {}
