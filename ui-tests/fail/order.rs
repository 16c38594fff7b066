//! `after` that names no earlier sibling.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[task]
async fn pong() {}

#[task(after = [ping])]
async fn on_the_function() {}

fn specs() -> Vec<TaskSpec> {
    Vec::new()
}

#[tokio::main]
async fn main() {
    let tree = supervise!(
        tasks = [
            task(ping {}, after = [pong, ping, store]),
            task(pong {}, after = [pong]),
            first = task(ping {}, after = [pign, ping, ping, r#ping]),
            store = group(
                tasks = [pool = task(ping {}, after = [first]), inner = group(tasks = [deep = pong {}])],
                after = [strore, store, last, pool, frist],
            ),
            task(pong::spec().with_name("unlabelled"), after = [pool, deep, unlabelled]),
            last = task(ping {}, after = [inner, store, frobnicate]),
        ],
    );
    tree.groups.store.tasks.pool.cancel().await.ok();
    tree.groups.store.groups.inner.tasks.deep.cancel().await.ok();
    tree.tasks.last.cancel().await.ok();

    let _ = supervise!(
        defaults(after = [ping]),
        tasks = [
            ..specs(),
            task(ping {}, after = [specs]),
            task(pong {}, after = ping),
            one = task(pong {}, after = ["ping", ping::spec, 5, store.pool, ..specs()]),
            two = task(pong {}, after(ping)),
            three = task(pong {}, after),
        ],
    );
}
