//! A child process and its process group.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process_group, test_kill_process_group, waitid, waitpgid,
};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::runtime::Handle;
use tokio::signal::unix::{self, SignalKind, signal};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Ended;
use crate::runtime::Background;

/// The exit code of a shell whose command was ended by SIGTERM: 128 plus the number of the signal.
const TERMINATED: i32 = 128 + 15;

/// The interval at which a group whose leader has ended is checked for other members. The system reports only the end
/// of the leader.
const POLL: Duration = Duration::from_millis(5);

/// A child process, the leader of its own process group.
///
/// Dropping it kills the group. A group keeps its id until its last member is reaped, so no signal can reach an
/// unrelated process while the leader is not reaped. After that, the group is checked for members every few
/// milliseconds. Its id is not reused within that time, because the system assigns ids in turn.
pub(super) struct Process {
    id: Pid,
    /// `None` after a drop.
    child: Option<Child>,
    pub(super) stdout: Option<ChildStdout>,
    pub(super) stderr: Option<ChildStderr>,
    exits: unix::Signal,
    is_over: bool,
}

impl Process {
    pub(super) fn spawn(command: &mut Command) -> io::Result<Self> {
        // The handler is installed before the process can end.
        let exits = signal(SignalKind::child())?;
        let mut child = command.process_group(0).spawn()?;
        let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let id = id.ok_or_else(|| io::Error::other("a child without an id"))?;
        // Standard input is closed: a process that reads it gets the end of the file.
        drop(child.stdin.take());
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        Ok(Self { id, child: Some(child), stdout, stderr, exits, is_over: false })
    }

    /// Waits until no process of the group is left, and returns the status of the leader.
    ///
    /// When `stop` is canceled, the group gets SIGTERM, and its members have time to end by themselves. If the leader
    /// ends without a stop request, the other members are killed.
    pub(super) async fn wait(&mut self, stop: CancellationToken) -> io::Result<Ended> {
        let is_stopped = stop.run_until_cancelled(self.leader_exit()).await.is_none();
        if is_stopped {
            self.signal(Signal::TERM);
            // A suspended process handles SIGTERM only when it continues.
            self.signal(Signal::CONT);
            self.leader_exit().await;
        } else {
            self.signal(Signal::KILL);
        }
        let Some(child) = &mut self.child else { return Err(io::ErrorKind::NotFound.into()) };
        let status = child.wait().await;
        no_members(self.id).await;
        self.is_over = true;
        Ok(Ended { status: status?, is_stopped })
    }

    /// Waits until the leader has ended.
    async fn leader_exit(&mut self) {
        while !self.leader_ended() && self.exits.recv().await.is_some() {}
    }

    /// Returns `true` if the leader has ended, and does not reap it.
    fn leader_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        // On an error, other code has reaped the leader. The wait for its status reports that.
        !matches!(waitid(WaitId::Pid(self.id), options), Ok(None))
    }

    /// Sends a signal to the group. An error is ignored: the members have ended, or belong to another user by now.
    fn signal(&self, signal: Signal) {
        let _ = kill_process_group(self.id, signal);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.signal(Signal::KILL);
        // Without a runtime, Tokio reaps the leader when a runtime runs again.
        if let (Some(mut child), Ok(runtime)) = (self.child.take(), Handle::try_current()) {
            let id = self.id;
            let reaping: Background = Box::pin(async move {
                let _ = child.wait().await;
                no_members(id).await;
            });
            runtime.spawn(reaping);
        }
    }
}

/// Waits until no process of the group is left. Reaps members that are children of this process: as PID 1 of a
/// container, it is the parent of each process whose parent has ended.
async fn no_members(id: Pid) {
    loop {
        while let Ok(Some(_)) = waitpgid(id, WaitOptions::NOHANG) {}
        if test_kill_process_group(id).is_err() {
            return;
        }
        sleep(POLL).await;
    }
}

/// Returns `true` if the status of a process that was requested to stop is that of a proper end.
pub(super) fn obeyed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;

    status.success() || status.signal() == Some(Signal::TERM.as_raw()) || status.code() == Some(TERMINATED)
}
