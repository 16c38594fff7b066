//! A handle of a task that is not in the tree.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

fn main() {
    let tree = supervise!(tasks = [ping {}, other = ping {}, store = group(tasks = [ping {}])]);
    let _ = &tree.tasks.pin;
    let _ = &tree.others;
    let _ = &tree.groups.stor;
    let _ = &tree.groups.store.tasks.pool;
    let _ = &tree.groups.store.groups.inner;
    let _ = &tree.tasks.store;
}
