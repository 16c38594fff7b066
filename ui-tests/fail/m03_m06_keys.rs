//! Keys of lists that are misspelt, and other punctuation after them. What stands in the list has its handle.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[task]
async fn pong() {}

fn main() {
    let tree = supervise!(task = [ping {}, a = pong {}], slot = [slot(deploy)]);
    let _ = (&tree.tasks.ping, &tree.tasks.a, &tree.slots.deploy);
    let tree = supervise!(taks = [ping {}, task(pong {}, after = [ping], limit = db)], limts = [limit(db, 4)]);
    let _ = (&tree.tasks.ping, &tree.tasks.pong);
    let tree = supervise!(children = [ping {}, store = group(workers = [pong {}])], queues = [deploy]);
    let _ = (&tree.tasks.ping, &tree.groups.store.tasks.pong, &tree.slots.deploy);
    let tree = supervise!(Tasks = [ping {}], "tasks" = [pong {}], semaphore = [limit(db, 4)]);
    let _ = (&tree.tasks.ping, &tree.tasks.pong);
    let tree = supervise!(tasks = [ping {}], tasks = [pong {}], group = [store = group(tasks = [])]);
    let _ = (&tree.tasks.ping, &tree.tasks.pong, &tree.groups.store);
    // Other punctuation.
    let tree = supervise!(tasks := [ping {}], slots -> [slot(deploy)]);
    let _ = (&tree.tasks.ping, &tree.slots.deploy);
    let tree = supervise!(tasks == [ping {}], slots[slot(deploy)]);
    let _ = (&tree.tasks.ping, &tree.slots.deploy);
    let tree = supervise!(task[ping {}], tasks += [pong {}]);
    let _ = (&tree.tasks.ping, &tree.tasks.pong);
    let tree = supervise!(tasks { ping {}, pong {} });
    let _ = (&tree.tasks.ping, &tree.tasks.pong);
    let tree = supervise!(tasks(ping {}, a = pong {}), slots(deploy), limits(limit(db, 4)));
    let _ = (&tree.tasks.ping, &tree.tasks.a);
    let tree = supervise!(tasks![ping {}], slots!(slot(deploy)));
    let _ = (&tree.tasks.ping, &tree.slots.deploy);
    // Without a key.
    let tree = supervise!([ping {}, pong {}]);
    let _ = (&tree.tasks.ping, &tree.tasks.pong);
    let tree = supervise!(task(ping {}, critical), a = pong {}, store = group(tasks = [ping {}]));
    let _ = (&tree.tasks.ping, &tree.tasks.a, &tree.groups.store.tasks.ping);
}
