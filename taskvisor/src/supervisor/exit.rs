//! The exit status of a process.

use std::io::{self, Write as _};
use std::process::{ExitCode, Termination};

use super::error::RuntimeError;

impl RuntimeError {
    /// Returns the exit status for a process that ends with this error. [`Exit`] and
    /// [`run_to_exit`](crate::Tree::run_to_exit) use it.
    ///
    /// | status | meaning | errors |
    /// |---|---|---|
    /// | 0 | `run` returned `Ok` | |
    /// | 1 | the tree failed, or a call failed | [`Failed`](Self::Failed), [`IntensityExceeded`](Self::IntensityExceeded), and those of calls |
    /// | 2 | it is misconfigured, and nothing has started | [`InvalidOption`](Self::InvalidOption), [`InvalidOverrides`](Self::InvalidOverrides), [`TaskAlreadyExists`](Self::TaskAlreadyExists), [`GroupAlreadyExists`](Self::GroupAlreadyExists), [`NoRuntime`](Self::NoRuntime), [`Signals`](Self::Signals), [`AlreadyRunning`](Self::AlreadyRunning) |
    /// | 3 | tasks were aborted at the end of their time | [`GraceExceeded`](Self::GraceExceeded) |
    /// | 4 | tasks were aborted by a forced shutdown | [`ShutdownForced`](Self::ShutdownForced) |
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::InvalidOption(_)
            | Self::InvalidOverrides(_)
            | Self::TaskAlreadyExists { .. }
            | Self::GroupAlreadyExists { .. }
            | Self::NoRuntime
            | Self::Signals(_)
            | Self::AlreadyRunning => 2,
            Self::GraceExceeded { .. } => 3,
            Self::ShutdownForced { .. } => 4,
            Self::Failed { .. }
            | Self::IntensityExceeded { .. }
            | Self::IsGroup { .. }
            | Self::TaskNotFound { .. }
            | Self::TaskRemoveTimeout { .. }
            | Self::GroupNotRunning { .. }
            | Self::GroupClosed { .. }
            | Self::ShuttingDown
            | Self::QueueFull { .. } => 1,
        }
    }
}

/// The result of `run` as the result of `main`: the process ends with the [status](RuntimeError::exit_code) of the
/// error, after the error was written to standard error.
///
/// A `main` that returns `Result<(), RuntimeError>` ends with status 1 for every error. A `main` that returns from a
/// Tokio runtime waits for the threads of its blocking pool; [`run_to_exit`](crate::Tree::run_to_exit) does not.
///
/// For a status of your own, call `std::process::exit` after `run`; the guide has [all forms](crate::guide::stopping).
///
/// # Examples
/// ```
/// use taskvisor::prelude::*;
///
/// #[task]
/// async fn migrate() -> Result<(), String> {
///     Ok(())
/// }
///
/// #[tokio::main]
/// async fn main() -> Exit {
///     supervise!(tasks = [migrate {}]).run().await.into()
/// }
/// ```
#[derive(Debug, Clone)]
#[must_use = "the process ends with it only if `main` returns it"]
pub struct Exit(Result<(), RuntimeError>);

impl Exit {
    /// Returns the exit status.
    pub fn code(&self) -> u8 {
        self.0.as_ref().map_or_else(RuntimeError::exit_code, |()| 0)
    }

    /// Returns the error as text on one line, if there is one.
    pub(crate) fn message(&self) -> Option<String> {
        self.0.as_ref().err().map(|error| format!("{error:?}"))
    }
}

impl From<Result<(), RuntimeError>> for Exit {
    fn from(result: Result<(), RuntimeError>) -> Self {
        Self(result)
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        // The status stays the same if standard error is closed.
        if let Some(message) = self.message() {
            let _ = writeln!(io::stderr(), "Error: {message}");
        }
        ExitCode::from(self.code())
    }
}
