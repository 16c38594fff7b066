//! Futures that hold a value that is not `Send`.

use std::rc::Rc;
use std::sync::{Arc, Mutex};
use taskvisor::prelude::*;

#[task]
async fn not_send(number: u8) {
    let shared = Rc::new(number);
    tokio::task::yield_now().await;
    drop(shared);
}

#[task]
async fn guarded(total: Arc<Mutex<u8>>) -> Result<(), String> {
    let mut total = total.lock().map_err(|error| error.to_string())?;
    tokio::task::yield_now().await;
    *total += 1;
    Ok(())
}

async fn helper() {
    let shared = Rc::new(1);
    tokio::task::yield_now().await;
    drop(shared);
}

fn is_transient(error: &std::io::Error) -> bool {
    error.raw_os_error().is_some()
}

#[task(retry_if = is_transient)]
async fn through_another() -> Result<(), std::io::Error> {
    helper().await;
    Ok(())
}

fn main() {
    let total = Arc::new(Mutex::new(0));
    let _ = supervise!(tasks = [not_send { number: 1 }, guarded { total }, through_another {}]);
}
