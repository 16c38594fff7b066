//! Child processes of attempts (feature `process`).
//!
//! `run` has the methods of `TaskContext`, `error` why a process failed. `group` is a process group on Unix, whose
//! signals and end it knows; `child` is what other systems have. `output` reads the output of either.

mod error;
#[cfg(unix)]
mod group;
#[cfg(not(unix))]
#[path = "child.rs"]
mod group;
mod output;
mod run;

use std::process::ExitStatus;

pub use error::ProcessError;

/// How a process ended.
struct Ended {
    status: ExitStatus,
    /// Whether it was requested to stop before.
    is_stopped: bool,
}
