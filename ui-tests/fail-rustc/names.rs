//! Tasks of one list that have the same name, which only the compiler knows.

use taskvisor::prelude::*;

const PING: &str = "ping";

#[task]
async fn ping() {}

#[task(name = "ping")]
async fn pong() {}

#[task(name = PING)]
async fn pang() {}

mod elsewhere {
    #[taskvisor::task(name = "store", blocking)]
    pub(crate) fn other(number: u8) {
        let _ = number;
    }
}

fn main() {
    let _ = supervise!(
        tasks = [
            ping {},
            pong {},
            task(pang {}, timeout = "1s"),
            #[cfg(all())]
            second = elsewhere::other { number: 1 },
            #[cfg(any())]
            third = pong {},
            store = group(
                tasks = [
                    first = ping {},
                    pong {},
                    task(pang {}, name = "first"),
                    inner = group(tasks = [pang {}, ping = elsewhere::other { number: 2 }]),
                ],
            ),
            elsewhere::other { number: 3 },
        ],
    );
}
