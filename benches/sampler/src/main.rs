//! Takes one sample: this process does one work with one contender, and prints its cost.
//!
//! `sampler WORK CONTENDER RUNTIME SIZE` prints lines of `key value`, or `unsupported` if the contender cannot do that
//! work. `cargo run --release -p benches` builds and runs it; [`Work`] lists the works.
#![allow(clippy::cast_precision_loss, reason = "counts and nanoseconds stay far below 2^52")]

mod contender;
mod countdown;
mod floor;
mod memory;
mod ours;
#[cfg(feature = "peers")]
mod peers;
mod sample;
mod work;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::contender::{Contender, Measured};
use crate::work::Work;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sampler: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [work, contender, runtime, size] = arguments.as_slice() else {
        return Err("expected WORK CONTENDER RUNTIME SIZE".into());
    };
    let work = Work::parse(work)?;
    let runtime = build(runtime)?;
    let size = size.parse().map_err(|_| format!("`{size}` is no size"))?;

    let sample = match contender.as_str() {
        "floor" => measure(&runtime, floor::Floor, work, size),
        "taskvisor" => measure(&runtime, ours::Taskvisor, work, size),
        #[cfg(feature = "peers")]
        "taskvisor-0.9" => measure(&runtime, peers::Taskvisor09, work, size),
        #[cfg(feature = "peers")]
        "task-supervisor" => measure(&runtime, peers::TaskSupervisor, work, size),
        #[cfg(feature = "peers")]
        "tokio-graceful-shutdown" => measure(&runtime, peers::TokioGracefulShutdown, work, size),
        #[cfg(feature = "peers")]
        "ractor" => measure(&runtime, peers::Ractor, work, size),
        #[cfg(feature = "peers")]
        "kameo" => measure(&runtime, peers::Kameo, work, size),
        _ => return Err(format!("unknown contender `{contender}`").into()),
    }?;
    runtime.shutdown_timeout(Duration::from_millis(200));
    match sample {
        Some(sample) => print!("{sample}"),
        None => println!("unsupported"),
    }
    Ok(())
}

/// Builds a runtime with all drivers, as `#[tokio::main]` does.
fn build(runtime: &str) -> Result<Runtime, Box<dyn Error + Send + Sync>> {
    match runtime {
        "ct" => Ok(Builder::new_current_thread().enable_all().build()?),
        "mt" => Ok(Builder::new_multi_thread().worker_threads(2).enable_all().build()?),
        _ => Err(format!("unknown runtime `{runtime}`: ct or mt").into()),
    }
}

/// Runs the measured code in a spawned task, so that no blocked thread has to be woken.
fn measure<C: Contender>(runtime: &Runtime, contender: C, work: Work, size: u64) -> Measured {
    runtime.block_on(async { runtime.spawn(async move { work.run(&contender, size).await }).await? })
}
