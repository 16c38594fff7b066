//! The context of an attempt.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::blocking::Job;
use super::error::TaskError;
use super::stop_reason::StopReason;
use crate::inspect::TaskId;
use crate::panics::catch;
use crate::runtime::{Cell, SpanRef};
use crate::supervisor::SupervisorHandle;
use crate::tree::last_segment;

/// The context of one attempt: its stop request, its identity and its helpers.
///
/// Clones are cheap and refer to the same attempt. They keep no task running and own no supervisor. Take a context or a
/// token only to watch it: an attempt that takes one gets time to clean up, also after a timeout. When the attempt has
/// ended, its context is canceled.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use taskvisor::{TaskContext, TaskFn};
///
/// let task = TaskFn::arc("consume", |ctx: TaskContext| async move {
///     while ctx.run_until_cancelled(tokio::time::sleep(Duration::from_secs(1))).await.is_some() {
///         println!("{} works", ctx.name());
///     }
///     Ok(())
/// });
/// ```
#[derive(Clone)]
pub struct TaskContext(Kind);

#[derive(Clone)]
enum Kind {
    Attempt { cell: Arc<Cell>, attempt: u64, span: SpanRef },
    Detached(Arc<Detached>),
}

struct Detached {
    id: TaskId,
    path: Arc<str>,
    token: CancellationToken,
}

impl TaskContext {
    pub(crate) fn new(cell: Arc<Cell>, attempt: u64, span: SpanRef) -> Self {
        Self(Kind::Attempt { cell, attempt, span })
    }

    /// Creates a context without a supervisor, for a test of a task. It is the context of a first attempt of the task at
    /// `path`, which ends when `token` is canceled.
    pub fn detached(path: impl Into<Arc<str>>, token: CancellationToken) -> Self {
        Self(Kind::Detached(Arc::new(Detached { id: TaskId::next(), path: path.into(), token })))
    }

