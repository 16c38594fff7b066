//! Values of the wrong type where a fleet is said.

use taskvisor::prelude::*;

#[task(singleton = 5 + 5, standby = 1 + 2, overrun = 1 + 1)]
async fn ledger() {}

#[task]
async fn ping() {}

fn main() {
    let store = 5;
    let _ = supervise!(fleet = store, tasks = [task(ping {}, singleton = Some('k'))]);
    let _ = supervise!(fleet = Fleet::local(), slots = [slot(deploy, fleet = Fleet::local())]);
    let _ = supervise!(fleet = &Fleet::local());
}
