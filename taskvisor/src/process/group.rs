//! A child process and its process group.

use std::io;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process_group, test_kill_process_group, waitid, waitpgid,
};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::runtime::Handle;
use tokio::signal::unix::{self, SignalKind, signal};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Ended;
use crate::panics::catch;
use crate::runtime::Background;

/// The exit code of a shell whose command was ended by SIGTERM: 128 plus the number of the signal.
const TERMINATED: i32 = 128 + 15;

/// The interval at which a group whose leader has ended is checked for other members. The system reports only the end
/// of the leader.
const POLL: Duration = Duration::from_millis(5);

/// The longest time that the members of a killed group are waited for. None of them runs any more, but the system may
/// not have freed what they had.
const KILLED: Duration = Duration::from_secs(1);

/// The same, for members that this process may have to reap. Nothing else waits for them.
const REAPED: Duration = Duration::from_secs(60);

/// The intervals at which the members of a group are looked at, if it has some after its leader has ended.
const LOOK: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

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

    /// Waits until no process of the group runs, and returns the status of the leader.
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
        let is_gone = no_members(self.id, if is_stopped { Duration::MAX } else { KILLED }).await;
        // From here on no signal is sent: the id may be that of another group by then.
        self.is_over = true;
        if let (false, Ok(runtime)) = (is_gone, Handle::try_current()) {
            let id = self.id;
            let reaping: Background = Box::pin(async move {
                no_members(id, REAPED).await;
            });
            runtime.spawn(reaping);
        }
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
                no_members(id, REAPED).await;
            });
            runtime.spawn(reaping);
        }
    }
}

/// Waits until no process of the group runs, for at most this time. Returns `true` if none is left at all. Reaps members
/// that are children of this process: as PID 1 of a container, it is the parent of each process whose parent has ended.
///
/// A zombie stays a member until its parent reaps it, which may never happen: the parent may have left the group, or be
/// a PID 1 that reaps nothing. No signal changes that.
async fn no_members(id: Pid, within: Duration) -> bool {
    // By the real clock: these are real processes, also in a test whose time is paused.
    let began = Instant::now();
    let (mut interval, longest) = LOOK;
    let mut look_at = interval;
    let mut look: Option<JoinHandle<bool>> = None;
    let reap = || while let Ok(Some(_)) = waitpgid(id, WaitOptions::NOHANG) {};
    loop {
        reap();
        if test_kill_process_group(id).is_err() {
            return true;
        }
        // Not awaited before it has finished: the pool of threads can be full.
        if let Some(finished) = look.take_if(|look| look.is_finished()) {
            if finished.await.unwrap_or(false) {
                // Those that have ended since the last time can be children of this process.
                reap();
                return test_kill_process_group(id).is_err();
            }
            interval = longest.min(interval * 2);
            look_at = began.elapsed() + interval;
        }
        if look.is_none() && began.elapsed() >= look_at {
            // Tokio panics if there is no thread, and none can be created. The next look is as late as after another.
            look = catch(|| spawn_blocking(move || has_only_zombies(id))).ok();
            if look.is_none() {
                if has_only_zombies(id) {
                    reap();
                    return test_kill_process_group(id).is_err();
                }
                interval = longest.min(interval * 2);
                look_at = began.elapsed() + interval;
            }
        }
        if began.elapsed() >= within {
            return false;
        }
        sleep(POLL).await;
    }
}

/// Returns `true` if all members of the group are zombies. `false` if this is not known.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn has_only_zombies(group: Pid) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else { return false };
    let mut is_any = false;
    for process in processes.flatten() {
        // Of a process that has been reaped in the meantime, nothing can be read.
        let stat = std::fs::read(process.path().join("stat")).unwrap_or_default();
        if let Some((of, is_zombie)) = group_and_state(&String::from_utf8_lossy(&stat)) {
            if of == group.as_raw_nonzero().get() {
                if !is_zombie {
                    return false;
                }
                is_any = true;
            }
        }
    }
    is_any
}

/// Reads the group of a process from its `/proc/PID/stat`, and whether it is a zombie.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn group_and_state(stat: &str) -> Option<(i32, bool)> {
    // The name of the program can contain anything, so the fields are counted from its end.
    let fields: Vec<_> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let (state, group, threads) = (*fields.first()?, fields.get(2)?.parse().ok()?, *fields.get(17)?);
    // A process whose first thread has ended is shown as a zombie, though its other threads run.
    Some((group, matches!(state, "Z" | "X") && matches!(threads, "0" | "1")))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn has_only_zombies(_: Pid) -> bool {
    false
}

/// Returns `true` if the status of a process that was requested to stop is that of a proper end.
pub(super) fn obeyed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;

    status.success() || status.signal() == Some(Signal::TERM.as_raw()) || status.code() == Some(TERMINATED)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn o51_a_zombie_is_told_from_a_process_whose_first_thread_has_ended() {
        let stat = |state: &str, threads: u32| {
            format!("7 (a) Z) (b) {state} 1 42 42 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 {threads} 0 1000 0 0\n")
        };
        assert_eq!(group_and_state(&stat("Z", 1)), Some((42, true)));
        assert_eq!(group_and_state(&stat("Z", 2)), Some((42, false)));
        assert_eq!(group_and_state(&stat("S", 1)), Some((42, false)));
        assert_eq!(group_and_state(""), None);
        // This process runs, and belongs to a group.
        assert!(!has_only_zombies(rustix::process::getpgrp()));
    }
}
