//! Notifies systemd of the state of a supervisor.
//!
//! ```no_run
//! use taskvisor::prelude::*;
//!
//! # #[task(restart = "always")]
//! # async fn serve(ctx: TaskContext) { ctx.cancelled().await; }
//! #[tokio::main]
//! async fn main() -> Result<(), RuntimeError> {
//!     let tree = supervise!(tasks = [serve {}]);
//!     tokio::spawn(taskvisor::systemd::notify(tree.supervisor()));
//!     tree.run().await
//! }
//! ```
//! The unit:
//!
//! ```text
//! [Unit]
//! Description=A service of tasks
//!
//! [Service]
//! Type=notify
//! ExecStart=/usr/local/bin/app
//! WatchdogSec=30s
//! Restart=on-failure
//!
//! [Install]
//! WantedBy=multi-user.target
//! ```
//!
//! `systemctl status` then shows a line such as the following, and after the stop the result of `run`:
//!
//! ```text
//! Status: "11 of 12 ready; not ready: store/pool (backoff)"
//! ```
//!
//! The guide explains [readiness and health](crate::guide::readiness).
//!
//! `run` does not do this by itself, because a process is one service for systemd and can have many supervisors. Call
//! it once, for the supervisor that represents the process. The feature alone changes nothing, also if a dependency
//! enables it.

use std::env;
use std::future::Future;
use std::io::{self, ErrorKind};
#[cfg(unix)]
use std::os::unix::net::UnixDatagram;
#[cfg(target_os = "linux")]
use std::os::{linux::net::SocketAddrExt as _, unix::ffi::OsStrExt as _, unix::net::SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::causes::one_line;
use super::health::{Health, Phase, Problem, Unhealthy};
use super::snapshot::shortened;
use crate::runtime::Core;
use crate::supervisor::{RuntimeError, SupervisorHandle};

/// The longest time between two checks.
const TICK: Duration = Duration::from_secs(1);
/// The time until a message for which there was no place is sent again.
const RETRY: Duration = Duration::from_millis(100);
/// The time by which systemd extends `TimeoutStopSec` for each message during a shutdown.
const EXTENSION: Duration = Duration::from_secs(10);

/// Notifies systemd of the state of the supervisor, until it has stopped. Spawn it on the runtime of the supervisor.
///
/// | message | when |
/// |---|---|
/// | `READY=1` | the first tree or batch is [ready](SupervisorHandle::wait_ready), once |
/// | `STATUS=` | the number of ready tasks, and the tasks that are not ready or are stuck; during a shutdown that takes longer than 1 s, the task that it waits for; checked each second, sent after a change |
/// | `WATCHDOG=1` | at half of `WATCHDOG_USEC`, as long as it is [live](Health::is_live): if a task is stuck past its watchdog, or the runtime is, systemd restarts the process |
/// | `STOPPING=1` | a shutdown is requested, also while it drains |
/// | `EXTEND_TIMEOUT_USEC=` | each second of a shutdown, for 10 s: so `drain` and `grace` are respected even if the unit's `TimeoutStopSec` is shorter |
///
/// It does not extend `TimeoutStartSec`, the time until `READY=1`, which is 90 s by default: set that longer than the longest
/// start, migrations included.
///
/// Without `NOTIFY_SOCKET` it completes at once. It respects `WATCHDOG_PID`. It does not change the environment, so
/// child processes inherit it; systemd ignores their messages unless the unit has `NotifyAccess=all`. Start a program
/// that notifies systemd itself with `env_remove("NOTIFY_SOCKET")`.
///
/// [`run_to_exit`](crate::Tree::run_to_exit) waits for the message with the result, for 250 ms at most.
///
/// It spawns nothing and does not keep the supervisor alive. No message blocks the thread that polls it: while the socket
/// of systemd is full, what there is to tell is tried again each 100 ms, with the state of then. A message that cannot be
/// sent for another reason is dropped. The socket is a path, or on Linux an abstract socket, with `@`.
///
/// # Cancel safety
/// Dropping the future ends the messages, also those of the watchdog.
///
/// # Panics
/// If it is polled outside a Tokio runtime with time enabled.
pub fn notify(supervisor: &SupervisorHandle) -> impl Future<Output = ()> + Send + 'static + use<> {
    let core = Arc::clone(&supervisor.core);
    let until_told = core.notifiers.subscribe();
    async move {
        let _until_told = until_told;
        if env::var_os("NOTIFY_SOCKET").is_some_and(|socket| !socket.is_empty()) {
            let watchdog = sd_notify::watchdog_enabled().filter(|timeout| !timeout.is_zero());
            tell(&core, watchdog, |messages| match send(messages) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => Sent::NoPlace,
                // A failed message cannot be reported.
                _ => Sent::Done,
            })
            .await;
        }
    }
}

/// Sends messages to systemd, all or none of them. Fails with [`ErrorKind::WouldBlock`] if its socket is full.
#[cfg(unix)]
fn send(messages: &[NotifyState<'_>]) -> io::Result<()> {
    // `sd_notify` blocks while the socket is full, and knows only sockets that are paths.
    let name = env::var_os("NOTIFY_SOCKET").unwrap_or_default();
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    #[cfg(target_os = "linux")]
    let connected = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => socket.connect_addr(&SocketAddr::from_abstract_name(name)?),
        None => socket.connect(name),
    };
    #[cfg(not(target_os = "linux"))]
    let connected = socket.connect(name);
    connected?;
    let lines: Vec<String> = messages.iter().map(ToString::to_string).collect();
    socket.send(lines.join("\n").as_bytes()).map(drop)
}

