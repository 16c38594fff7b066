//! The handle of a registration.

use std::future::ready;
use std::sync::Arc;

use super::context::TaskContext;
use super::definition::{TaskFn, TaskRef};
use super::error::TaskError;
use super::spec::TaskSpec;
use crate::inspect::{NodeSnapshot, TaskId, TaskOutcome, TaskStatus};
use crate::runtime::{Cell, Subject};
use crate::supervisor::RuntimeError;
use crate::tree::last_segment;

/// A handle of one registration of a task: its status, its outcome and commands.
///
/// A handle refers to one registration only, even if the name is registered again later. Dropping it does nothing.
/// Every command except [`acknowledge`](Self::acknowledge) returns `false` after the registration has ended. The guide
/// explains [tasks](crate::guide::tasks).
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

    /// Returns the id of the registration.
    pub fn id(&self) -> TaskId {
        self.0.id()
    }

    /// Returns the path of the task, from the root of the tree. Events and calls by name use it. For a child of the
    /// root, it is the name.
    pub fn path(&self) -> &str {
        self.0.name()
    }

    /// Returns the name of the task among its siblings: the last segment of its [`path`](Self::path).
    pub fn name(&self) -> &str {
        last_segment(self.path())
    }

    /// Returns the spec of the registration, with all inherited options. The task itself is dropped when the
    /// registration has ended; the spec then holds a task of the same name that fails.
    pub fn spec(&self) -> TaskSpec {
        let name: Arc<str> = self.name().into();
        let task = self.0.task().unwrap_or_else(|| gone(&name));
        TaskSpec::resolved(task, name, self.0.policy())
    }

    /// Returns the status of the task.
    pub fn status(&self) -> TaskStatus {
        self.0.status()
    }

    /// Returns the node of the task as in a snapshot of the tree: with the reason of its wait, the time of its next
    /// attempt, and its readiness. A submission has a node also while it waits in its slot.
    #[must_use]
    pub fn node(&self) -> NodeSnapshot {
        self.0.core().node_of_cell(&self.0)
    }

    /// Requests the task to stop, and waits until it has terminated. Returns `true` for the first request; later calls
    /// wait as well and return `false`. If the task has ended, the call returns `false` at once. A call from the task
    /// itself, or from a task that it waits for in such a call, does not wait.
    ///
    /// A task that does not end in time is aborted. Its [outcome](Self::outcome) is then
    /// [`Aborted`](TaskOutcome::Aborted), which fails the group of a [critical](TaskSpec::critical) task.
    ///
    /// # Errors
    /// [`TaskRemoveTimeout`](RuntimeError::TaskRemoveTimeout) if the task blocks its thread for longer than its
    /// `stop_timeout`, or than the supervisor's grace if it has none.
    ///
    /// # Cancel safety
    /// The first poll requests the stop. Dropping the future after that only ends the wait.
    pub async fn cancel(&self) -> Result<bool, RuntimeError> {
        self.0.cancel(self.0.stop_bound()).await
    }

    /// Restarts the task: ends a wait or the running attempt, counts no failure, and resets the count of consecutive
    /// failures. Returns `false` if the task has ended, was requested to stop, waits in a slot, or is in a group that
    /// stops and starts no more attempts.
    pub fn restart(&self) -> bool {
        self.0.restart()
    }

    /// Returns the [label](crate::fleet::Fleet::label) of the process that owns the lease of a
    /// [singleton](TaskSpec::with_singleton), or of its group if that is a singleton. It is this process, or the owner
    /// that the store last reported. `None` if the owner is not known, and for a task that needs no lease.
    #[cfg(feature = "fleet")]
    pub fn lease_owner(&self) -> Option<Arc<str>> {
        self.0.lease_owner()
    }

    /// Hands over the lease of a [singleton](TaskSpec::with_singleton). The attempt is requested to stop, the lease is
    /// released when the attempt has ended, and the task stands by. The task competes for the lease again after about a
    /// third of the time to live, so that another replica can take it first. Returns `false` if the task does not hold
    /// a lease of its own.
    #[cfg(feature = "fleet")]
    pub fn resign(&self) -> bool {
        self.0.resign()
    }

    /// [Restarts](Self::restart) the task, and waits until an attempt after that is [ready](crate::Ready). Returns
    /// `false` if the restart was refused, or if the task ended before. If the task is [paused](Self::pause), the call
    /// waits for the end of the pause. A task that calls this for itself, or for a task that waits for it in such a call,
    /// does not wait.
    ///
    /// With [`Ready::FirstSuccess`](crate::Ready::FirstSuccess), a task that has been ready is ready when the next
    /// attempt begins. With [`Ready::Signal`](crate::Ready::Signal), an attempt that signals and fails before this call
    /// sees it is not one that is ready: the call waits for the next.
    ///
    /// # Cancel safety
    /// The first poll restarts the task. Dropping the future after that only ends the wait.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), taskvisor::RuntimeError> {
    /// use taskvisor::{Supervisor, SupervisorConfig, TaskContext, TaskFn, TaskSpec};
    ///
    /// let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    /// let task = TaskFn::arc("pool", |ctx: TaskContext| async move {
    ///     ctx.cancelled().await;
    ///     Ok(())
    /// });
    /// let pool = supervisor.add_task(TaskSpec::inherit(task)).await?;
    /// assert!(pool.restart_and_wait().await);
    /// assert!(supervisor.is_alive("pool").await);
    /// # supervisor.shutdown().await
    /// # }
    /// ```
    pub async fn restart_and_wait(&self) -> bool {
        let attempts = self.attempts();
        self.restart() && self.ready_after(attempts).await
    }

    /// Returns the number of attempts that have begun.
    pub(crate) fn attempts(&self) -> u64 {
        self.0.attempts()
    }

    /// Waits until an attempt after this one is ready. Returns `false` if the task has ended before.
    pub(crate) async fn ready_after(&self, attempt: u64) -> bool {
        self.0.ready_after(attempt).await
    }

    /// Ends the wait for an initial delay, an interval, a backoff, a throttle or a schedule. If an attempt of a task with
    /// an interval, a fixed rate or a schedule runs, one more run is due, however often the task is triggered: the next
    /// attempt begins without a wait when this one has succeeded. So a run begins after each call. A [paused](Self::pause) task begins one
    /// attempt. Returns `false` if there is no wait to end and no run becomes due, and if the task stands by for its
    /// lease, because its next run is in another replica.
    pub fn trigger(&self) -> bool {
        self.0.trigger()
    }

    /// Pauses the task: no attempt begins until it is [resumed](Self::resume). A running attempt goes on, and so does a
    /// wait for a backoff or an interval. If attempts become due during the pause, one attempt begins after it. The
    /// pause belongs to the path: it survives restarts. The pause of an added task ends when its name is free.
    ///
    /// Returns `false` if the task itself is already paused, if this registration has ended or waits in a slot, and
    /// after the request of a shutdown. The guide explains [pausing](crate::guide::pausing).
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), taskvisor::RuntimeError> {
    /// use std::time::Duration;
    /// use taskvisor::{RestartPolicy, Supervisor, SupervisorConfig, TaskContext, TaskFn, TaskSpec};
    ///
    /// let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    /// let sync = TaskFn::arc("sync", |_: TaskContext| async { Ok(()) });
    /// let interval = Some(Duration::from_secs(60));
    /// let sync = TaskSpec::inherit(sync).with_restart(RestartPolicy::Always { interval });
    /// let sync = supervisor.add_task(sync).await?;
    ///
    /// assert!(sync.pause() && sync.is_paused());
    /// assert!(!sync.pause(), "it is paused");
    /// assert!(sync.resume() && !sync.is_paused());
    /// # supervisor.shutdown().await
    /// # }
    /// ```
    pub fn pause(&self) -> bool {
        self.0.core().pause(Subject::Registration(&self.0), false)
    }

    /// [Pauses](Self::pause) the task, and requests a running attempt to stop, with
    /// [`StopReason::Paused`](crate::StopReason::Paused). The attempt has as much time to end as after any other stop
    /// request. Its end is no failure and resets the count of consecutive failures, as after a
    /// [restart](Self::restart). The next attempt begins after the pause. The call does not wait for the end of the
    /// attempt.
    ///
    /// Returns `false` if the call changes nothing.
    pub fn pause_and_stop(&self) -> bool {
        self.0.core().pause(Subject::Registration(&self.0), true)
    }

    /// Ends the [pause](Self::pause) of the task: an attempt that became due meanwhile begins, once. A task in a paused
    /// group or slot stays paused with it. Returns `false` if the task itself is not paused, or has ended.
    pub fn resume(&self) -> bool {
        self.0.core().resume(Subject::Registration(&self.0))
    }

    /// Returns `true` if the task, or a group or slot above it, is paused.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.0.core().is_paused(Subject::Registration(&self.0))
    }

    /// Acknowledges that this registration ended in failure, so that [`Health`](crate::Health) can be ready again.
    /// Returns `false` if there is no failure to acknowledge, or if a new registration has taken the path.
    pub fn acknowledge(&self) -> bool {
        self.0.core().acknowledge_task(&self.0)
    }

    /// Returns the outcome if the task has ended.
    #[must_use]
    pub fn try_outcome(&self) -> Option<TaskOutcome> {
        self.0.try_outcome()
    }

    /// Waits until the task has ended, and returns its outcome.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn outcome(&self) -> TaskOutcome {
        self.0.outcome().await
    }
}

/// Returns the task of the same name that stands for one whose registration has ended.
fn gone(name: &str) -> TaskRef {
    let reason = format!("the registration of `{name}` has ended, and the task is dropped");
    TaskFn::arc(name, move |_: TaskContext| ready(Err(TaskError::Fatal { reason: reason.clone() })))
}

impl_debug!(TaskHandle, |task| id: task.id(), path: task.path());
