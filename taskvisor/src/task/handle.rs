//! Handles of tasks.

use std::fmt;
use std::future::ready;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::definition::{BoxTaskFuture, Task};
use super::error::TaskError;
use super::spec::TaskSpec;
use crate::inspect::{TaskId, TaskOutcome, TaskStatus};
use crate::runtime::Cell;
use crate::supervisor::RuntimeError;
use crate::tree::last_segment;

/// One registration of a task: what it does, how it ended, and what it is to do.
///
/// A handle speaks of the registration that it was made for and of no other, even if the name is taken again. Dropping
/// it does nothing. Every verb but [`acknowledge`](Self::acknowledge) returns false once the registration has ended.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), taskvisor::RuntimeError> {
/// use taskvisor::{Supervisor, SupervisorConfig, TaskContext, TaskFn, TaskOutcome, TaskSpec};
///
/// let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
/// let task = TaskFn::arc("watch", |ctx: TaskContext| async move {
///     ctx.cancelled().await;
///     Ok(())
/// });
/// let watch = supervisor.add_task(TaskSpec::inherit(task)).await?;
///
/// assert!(watch.cancel().await?);
/// assert!(matches!(watch.outcome().await, TaskOutcome::Canceled { .. }));
/// assert!(!watch.restart(), "it has ended");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TaskHandle(Arc<Cell>);

impl TaskHandle {
    pub(crate) fn new(cell: Arc<Cell>) -> Self {
        Self(cell)
    }

    /// Identifies the registration.
    pub fn id(&self) -> TaskId {
        self.0.id()
    }

    /// The path of the task, from the root of its tree: what events and calls by name use. At the root it is the
    /// [`name`](Self::name).
    pub fn path(&self) -> &str {
        self.0.name()
    }

    /// The name of the task among its siblings: the last segment of its [`path`](Self::path).
    pub fn name(&self) -> &str {
        last_segment(self.path())
    }

    /// What the registration runs by, with all that it inherited. The value of the task is dropped when its
    /// registration has ended; the spec then holds a stand-in of the same name, which fails if it is run.
    #[must_use]
    pub fn spec(&self) -> TaskSpec {
        let name: Arc<str> = self.name().into();
        let task = self.0.task().unwrap_or_else(|| Arc::new(Gone(Arc::clone(&name))));
        TaskSpec::resolved(task, name, self.0.settings())
    }

    /// What the task is doing.
    pub fn status(&self) -> TaskStatus {
        self.0.status()
    }

    /// Tells the task to stop and waits until it has. True for the call that told it first; false, after the same
    /// wait, for others, and at once if it has ended. Called by the task itself, or by one that it waits for in such a
    /// call, it does not wait.
    ///
    /// A task that does not end in time is aborted: its [outcome](Self::outcome) is
    /// [`Aborted`](TaskOutcome::Aborted) then, and not canceled, which fails the group of a
    /// [critical](TaskSpec::critical) task.
    ///
    /// # Errors
    /// [`TaskRemoveTimeout`](RuntimeError::TaskRemoveTimeout) if it blocks its thread past its `stop_timeout`, or the
    /// supervisor's grace where it has none.
    ///
    /// # Cancel safety
    /// Once polled the task is told to stop, whether this is polled on or not.
    pub async fn cancel(&self) -> Result<bool, RuntimeError> {
        self.0.cancel(self.0.stop_bound()).await
    }

    /// Begins anew: ends a wait or the running attempt, counts no failure, and forgets the failures before. False if
    /// the task has ended, was told to stop, waits in a slot, or is in a group that stops and lets it begin no more.
    pub fn restart(&self) -> bool {
        self.0.restart()
    }

    /// Ends the wait for an initial delay, an interval or a backoff. False if the task is not in one.
    pub fn trigger(&self) -> bool {
        self.0.trigger()
    }

    /// Lets [`Health`](crate::Health) be ready again after this registration ended in failure. False if it did not, or
    /// if that was acknowledged before, or is past since a new registration has the path.
    pub fn acknowledge(&self) -> bool {
        self.0.core().acknowledge_task(&self.0)
    }

    /// How it ended, if that is known by now.
    #[must_use]
    pub fn try_outcome(&self) -> Option<TaskOutcome> {
        self.0.try_outcome()
    }

    /// Waits for the end and tells how it came.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn outcome(&self) -> TaskOutcome {
        self.0.outcome().await
    }
}

/// Stands for a task whose registration has ended.
struct Gone(Arc<str>);

impl Task for Gone {
    fn name(&self) -> &str {
        &self.0
    }

    fn spawn(&self, _: CancellationToken) -> BoxTaskFuture {
        let reason = format!("the registration of `{}` has ended, and the task is dropped", self.0);
        Box::pin(ready(Err(TaskError::Fatal { reason })))
    }
}

impl fmt::Debug for TaskHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandle").field("id", &self.id()).field("path", &self.path()).finish_non_exhaustive()
    }
}
