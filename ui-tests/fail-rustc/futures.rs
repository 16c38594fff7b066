//! A future that holds a value that is not `Send`.

use std::rc::Rc;
use taskvisor::prelude::*;

#[task]
async fn not_send(number: u8) {
    let shared = Rc::new(number);
    tokio::task::yield_now().await;
    drop(shared);
}

fn main() {
    let _ = supervise!(tasks = [not_send { number: 1 }]);
}
