//! T3: values of other types in `overrides`.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

fn types() {
    let prefix = String::from("APP");
    supervise!(overrides = prefix, tasks = [ping {}]);
    supervise!(overrides = Some(Overrides::env("APP")), tasks = [ping {}]);
}

fn main() {}