#[cfg(not(unix))]
fn send(messages: &[NotifyState<'_>]) -> io::Result<()> {
    sd_notify::notify(messages)
}

/// Whether messages are with systemd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// They are, or never will be.
    Done,
    /// Its socket is full.
    NoPlace,
}

async fn tell(core: &Core, watchdog: Option<Duration>, mut send: impl FnMut(&[NotifyState<'_>]) -> Sent) {
    let mut said = Said::default();
    let mut pulse = watchdog.map(Pulse::new);
    loop {
        let news = core.news();
        let health = core.health("");
        let stopped = health.phase == Phase::Stopped;
        let status = match core.waiting() {
            _ if stopped => last_status(&core.verdict().await),
            Some(mut waiting) => {
                waiting.task = shortened(&waiting.task, 60).into();
                format!("{waiting}{}", who("stuck", &health.not_live))
            }
            None => status(&health),
        };
        let now = Instant::now();
        let beat = health.is_live() && pulse.as_ref().is_some_and(|pulse| pulse.is_due(now));
        let mut next_said = said.clone();
        let messages = next_said.next(health.phase, core.was_ready(), status, beat);
        if !messages.is_empty() && send(&messages) == Sent::NoPlace {
            sleep_until(now + RETRY).await;
            continue;
        }
        if stopped {
            return;
        }
        said = next_said;
        if let Some(pulse) = pulse.as_mut().filter(|_| beat) {
            pulse.has_beaten(now);
        }
        let next = pulse.as_ref().map_or(now + TICK, |pulse| pulse.next_check(now));
        let _ = timeout_at(next, news).await;
    }
}

/// The times of the messages of the watchdog.
struct Pulse {
    period: Duration,
    due: Instant,
}

impl Pulse {
    fn new(timeout: Duration) -> Self {
        Self { period: timeout / 2, due: Instant::now() }
    }

    fn is_due(&self, now: Instant) -> bool {
        now >= self.due
    }

    fn has_beaten(&mut self, now: Instant) {
        self.due = now + self.period;
    }

    /// A message that is overdue, because the tree is not live, is sent when that changes.
    fn next_check(&self, now: Instant) -> Instant {
        let tick = now + TICK.min(self.period);
        if self.due > now { tick.min(self.due) } else { tick }
    }
}

/// The messages that were sent, and are not repeated.
#[derive(Default, Clone)]
struct Said {
    ready: bool,
    stopping: bool,
    status: String,
}

impl Said {
    fn next(&mut self, phase: Phase, was_ready: bool, status: String, beat: bool) -> Vec<NotifyState<'_>> {
        let mut messages = Vec::new();
        if was_ready && phase == Phase::Open && !self.ready {
            self.ready = true;
            messages.push(NotifyState::Ready);
        }
        if matches!(phase, Phase::ShuttingDown | Phase::Stopped) && !self.stopping {
            self.stopping = true;
            messages.push(NotifyState::Stopping);
        }
        if phase == Phase::ShuttingDown {
            messages.push(NotifyState::ExtendTimeoutUsec(EXTENSION.as_micros().try_into().unwrap_or(u32::MAX)));
        }
        if beat {
            messages.push(NotifyState::Watchdog);
        }
        if status != self.status {
            self.status = status;
            messages.push(NotifyState::Status(&self.status));
        }
        messages
    }
}

/// Formats the state in one short line.
fn status(health: &Health) -> String {
    let tasks = health.tasks + health.more + health.more_not_counted;
    let ready = health.tasks - health.not_ready.len() - health.not_counted.len();
    let stuck = who("stuck", &health.not_live);
    match health.phase {
        Phase::Open => {
            let unready = who("not ready", &health.not_ready);
            format!("{ready} of {tasks} ready{stuck}{unready}{}", who("does not count", &health.not_counted))
        }
        Phase::ShuttingDown => format!("shutting down, {tasks} left{stuck}"),
        phase => phase.to_string(),
    }
}

fn last_status(verdict: &Result<(), RuntimeError>) -> String {
    match verdict {
        Ok(()) => "stopped".to_owned(),
        Err(error) => format!("stopped: {}", shortened(&one_line(error), 200)),
    }
}

/// Formats the first few names.
fn who(what: &str, unhealthy: &[Unhealthy]) -> String {
    const NAMED: usize = 3;
    if unhealthy.is_empty() {
        return String::new();
    }
    let name = |one: &Unhealthy| {
        let path = shortened(&one.path, 60);
        match one.problem {
            Problem::NotReady(state) if one.awaits.is_empty() => format!("{path} ({state})"),
            Problem::NotReady(state) => {
                format!("{path} ({state}, waits for {})", shortened(&one.awaits.join(", "), 60))
            }
            Problem::Quiet { .. } => format!("{path} (no heartbeat)"),
            Problem::Failed => {
                let error = shortened(one.error.as_deref().unwrap_or_default(), 60);
                format!("{path} (failed: {error})")
            }
            Problem::AwaitsPermit { .. } => format!("{path} (awaits a permit)"),
            Problem::Making => format!("{path} (makes its children)"),
            Problem::Silent | Problem::PastStop => path,
        }
    };
    let named = unhealthy.iter().take(NAMED).map(name).collect::<Vec<_>>().join(", ");
    match unhealthy.len().saturating_sub(NAMED) {
        0 => format!("; {what}: {named}"),
        more => format!("; {what}: {named} and {more} more"),
    }
}

#[cfg(test)]
#[path = "systemd_test.rs"]
mod tests;
