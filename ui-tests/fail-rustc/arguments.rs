//! Arguments that cannot be cloned for each attempt, or shared between threads.

use std::cell::Cell;
use std::rc::Rc;
use taskvisor::prelude::*;

struct Connection;

#[task]
async fn not_clone(number: u8, connection: Connection) {
    let _ = (number, connection);
}

#[task]
async fn not_send(counter: Rc<u8>) {
    let _ = counter;
}

#[task]
async fn not_sync(counter: Cell<u8>) {
    let _ = counter;
}

fn main() {
    let _ = supervise!(
        tasks = [
            not_clone { number: 1, connection: Connection },
            not_send { counter: Rc::new(1) },
            not_sync { counter: Cell::new(1) },
        ],
    );
}
