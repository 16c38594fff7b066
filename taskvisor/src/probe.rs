//! Answers to the probes of an orchestrator.

use std::fmt::Write as _;

use crate::health::{Health, Phase, Unwell};

/// The answer to `/livez` or `/readyz`, for any web server: a status and a body of plain text.
///
/// The body is `ok` in one line; or what is not the case, then the tree's own reason if it has one, then who is not, a
/// line each, with what is wrong and since when (UTC). It holds at most 32 of them, and how many more there are.
///
/// ```text
/// not ready
/// store/pool: not ready: backoff, since 2026-11-23T08:15:30Z
/// serve: not ready: pending, since 2026-11-23T08:15:28Z
/// ```
///
/// | the tree | `/livez` | `/readyz` |
/// |---|---|---|
/// | has not started, or starts | 200 | 503 |
/// | is up | 200 | 200 |
/// | has a task in backoff, or not ready yet | 200 | 503 |
/// | has a task that has waited for a permit of `max_concurrent` for 10 s | 200 | 503 |
/// | has an attempt past its watchdog or stop deadline | 503 | as its tasks are |
/// | drains and shuts down | 200 | 503, from the moment it is requested |
/// | has stopped or failed | 503 | 503 |
/// | has only tasks that ended, with no shutdown | 200 | 200 |
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
pub struct Probe {
    /// The status of the response: 200, or 503.
    pub status: u16,
    /// The body of the response, at most 16 KiB.
    pub body: String,
}

/// How many a body names.
const NAMED: usize = 32;

impl Probe {
    /// What the body is, for the header `Content-Type`.
    pub const CONTENT_TYPE: &'static str = "text/plain; charset=utf-8";

    fn ok() -> Self {
        Self { status: 200, body: "ok\n".to_owned() }
    }

    fn unavailable(what: &str, whole: Option<Phase>, unwell: &[Unwell]) -> Self {
        let mut body = format!("{what}\n");
        // Writing to a string cannot fail.
        if let Some(phase) = whole {
            let _ = writeln!(body, "{phase}");
        }
        for one in unwell.iter().take(NAMED) {
            let _ = writeln!(body, "{one}");
        }
        if unwell.len() > NAMED {
            let _ = writeln!(body, "and {} more", unwell.len() - NAMED);
        }
        Self { status: 503, body }
    }
}

impl Health {
    /// The answer to `/livez`: status 503 asks for a restart of the process.
    #[must_use]
    pub fn livez(&self) -> Probe {
        if self.is_live() {
            return Probe::ok();
        }
        let whole = Some(self.phase).filter(|phase| *phase == Phase::Stopped);
        Probe::unavailable("not live", whole, &self.not_live)
    }

    /// The answer to `/readyz`: status 503 asks for no more work.
    #[must_use]
    pub fn readyz(&self) -> Probe {
        if self.is_ready() {
            return Probe::ok();
        }
        let whole = Some(self.phase).filter(|phase| *phase != Phase::Open);
        Probe::unavailable("not ready", whole, &self.not_ready)
    }
}
