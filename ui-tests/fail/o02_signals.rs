//! O02: mistakes in `signals`.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

fn literals() {
    supervise!(signals = "2s", tasks = [ping {}]);
    supervise!(signals = 2, tasks = [ping {}]);
    supervise!(signals("2s"), tasks = [ping {}]);
}

fn fields() {
    supervise!(
        signals(force_after = 2, interrupt = "ignore", terminate = "drian", drain = "5s", listen = false),
        tasks = [ping {}],
    );
    supervise!(signals(force = "2s"), tasks = [ping {}]);
}

fn main() {}
