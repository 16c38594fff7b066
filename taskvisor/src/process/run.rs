//! The methods of a context that run a process.

use std::io;
use std::process::{ExitStatus, Output, Stdio};

use tokio::process::Command;

use super::Ended;
use super::error::ProcessError;
use super::group::{Process, obeyed};
use super::output::output;
use crate::task::{TaskContext, TaskError};

/// Child processes (feature `process`).
impl TaskContext {
    /// Runs a child process until it ends, and returns its exit status as the result of a task. Takes the `Command` of
    /// Tokio or of the standard library.
    ///
    /// The process belongs to the attempt. On Unix, it leads a process group of its own, which its children join:
    ///
    /// | case | the process group |
    /// |---|---|
    /// | the attempt is canceled: a stop request, a timeout | gets SIGTERM, and is waited for |
    /// | the attempt is aborted at the end of that time, by `stop_timeout`, `cleanup` or `grace` | gets SIGKILL |
    /// | the attempt panics; this future is dropped | gets SIGKILL |
    /// | the process ends by itself | other processes of the group get SIGKILL |
    /// | the method returns | has no process that runs |
    ///
    /// So no process is left behind, as a zombie or as an orphan, with two exceptions. A killed process, which runs no
    /// more code, can exist beside the next attempt: it is waited for, but for at most 1 s if the process has ended by
    /// itself. A zombie whose parent is another process remains until that reaps it: if the parent has left the group,
    /// or if PID 1 of a container reaps nothing. On Linux it is not waited for; on other systems, until the end of the
    /// stop time if the attempt is canceled. A process that leaves the group, for example by `setsid`, gets no signal. If
    /// this program is killed, its processes continue to run. On Windows, `TerminateProcess` replaces both signals, and
    /// ends only the process, not its children; Ctrl+C and Ctrl+Break reach the process at the same time as this program,
    /// unless the command has the creation flag `CREATE_NEW_PROCESS_GROUP`.
    ///
    /// On Unix the end of a process is learned from SIGCHLD. Where a parent process has blocked that signal, or other code
    /// has replaced the handler of Tokio, the method does not return.
    ///
    /// Arguments, environment, directory, standard input, output and error are those of the command. Standard input,
    /// output and error are inherited by default; one that is piped is closed. Choose [`Stdio::null`] as the input of a
    /// process that may read it: a process that is not in the group of the terminal is suspended when it reads from it.
    /// On Unix, Ctrl+C does not reach the process, but the stop request that it causes does.
    ///
    /// # Errors
    /// - [`TaskError::Error`] with a [`ProcessError`], which names the program: the process cannot be started, or ends
    ///   with a status other than success.
    /// - [`TaskError::Canceled`] if the attempt is canceled. Before the call: nothing is started. During it: the
    ///   process ended with success, by SIGTERM, or with the code 143 that a shell gives for it. Another status is the
    ///   error above.
    ///
    /// # Panics
    /// If the runtime has IO disabled.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, the process group gets SIGKILL.
    ///
    /// # Examples
    /// ```
    /// use std::process::{Command, Stdio};
    /// use taskvisor::prelude::*;
    ///
    /// /// Runs a server that is a program of its own, and restarts it when it ends.
    /// #[task(restart = "always", backoff(first = "1s", max = "1m", factor = 2.0), stop_timeout = "10s")]
    /// async fn sidecar(ctx: TaskContext, port: u16) -> Result<(), TaskError> {
    ///     let mut command = Command::new("sleep");
    ///     command.arg("60").env("PORT", port.to_string()).stdin(Stdio::null());
    ///     ctx.run_process(command).await
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), RuntimeError> {
    /// let tree = supervise!(tasks = [sidecar { port: 8081 }]);
    /// tree.run_until(tokio::time::sleep(std::time::Duration::from_millis(50))).await
    /// # }
    /// ```
    pub async fn run_process(&self, command: impl Into<Command>) -> Result<(), TaskError> {
        let mut running = self.start(command.into())?;
        let Ended { status, is_stopped } = running.end(self).await?;
        if is_stopped && obeyed(status) {
            Err(TaskError::Canceled)
        } else if status.success() {
            Ok(())
        } else {
            Err(TaskError::error(ProcessError::Exit { program: running.program, status }))
        }
    }

    /// As [`run_process`](Self::run_process), but returns the exit status, whatever it is. After a stop request, this
    /// is the status of a process that got SIGTERM: see [`is_cancelled`](Self::is_cancelled).
    ///
    /// # Errors
    /// As [`run_process`](Self::run_process), but no status is an error.
    ///
    /// # Panics
    /// If the runtime has IO disabled.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, the process group gets SIGKILL.
    ///
    /// # Examples
    /// ```
    /// # use taskvisor::TaskContext;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), taskvisor::TaskError> {
    /// # let ctx = TaskContext::detached("example", Default::default());
    /// # #[cfg(unix)] {
    /// let status = ctx.process_status(std::process::Command::new("false")).await?;
    /// assert_eq!(status.code(), Some(1));
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn process_status(&self, command: impl Into<Command>) -> Result<ExitStatus, TaskError> {
        Ok(self.start(command.into())?.end(self).await?.status)
    }

    /// As [`process_status`](Self::process_status), but also collects the standard output and error of the process,
    /// without a limit. Waits for the end of both: a process that has left the group and keeps them, as a daemon may, holds
    /// that up; on Unix, until the attempt is canceled.
    ///
    /// # Errors
    /// As [`process_status`](Self::process_status).
    ///
    /// # Panics
    /// If the runtime has IO disabled.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, the process group gets SIGKILL, and the output is lost.
    ///
    /// # Examples
    /// ```
    /// # use taskvisor::TaskContext;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), taskvisor::TaskError> {
    /// # let ctx = TaskContext::detached("example", Default::default());
    /// # #[cfg(unix)] {
    /// let mut command = std::process::Command::new("echo");
    /// command.arg("hello");
    /// let output = ctx.process_output(command).await?;
    /// assert!(output.status.success());
    /// assert_eq!(output.stdout, b"hello\n");
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn process_output(&self, command: impl Into<Command>) -> Result<Output, TaskError> {
        let mut command = command.into();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.start(command)?.output(self).await
    }

    /// Starts a process.
    fn start(&self, mut command: Command) -> Result<Running, TaskError> {
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        if self.is_cancelled() {
            return Err(TaskError::Canceled);
        }
        match Process::spawn(command.kill_on_drop(true)) {
            Ok(process) => Ok(Running { program, process }),
            Err(error) => {
                let source = name_missing_directory(&command, error);
                Err(TaskError::error(ProcessError::Start { program, source }))
            }
        }
    }
}

/// Names the directory of the command if that is what does not exist. The error of the system is the same for a missing
/// program.
fn name_missing_directory(command: &Command, error: io::Error) -> io::Error {
    match command.as_std().get_current_dir() {
        Some(directory) if error.kind() == io::ErrorKind::NotFound && !directory.exists() => {
            io::Error::new(error.kind(), format!("its directory `{}` does not exist", directory.display()))
        }
        _ => error,
    }
}

struct Running {
    program: String,
    process: Process,
}

impl Running {
    /// Waits for the end of the process. Piped output is closed, because nothing reads it.
    async fn end(&mut self, ctx: &TaskContext) -> Result<Ended, TaskError> {
        drop((self.process.stdout.take(), self.process.stderr.take()));
        self.process.wait(ctx.token()).await.map_err(|source| self.lost(source))
    }

    /// Waits for the end of the process and of its output.
    async fn output(&mut self, ctx: &TaskContext) -> Result<Output, TaskError> {
        output(&mut self.process, ctx.token()).await.map_err(|source| self.lost(source))
    }

    fn lost(&self, source: io::Error) -> TaskError {
        TaskError::error(ProcessError::Lost { program: self.program.clone(), source })
    }
}
