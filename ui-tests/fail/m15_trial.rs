//! What people type who know other libraries, or who have read one example.

use taskvisor::prelude::*;

#[task(timeout == "5s")]
async fn ping() {}

#[task]
async fn pong(number: u32) {
    let _ = number;
}

fn main() {
    // Entries among the keys, and lists that are given twice.
    let _ = supervise!(tasks = ping {}, pong { number: 1 });
    let _ = supervise!(tasks = [ping {}], tasks = [pong { number: 1 }], signals = [SIGINT]);

    // Labels.
    let _ = supervise!(tasks = [let a = ping {}, b = c = ping {}, after = [a]]);

    // What is done with values elsewhere.
    let _ = supervise!(tasks = [ping {}?, pong { number: 1 }.await, third = &ping {}, [ping {}; 3]]);
    let _ = supervise!(tasks = [pong { 5 }, pong(number: 5), limit(db, 3), a = group![ping {}], b = task!(ping {})]);

    // Strategies and their limits.
    let _ = supervise!(one_for_all, tasks = [ping {}]);
    let _ = supervise!(
        one_for_all(max_restarts = 3, within = "5s"),
        tasks = [
            a = group(one_for_all, tasks = [ping {}]),
            b = group(tasks = [ping {}], max_restarts = 3, within = "5s"),
            c = group(tasks = [ping {}], limit(max_restarts = 3, within = "5s")),
        ],
    );

    // Slots.
    let _ = supervise!(
        slots = [
            slot one,
            slot(two, tasks = [ping {}], timeout = "5s", restart = "always", after = [ping]),
        ],
    );
}