    /// The attempt's token: cancelled when the attempt is told to stop, and when it ends. Hand it to what must stop
    /// with the attempt. It is made when it is first asked for.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        match &self.0 {
            Kind::Attempt { cell, attempt, .. } => cell.token(*attempt),
            Kind::Detached(detached) => detached.token.clone(),
        }
    }

    /// Waits until the attempt is told to stop, times out or has ended.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn cancelled(&self) {
        self.token().cancelled().await;
    }

    /// Whether the attempt was told to stop, timed out or has ended.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        match &self.0 {
            Kind::Attempt { cell, attempt, .. } => cell.is_cancelled(*attempt),
            Kind::Detached(detached) => detached.token.is_cancelled(),
        }
    }

    /// Runs `future` until it is done, which gives `Some`, or the attempt is cancelled, which drops it and gives
    /// `None`.
    ///
    /// # Cancel safety
    /// As that of `future`.
    pub async fn run_until_cancelled<F: Future>(&self, future: F) -> Option<F::Output> {
        self.token().run_until_cancelled(future).await
    }

    /// Runs a helper beside the attempt. When the attempt has ended, its helpers are waited for, and those that go on
    /// past the clean-up window are aborted; no next attempt begins before. A helper that panics cancels the attempt,
    /// which then has failed with that panic.
    ///
    /// Once the attempt has ended, `future` is dropped without being run.
    ///
    /// # Panics
    /// On a detached context, if there is no Tokio runtime.
    pub fn spawn<F: Future<Output = ()> + Send + 'static>(&self, future: F) {
        match &self.0 {
            Kind::Attempt { cell, attempt, span } => cell.spawn_helper(*attempt, span, future),
            Kind::Detached(detached) => {
                let token = detached.token.clone();
                tokio::spawn(async move { token.run_until_cancelled(future).await });
            }
        }
    }

    /// Makes a job that is waited for as a helper is, and cannot be aborted. Its panic is its error.
    pub(crate) fn job(&self, work: impl FnOnce() -> Result<(), TaskError> + Send + 'static) -> Job {
        match &self.0 {
            Kind::Attempt { cell, attempt, span } => cell.job(*attempt, span, work),
            Kind::Detached(_) => Box::new(|| catch(work).unwrap_or_else(Err)),
        }
    }

    /// Returns the path of the task, from the root of the tree. Events and calls by name use it. For a child of the
    /// root, it is the name.
    pub fn path(&self) -> &str {
        match &self.0 {
            Kind::Attempt { cell, .. } => cell.name(),
            Kind::Detached(detached) => &detached.path,
        }
    }

    /// Returns the name of the task among its siblings: the last segment of its [`path`](Self::path).
    pub fn name(&self) -> &str {
        last_segment(self.path())
    }

    /// The registration.
    pub fn id(&self) -> TaskId {
        match &self.0 {
            Kind::Attempt { cell, .. } => cell.id(),
            Kind::Detached(detached) => detached.id,
        }
    }

    /// Why the attempt was requested to stop; `None` before that. A final attempt, which begins because a stop was
    /// requested ([`TaskSpec::with_final_attempt`](crate::TaskSpec::with_final_attempt)), knows by this that it is one:
    /// it has a reason, and is not cancelled.
    #[must_use]
    pub fn stop_reason(&self) -> Option<StopReason> {
        match &self.0 {
            Kind::Attempt { cell, attempt, .. } => cell.stop_reason(*attempt),
            Kind::Detached(detached) => detached.token.is_cancelled().then_some(StopReason::Canceled),
        }
    }

    /// Reports progress: the failures in a row before this attempt are forgotten, so that the next failure waits for
    /// the first backoff again, and `max_retries` counts anew. For a consumer that fails now and then, but gets its
    /// work done in between. No effect once the attempt has ended.
    pub fn progress(&self) {
        if let Kind::Attempt { cell, attempt, .. } = &self.0 {
            cell.progress(*attempt);
        }
    }

    /// The number of the attempt, counted from 1 and never reset; it stays at [`u32::MAX`] once it is there.
    pub fn attempt(&self) -> u32 {
        match &self.0 {
            Kind::Attempt { attempt, .. } => u32::try_from(*attempt).unwrap_or(u32::MAX),
            Kind::Detached(_) => 1,
        }
    }

    /// What the attempt before this one failed with. `None` for the first, and after one that succeeded.
    #[must_use]
    pub fn last_error(&self) -> Option<Arc<TaskError>> {
        match &self.0 {
            Kind::Attempt { cell, .. } => cell.last_error(),
            Kind::Detached(_) => None,
        }
    }

    /// Says that the attempt is ready: for a task with [`Ready::Signal`](crate::Ready::Signal), those that are after it
    /// start. No effect on others, and once the attempt has ended.
    pub fn ready(&self) {
        if let Kind::Attempt { cell, attempt, .. } = &self.0 {
            cell.signal_ready(*attempt);
        }
    }

    /// Gives a sign of life, for a task with a [`watchdog`](crate::TaskSpec::with_watchdog). No effect on others.
    pub fn heartbeat(&self) {
        if let Kind::Attempt { cell, attempt, .. } = &self.0 {
            cell.beat(*attempt);
        }
    }

    /// The supervisor, to add tasks to it or to stop them.
    ///
    /// The handle does not keep the supervisor alive: its calls fail once every owner is gone, and those of a detached
    /// context's always do.
    #[must_use]
    pub fn supervisor(&self) -> SupervisorHandle {
        match &self.0 {
            Kind::Attempt { cell, .. } => SupervisorHandle::new(Arc::clone(cell.core())),
            Kind::Detached(_) => SupervisorHandle::closed(),
        }
    }
}

impl fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskContext")
            .field("path", &self.path())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::TaskContext {}
    impl Sealed for super::CancellationToken {}
}

/// A type that a task can take as its first argument: a [`TaskContext`] or a [`CancellationToken`].
pub trait FromContext: sealed::Sealed + Sized + Send + 'static {
    /// Extracts the argument from the context.
    fn from_context(ctx: TaskContext) -> Self;
}

impl FromContext for TaskContext {
    fn from_context(ctx: TaskContext) -> Self {
        ctx
    }
}

impl FromContext for CancellationToken {
    fn from_context(ctx: TaskContext) -> Self {
        ctx.token()
    }
}
