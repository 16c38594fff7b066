//! Child processes of attempts (feature `process`).
//!
//! `run` has the methods of `TaskContext`, and `error` the error of a process. `group` is a process group on Unix, with
//! its signals and its end; `child` is a process on other systems. `output` reads the output of either.

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

/// The end of a process.
struct Ended {
    status: ExitStatus,
    /// `true` if it was requested to stop before.
    is_stopped: bool,
}
