//! Subscribers whose types the compiler refuses.

use std::rc::Rc;
use taskvisor::prelude::*;

struct Connection;

#[subscriber]
async fn not_clone(event: &Event, number: u8, connection: Connection) {
    let _ = (event, number, connection);
}

#[subscriber]
async fn not_send(event: &Event, counter: Rc<u8>) {
    let _ = (event, counter);
}

#[subscriber]
async fn not_an_event(event: &EventKind) {
    let _ = event;
}

#[subscriber]
async fn not_send_future(event: &Event) {
    let shared = Rc::new(event.seq);
    tokio::task::yield_now().await;
    drop(shared);
}

#[subscriber(name = 5 + 5, queue = "a".len() as u8)]
async fn options(event: &Event) {
    let _ = event;
}

fn main() {
    let _ = supervise!(
        subscribers = [
            not_clone { number: 1, connection: Connection },
            not_send { counter: Rc::new(1) },
            not_an_event {},
            not_send_future {},
            options {},
        ],
    );
}
