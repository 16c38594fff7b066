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
//! it once, for the supervisor that represents the process. A dependency that enables the feature changes nothing.

use std::env;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Instant, timeout_at};

use super::causes::one_line;
use super::health::{Health, Phase, Problem, Unhealthy};
use super::snapshot::shortened;
use crate::runtime::Core;
use crate::supervisor::{RuntimeError, SupervisorHandle};

/// The longest time between two checks.
const TICK: Duration = Duration::from_secs(1);
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
/// | `EXTEND_TIMEOUT_USEC=` | each second of a shutdown, for 10 s: its `drain` and `grace` hold, also where the unit's `TimeoutStopSec` is shorter |
///
/// Without `NOTIFY_SOCKET` it completes at once. It respects `WATCHDOG_PID`. It does not change the environment, so
/// child processes inherit it; systemd ignores their messages unless the unit has `NotifyAccess=all`. Start a program
/// that notifies systemd itself with `env_remove("NOTIFY_SOCKET")`.
///
/// [`run_to_exit`](crate::Tree::run_to_exit) waits for the message with the result, for 250 ms at most.
///
/// It spawns nothing and does not keep the supervisor alive. Messages are sent from the thread that polls it, and wait
/// while the socket of systemd is full, as in `sd_notify(3)`. A message that cannot be sent is dropped. The socket must
/// be a path; abstract sockets of Linux, with `@`, are not supported.
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
            // A failed message cannot be reported.
            tell(&core, watchdog, |messages| drop(sd_notify::notify(messages))).await;
        }
    }
}

