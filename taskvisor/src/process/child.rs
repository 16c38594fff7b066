//! A child process, on systems without process groups and SIGTERM.

use std::io;
use std::process::ExitStatus;

use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio_util::sync::CancellationToken;

use super::Ended;

/// A child process. Dropping it kills the process.
pub(super) struct Process {
    child: Child,
    pub(super) stdout: Option<ChildStdout>,
    pub(super) stderr: Option<ChildStderr>,
}

impl Process {
    pub(super) fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut child = command.spawn()?;
        // Standard input is closed: a process that reads it gets the end of the file.
        drop(child.stdin.take());
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        Ok(Self { child, stdout, stderr })
    }

    /// Waits until the process has ended, and returns its status. When `stop` is canceled, the process is killed.
    pub(super) async fn wait(&mut self, stop: CancellationToken) -> io::Result<Ended> {
        if let Some(status) = stop.run_until_cancelled(self.child.wait()).await {
            return Ok(Ended { status: status?, is_stopped: false });
        }
        self.child.start_kill()?;
        Ok(Ended { status: self.child.wait().await?, is_stopped: true })
    }
}

/// Returns `true`: on these systems a process is stopped by a kill, so its status does not matter.
pub(super) fn obeyed(_: ExitStatus) -> bool {
    true
}
