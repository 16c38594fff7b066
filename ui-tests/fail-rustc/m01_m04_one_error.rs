//! M01, M04: a type that is not valid is one error, at that type.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[task]
async fn pool(size: u32) {
    let _ = size;
}

#[derive(Clone)]
struct Pointer(*const u8);

#[subscriber]
async fn shared(event: &Event, state: Rc<u8>) {
    let _ = (event, state);
}

#[subscriber(queue = 5)]
async fn in_arc(event: &Event, state: Arc<RefCell<u8>>) {
    tokio::task::yield_now().await;
    let _ = (event, state);
}

#[subscriber]
async fn cell(event: &Event, state: Cell<u8>) {
    let _ = (event, state);
}

#[subscriber]
async fn pointer(event: &Event, state: Pointer) {
    let _ = (event, state.0);
}

#[subscriber]
async fn dynamic(event: &Event, state: Arc<dyn Fn(u8)>) {
    let _ = (event, state);
}

#[derive(Debug)]
struct NoError;

#[task]
async fn no_error() -> Result<(), NoError> {
    Err(NoError)
}

#[supervisor]
fn app() -> App {
    supervise!(tasks = [ping {}])
}

// The type of another tree is expected.
fn other() -> App {
    supervise!(tasks = [ping {}])
}

fn arms(which: bool) {
    let _ = supervise!(tasks = [arm = if which { ping {} } else { pool { size: "a" } }]);
    let _ = supervise!(tasks = [arm = match which { true => ping {}, false => 5 }]);
    let _ = supervise!(tasks = [..ping::spec()]);
}

fn main() {}