async fn tell(core: &Core, watchdog: Option<Duration>, mut send: impl FnMut(&[NotifyState<'_>])) {
    let mut said = Said::default();
    let mut pulse = watchdog.map(Pulse::new);
    loop {
        let news = core.news();
        let health = core.health("");
        let stopped = health.phase == Phase::Stopped;
        let status = match core.waiting() {
            _ if stopped => last_status(&core.verdict().await),
            Some(waiting) => format!("{waiting}{}", who("stuck", &health.not_live)),
            None => status(&health),
        };
        let now = Instant::now();
        let beat = health.is_live() && pulse.as_mut().is_some_and(|pulse| pulse.is_due(now));
        let messages = said.next(health.phase, core.was_ready(), status, beat);
        if !messages.is_empty() {
            send(&messages);
        }
        if stopped {
            return;
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

    fn is_due(&mut self, now: Instant) -> bool {
        let due = now >= self.due;
        if due {
            self.due = now + self.period;
        }
        due
    }

    /// A message that is overdue, because the tree is not live, is sent when that changes.
    fn next_check(&self, now: Instant) -> Instant {
        let tick = now + TICK.min(self.period);
        if self.due > now { tick.min(self.due) } else { tick }
    }
}

/// The messages that were sent, and are not repeated.
#[derive(Default)]
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
    let tasks = health.tasks + health.more;
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
mod tests {
    use std::sync::Mutex;

    use tokio::time::sleep;

    use super::*;
    use crate::sync::lock;
    use crate::{Ready, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec, Tree};

    /// The sent messages with their times in milliseconds.
    type Sent = Arc<Mutex<Vec<(u128, String)>>>;

    fn told(tree: &Tree, watchdog: Option<Duration>) -> (Sent, tokio::task::JoinHandle<()>) {
        let (sent, start) = (Sent::default(), Instant::now());
        let (core, log) = (Arc::clone(&tree.supervisor().core), Arc::clone(&sent));
        let telling = async move {
            tell(&core, watchdog, |messages| {
                let texts = messages.iter().map(|message| (start.elapsed().as_millis(), message.to_string()));
                lock(&log).extend(texts);
            })
            .await;
        };
        (sent, tokio::spawn(telling))
    }

    fn taken(sent: &Sent) -> Vec<(u128, String)> {
        std::mem::take(&mut lock(sent))
    }

    fn at(at: u128, text: &str) -> (u128, String) {
        (at, text.to_owned())
    }

    /// A task that is ready after `ready`, and takes `stop` to stop.
    fn slow(name: &str, ready: u64, stop: u64) -> TaskSpec {
        let task = TaskFn::arc(name, move |ctx: TaskContext| async move {
            sleep(Duration::from_millis(ready)).await;
            ctx.ready();
            ctx.cancelled().await;
            sleep(Duration::from_millis(stop)).await;
            Err(TaskError::Canceled)
        });
        TaskSpec::inherit(task).with_ready(Ready::Signal)
    }

    fn tree(specs: impl IntoIterator<Item = TaskSpec>) -> Tree {
        let config = SupervisorConfig { drain: Duration::from_secs(1), ..SupervisorConfig::default() };
        Tree::builder(config).tasks(specs).build()
    }

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn it_tells_of_the_start_and_of_the_end_at_once() {
        let tree = tree([slow("a", 1500, 600), slow("b\nREADY=1", 0, 600)]);
        let (sent, telling) = told(&tree, None);
        tree.start().await.unwrap();
        sleep(Duration::from_millis(5200)).await;
        assert_eq!(
            taken(&sent),
            [at(0, "STATUS=0 of 2 ready; not ready: a (pending), b\\nREADY=1 (pending)")]
                .into_iter()
                .chain([at(1000, "STATUS=1 of 2 ready; not ready: a (running)")])
                .chain([at(1500, "READY=1"), at(1500, "STATUS=2 of 2 ready")])
                .collect::<Vec<_>>()
        );

        tree.shutdown().await.unwrap();
        telling.await.unwrap();
        let extended = "EXTEND_TIMEOUT_USEC=10000000";
        assert_eq!(
            taken(&sent),
            [
                at(5200, "STOPPING=1"),
                at(5200, extended),
                at(5200, "STATUS=shutting down, 2 left"),
                at(6200, extended),
                at(6800, "STATUS=stopped"),
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_is_told_at_half_its_time_until_the_end() {
        let tree = tree([slow("a", 0, 4000)]);
        tree.start().await.unwrap();
        let (sent, telling) = told(&tree, Some(Duration::from_secs(5)));
        sleep(Duration::from_secs(9)).await;
        drop(tree.shutdown());
        telling.await.unwrap();
        let beats = taken(&sent).into_iter().filter(|(_, text)| text == "WATCHDOG=1").map(|(at, _)| at);
        assert_eq!(beats.collect::<Vec<_>>(), [0, 2500, 5000, 7500, 10_000, 12_500]);
    }

    #[test]
    fn a_beat_that_was_withheld_is_sent_as_soon_as_it_may_be() {
        let start = Instant::now();
        let mut pulse = Pulse { period: 10 * TICK, due: start };
        assert_eq!(pulse.next_check(start), start + TICK, "not live, and so not even asked");
        assert!(pulse.is_due(start + TICK) && !pulse.is_due(start + 2 * TICK));
        assert_eq!(pulse.next_check(start + TICK * 21 / 2), start + 11 * TICK);
        let short = Pulse { period: TICK / 4, due: start };
        assert_eq!(short.next_check(start), start + TICK / 4);
    }

    #[test]
    fn a_status_names_a_few() {
        let since = std::time::SystemTime::UNIX_EPOCH;
        let stuck =
            |n| Unhealthy { path: format!("t{n}"), problem: Problem::Silent, since, awaits: Vec::new(), error: None };
        let health = Health { tasks: 5, not_live: (0..4).map(stuck).collect(), ..Health::default() };
        assert_eq!(status(&health), "5 of 5 ready; stuck: t0, t1, t2 and 1 more");
    }

    #[tokio::test(start_paused = true)]
    async fn k6c_a_status_says_who_ended_in_failure_and_who_does_not_count() {
        let fatal = |name: &str| {
            TaskSpec::inherit(TaskFn::arc(name, |_: TaskContext| async {
                Err(TaskError::Fatal { reason: "no such\nvolume".into() })
            }))
        };
        let tree = tree([fatal("import"), fatal("relay").without_readiness(), slow("serve", 0, 0)]);
        tree.start().await.unwrap();
        sleep(Duration::from_millis(1)).await;
        let expected = "1 of 3 ready; not ready: import (failed: no such\\nvolume); does not count: relay (failed: no \
                        such\\nvolume)";
        assert_eq!(status(&tree.health()), expected);
        tree.shutdown().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn there_is_no_watchdog_message_while_a_task_is_stuck() {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let released = Arc::new(Mutex::new(released));
        let stuck = TaskFn::arc("stuck", move |_: TaskContext| {
            let released = Arc::clone(&released);
            async move {
                tokio::task::yield_now().await;
                // Its worker hands its other tasks over: one that it was about to run, such as the telling one, would
                // be stuck with it.
                let _ = tokio::task::block_in_place(|| lock(&released).recv());
                Ok(())
            }
        });
        let tree = tree([TaskSpec::inherit(stuck).with_watchdog(Duration::from_millis(20))]);
        let (sent, _telling) = told(&tree, Some(Duration::from_millis(20)));
        tree.start().await.unwrap();
        let seen = async |wanted: &str| {
            while !lock(&sent).iter().any(|(_, text)| text.contains(wanted)) {
                sleep(Duration::from_millis(1)).await;
            }
            taken(&sent)
        };
        let seen = async |wanted| tokio::time::timeout(HOUR / 60, seen(wanted)).await.expect(wanted);

        let before = seen("; stuck: stuck").await;
        assert!(before.last().unwrap().1.ends_with("; stuck: stuck; not ready: stuck (no heartbeat)"), "{before:?}");
        sleep(Duration::from_millis(100)).await;
        assert_eq!(taken(&sent), []);
        drop(release);
        seen("WATCHDOG=1").await;
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_with_the_supervisor_and_says_how() {
        let deaf = TaskFn::arc("deaf", |_: TaskContext| std::future::pending());
        let tree = tree([TaskSpec::inherit(deaf)]);
        let (sent, telling) = told(&tree, None);
        tree.start().await.unwrap();
        drop(tree);
        telling.await.unwrap();
        let (_, last) = taken(&sent).pop().unwrap();
        assert_eq!(last, "STATUS=stopped: 1 task not stopped in time (grace 60s): deaf");
    }

    #[tokio::test(start_paused = true)]
    async fn what_never_was_ready_is_not_said_to_be() {
        let tree = tree([slow("a", 1_000_000, 0)]);
        let (sent, telling) = told(&tree, None);
        tree.start().await.unwrap();
        sleep(TICK).await;
        drop(tree.shutdown());
        telling.await.unwrap();
        assert!(taken(&sent).iter().all(|(_, text)| text != "READY=1"));
    }
}
