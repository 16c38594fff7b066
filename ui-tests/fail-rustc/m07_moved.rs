//! M07: a use after a move is told beside the mistakes that the macro finds, though the compiler checks no borrows in a
//! function that has another error.

use taskvisor::prelude::*;

#[derive(Clone)]
struct Client;

#[task]
async fn poll(client: Client) {
    let _ = client;
}

fn app(client: Client) -> impl Sized {
    supervise!(
        grce = "5s",
        drain: "5s",
        tasks = [
            one = poll { client: client },
            two = task(poll { client: client }, after = [nobody]),
        ],
    )
}

fn main() {}
