//! M07: many mistakes in one tree are told at once.

use taskvisor::prelude::*;

#[task]
async fn listen() {}

#[task(name = "listen")]
async fn hear(number: u8) {
    let _ = number;
}

// Ten mistakes, each of which is found in a way of its own.
fn app() -> impl Sized {
    supervise!(
        grce = "5s",
        drain: "5s",
        max_concurrent = "four",
        max_starting = ,
        tasks = [
            listen {},
            hear { number: 1 },
            one = hear { numbr: 1 },
            two = absent {},
            three = hear { number: number. },
            four = task(listen {}, after = [nobody]),
            one = hear { number: "1" },
        ],
    )
}

fn main() {}
