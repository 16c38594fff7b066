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
        ],
        subscribers = [..specs()],
    );
    tree.tasks.named.cancel().await.ok();
    tree.tasks.attributed.cancel().await.ok();
    tree.tasks.empty.cancel().await.ok();
}
