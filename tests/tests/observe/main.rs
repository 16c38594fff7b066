//! The output to a `tracing` subscriber and a `metrics` recorder.

mod blocking;
mod dashboard;
mod leases;
mod levels;
mod log;
mod metrics;
mod repeats;
mod spans;
mod table;
mod together;
mod trouble;
mod unsteady;

use std::future::Future;

use tokio::runtime::Builder;

/// Runs a future on this thread, with paused time.
fn run<F: Future>(future: F) -> F::Output {
    Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}
