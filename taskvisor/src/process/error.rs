//! The error of a child process.

use std::io;
use std::process::ExitStatus;

/// The error of a child process: it could not be started, or ended without success.
///
/// It is the source of the [`TaskError`](crate::TaskError) that [`TaskContext::run_process`] and its variants return.
///
/// [`TaskContext::run_process`]: crate::TaskContext::run_process
///
/// # Examples
/// ```
/// use taskvisor::{ProcessError, TaskError};
///
/// /// For `#[task(retry_if = worth_a_retry)]`: the program exits with code 2 if its arguments are wrong.
/// fn worth_a_retry(error: &TaskError) -> bool {
///     let TaskError::Error(error) = error else { return true };
///     match error.downcast_ref() {
///         Some(ProcessError::Exit { status, .. }) => status.code() != Some(2),
///         _ => true,
///     }
/// }
/// # assert!(worth_a_retry(&TaskError::error("other")));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// The process could not be started.
    #[error("process `{program}` could not be started")]
    #[non_exhaustive]
    Start {
        /// The program, as given to the command.
        program: String,
        /// The error of the operating system, such as [`NotFound`](io::ErrorKind::NotFound).
        source: io::Error,
    },
    /// The process ended with a status other than success.
    #[error("process `{program}` failed: {status}")]
    #[non_exhaustive]
    Exit {
        /// The program, as given to the command.
        program: String,
        /// Its exit code, or the signal that ended it.
        status: ExitStatus,
    },
    /// The status or the output of the process could not be read. Its process group is killed.
    #[error("process `{program}` is lost")]
    #[non_exhaustive]
    Lost {
        /// The program, as given to the command.
        program: String,
        /// The error of the operating system.
        source: io::Error,
    },
}
