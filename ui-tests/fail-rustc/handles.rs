//! A handle of a task that is not in the tree.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

fn main() {
    let tree = supervise!(tasks = [ping {}, other = ping {}]);
    let _ = &tree.tasks.pin;
    let _ = &tree.others;
}
