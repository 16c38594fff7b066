//! T3: mistakes in `overrides`.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

fn literals() {
    supervise!(overrides = "APP", tasks = [ping {}]);
    supervise!(overrides = ["APP_GRACE"], tasks = [ping {}], gracee = "1s");
    supervise!(overrides(env = "APP"), tasks = [ping {}]);
}

fn words() {
    supervise!(env_prefix = "APP", tasks = [ping {}]);
    supervise!(override = Overrides::env("APP"), tasks = [ping {}]);
    supervise!(tasks = [task(ping {}, overrides = Overrides::env("APP"))]);
}

fn main() {}
