//! What is no subscriber, and options in the place of one.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[subscriber]
async fn log(event: &Event) {
    let _ = event;
}

fn main() {
    let flag = true;
    let _ = supervise!(subscribers = [x = log {}, #[cfg(all())] y = log {}, let z = log {}, log {} as w]);
    let _ = supervise!(subscribers = [x: log {}, y := log {}, "z": log {}, log {} @ w, log {} as "v"]);
    let _ = supervise!(subscribers = [log {}, queue = 3, name = "x", capacity(3)]);
    let _ = supervise!(subscribers = [log { queue = 3 }, log {} queue = 3]);
    let _ = supervise!(subscribers = [subscriber(log {}, queue = 3), log(queue = 3), log {}.with_queue(3)]);
    let _ = supervise!(subscribers = [task(log {}), group(tasks = [ping {}])]);
    let _ = supervise!(subscribers = [Some(log {}), "log", "a log", 5]);
    let _ = supervise!(subscribers = [if flag { log {} }, for _ in 0..3 { log {} }, while flag { log {} }]);
    let _ = supervise!(subscribers = [|event: &Event| println!("{event:?}"), async {}, (log {}, log {}), [log {}]]);
    let _ = supervise!(subscribers = [&log {}, log {}.await, log {}?, ..log {}, [log {}; 3]]);
    let _ = supervise!(subscribers = [log {};]);
    let _ = supervise!(subscribers = [log {}, log {}; log {}]);
    let _ = supervise!(subscribers = [move log {}, new log {}]);
    let _ = supervise!(subscribers = [log {},, log {}]);
    let _ = supervise!(subscribers(log {}, x = log {}));
    let _ = supervise!(subscriber = [log {}], subscribers = log {});
}
