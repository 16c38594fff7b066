//! Entries that cannot be read, and labels that collide.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[task]
async fn pong(number: u8) {
    let _ = number;
}

fn specs() -> Vec<TaskSpec> {
    Vec::new()
}

#[tokio::main]
async fn main() {
    let tree = supervise!(
        tasks = [
            ping {},
            ping {},
            pong { number: 1 },
            pong = ping {},
            task(ping {}, name = "other"),
        ],
    );
    tree.tasks.ping.cancel().await.ok();
    tree.tasks.pong.cancel().await.ok();

    let tree = supervise!(
        tasks = [
            a.b = ping {},
            5 = ping {},
            spread = ..specs(),
            ..,
            ..=specs(),
            task(),
            empty = task(),
            task(label = ping {}),
            named = task(ping {}, name = "named"),
            #[allow(unused)]
            attributed = ping {},
            pair = (ping {}, timeout = "5s"),
        ],
        subscribers = [0..specs()],
    );
    tree.tasks.named.cancel().await.ok();
    tree.tasks.attributed.cancel().await.ok();
    tree.tasks.empty.cancel().await.ok();

    // Of entries under `#[cfg(..)]` one may stand in for another, if not both are there.
    let tree = supervise!(
        tasks = [
            #[cfg(all())]
            ping {},
            ping {},
            #[cfg(all())]
            twice = ping {},
            #[cfg(not(any()))]
            twice = pong { number: 1 },
            #[cfg(any())]
            thrice = missing {},
            thrice = ping {},
            #[cfg(any())]
            thrice = missing {},
            #[cfg(all())]
            store = group(tasks = [ping {}, #[cfg(all())] ping {}]),
            #[cfg(all())]
            store = ping {},
            #[cfg(any())]
            absent = group(tasks = [ping {}, #[cfg(all())] ping {}]),
        ],
    );
    tree.tasks.ping.cancel().await.ok();
    tree.tasks.twice.cancel().await.ok();
    tree.tasks.thrice.cancel().await.ok();
    tree.groups.store.tasks.ping.cancel().await.ok();
}
