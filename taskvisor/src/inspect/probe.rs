//! Responses to the probes of an orchestrator.

use std::fmt::Write as _;

use super::health::{Health, Phase, Unhealthy};

/// The response to `/livez` or `/readyz`, for any web server: a status and a body of plain text.
///
/// The first line of the body is `ok`, or `not live` or `not ready`. Then follow the problem of the tree itself, if
/// there is one, and one line for each unhealthy task: its problem, the start of its state (UTC), and for a pending
/// task the siblings that it waits for. `/readyz` also lists the tasks that are excluded from readiness. The body lists
/// at most 32 tasks, and the number of the others. The guide explains [readiness and health](crate::guide::readiness),
/// and how to serve the probes in [a web server](crate::guide::web_server).
///
/// ```text
/// not ready
/// store/pool: not ready: backoff, since 2026-11-23T08:15:30Z
/// serve: not ready: pending, waits for store, since 2026-11-23T08:15:28Z
/// sync: failed: cannot read the catalogue: connection refused, since 2026-11-23T07:59:02Z
/// does not count: relay: not ready: backoff, since 2026-11-23T08:15:29Z
/// ```
///
/// | the tree | `/livez` | `/readyz` |
/// |---|---|---|
/// | has not started, or starts | 200 | 503 |
/// | is up | 200 | 200 |
/// | has a task in backoff, or not ready yet | 200 | 503 |
/// | has a task that waits for an interval or initial delay | 200 | 200 |
/// | has a task or group that ended in failure, until that is [acknowledged](crate::Health) | 200 | 503 |
/// | has such a task with `readiness = false` | 200 | 200 |
/// | has a task that has waited for a permit for 10 s | 200 | 503 |
/// | has an attempt that is [quiet](crate::Problem::Quiet), and its watchdog may end it soon | 200 | 503 |
/// | has an attempt past its watchdog | 503 | 503 |
/// | has an attempt past its stop deadline | 503 | 503, as it is stopping |
/// | drains and shuts down | 200 | 503, from the moment it is requested |
/// | has stopped or failed | 503 | 503 |
/// | has only tasks that ended and did not fail, with no shutdown | 200 | 200 |
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), taskvisor::RuntimeError> {
/// use taskvisor::{Probe, SupervisorConfig, TaskContext, TaskFn, TaskSpec, Tree};
///
/// let migrate = TaskFn::arc("migrate", |_: TaskContext| async { Ok(()) });
/// let tree = Tree::builder(SupervisorConfig::default()).task(TaskSpec::inherit(migrate)).build();
/// assert_eq!(tree.health().readyz().body, "not ready\nnot started\n");
///
/// tree.start().await?;
/// tree.wait_ready().await;
/// let Probe { status, body, .. } = tree.health().readyz();
/// assert_eq!((status, &*body, Probe::CONTENT_TYPE), (200, "ok\n", "text/plain; charset=utf-8"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "it does nothing unless it is read"]
pub struct Probe {
    /// The status of the response: 200 or 503.
    pub status: u16,
    /// The body of the response, at most 16 KiB.
    pub body: String,
}

/// The number of tasks in a body.
const NAMED: usize = 32;
/// The largest length of a body in bytes, minus room for one more line.
const LONGEST: usize = 16 * 1024 - 100;

impl Probe {
    /// The value of the header `Content-Type`.
    pub const CONTENT_TYPE: &'static str = "text/plain; charset=utf-8";

    /// Creates a response: the failure if there is one, the phase if that is a reason, lines while there is room, and the
    /// number of the others.
    fn new(
        failure: Option<&str>,
        phase: Option<String>,
        lines: impl IntoIterator<Item = String>,
        unnamed: usize,
    ) -> Self {
        let mut body = format!("{}\n", failure.unwrap_or("ok"));
        if let Some(phase) = phase {
            // Writing to a string cannot fail.
            let _ = writeln!(body, "{phase}");
        }
        let (mut named, mut more) = (0, unnamed);
        for line in lines {
            if named == NAMED || body.len() + line.len() >= LONGEST {
                more += 1;
                continue;
            }
            named += 1;
            body.push_str(&line);
            body.push('\n');
        }
        if more > 0 {
            let _ = writeln!(body, "and {more} more");
        }
        Self { status: if failure.is_none() { 200 } else { 503 }, body }
    }
}

fn lines(unhealthy: &[Unhealthy]) -> impl Iterator<Item = String> + '_ {
    unhealthy.iter().map(ToString::to_string)
}

impl Health {
    /// Returns the response to `/livez`. Status 503 requests a restart of the process.
    pub fn livez(&self) -> Probe {
        if self.is_live() {
            return Probe::new(None, None, [], 0);
        }
        let phase = (self.phase == Phase::Stopped).then(|| self.about_tree());
        Probe::new(Some("not live"), phase, lines(&self.not_live), 0)
    }

    /// Returns the response to `/readyz`. Status 503 requests that no traffic is sent.
    pub fn readyz(&self) -> Probe {
        let without = self.not_counted.iter().map(|one| format!("does not count: {one}"));
        if self.is_ready() {
            return Probe::new(None, None, without, self.more_not_counted);
        }
        let phase = (self.phase != Phase::Open).then(|| self.about_tree());
        let unnamed = self.more + self.more_not_counted;
        Probe::new(Some("not ready"), phase, lines(&self.not_ready).chain(without), unnamed)
    }
}
