//! The handle of a place in a tree.

use std::sync::Arc;

use super::group::last_segment;
use crate::inspect::{TaskOutcome, TaskStatus};
use crate::runtime::{Core, Subject};
use crate::supervisor::RuntimeError;
use crate::task::TaskHandle;

/// A handle of a place in a tree: a declared position for a task.
///
/// Each call acts on the newest registration at the place, even if that has ended. Before the tree has started there is
/// no registration: commands return `false`, and queries return `None`. Dropping the handle does nothing.
///
/// A task that was added at runtime has a place for as long as it is registered. After its end,
/// [`current`](Self::current), [`status`](Self::status) and [`outcome`](Self::outcome) are `None`, and no snapshot
/// lists it. Keep the [`TaskHandle`] that `add_task` returned, or take `current()` before `cancel()`.
/// [`health`](crate::SupervisorHandle::health) still reports its failure, and [`acknowledge`](Self::acknowledge)
/// acknowledges it.
///
/// [`Tree::child`](crate::Tree::child) and the `tasks` of `supervise!` return it. The guide explains
/// [tasks](crate::guide::tasks) and [groups](crate::guide::groups).
#[derive(Clone)]
#[must_use = "a handle does nothing by itself"]
pub struct ChildHandle {
    path: Arc<str>,
    core: Arc<Core>,
}

impl ChildHandle {
    pub(crate) fn new(path: Arc<str>, core: Arc<Core>) -> Self {
        Self { path, core }
    }

    /// Returns the path of the place, from the root of the tree. For a child of the root, it is the name.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the name of the place among its siblings: the last segment of its [`path`](Self::path).
    pub fn name(&self) -> &str {
        last_segment(&self.path)
    }

    /// Returns the newest registration at the place, even if it has ended. `None` before the tree has started, and if
    /// there is no such place: the place of an added task is removed at its end.
    pub fn current(&self) -> Option<TaskHandle> {
        self.core.place(&self.path).map(TaskHandle::new)
    }

    /// Returns the status of the task. `None` as for [`current`](Self::current).
    pub fn status(&self) -> Option<TaskStatus> {
        self.current().map(|task| task.status())
    }

    /// Requests the task to stop and waits until it has terminated; see [`TaskHandle::cancel`].
    ///
    /// # Errors
    /// The same as for [`TaskHandle::cancel`].
    ///
    /// # Cancel safety
    /// The same as for [`TaskHandle::cancel`].
    pub async fn cancel(&self) -> Result<bool, RuntimeError> {
        let Some(task) = self.current() else { return Ok(false) };
        task.cancel().await
    }

    /// Restarts the task; see [`TaskHandle::restart`]. A task that has ended is started again at its place, as a new
    /// registration: with a new id, without its failures, and without any effect on its siblings. Its options are those
    /// of the declaration.
    ///
    /// Returns `false` while the task stops, before the tree has started, and if a task that has ended cannot start
    /// again: while its group waits for its next run, which starts the task anyway, when the group stops for good, and
    /// from the request of a shutdown on. The fields of a child of the root are dropped when it has completed; so it
    /// starts again only if it has no fields, or has ended otherwise. They are lost as well if its runtime has ended. A
    /// child of a group that has not ended always can.
    ///
    /// A task that is started again runs on the runtime of the caller.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), taskvisor::RuntimeError> {
    /// use taskvisor::{SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec, Tree};
    ///
    /// let task = TaskFn::arc("sync", |_: TaskContext| async {
    ///     Err(TaskError::Fatal { reason: "no such tenant".into() })
    /// });
    /// let tree = Tree::builder(SupervisorConfig::default()).task(TaskSpec::inherit(task)).build();
    /// tree.start().await?;
    /// let sync = tree.child("sync");
    /// let first = sync.current().expect("it has started");
    /// first.outcome().await;
    /// assert!(!tree.health().is_ready());
    ///
    /// assert!(sync.restart());
    /// assert_ne!(sync.current().map(|again| again.id()), Some(first.id()));
    /// # tree.shutdown().await
    /// # }
    /// ```
    pub fn restart(&self) -> bool {
        let restart = || self.current().is_some_and(|task| task.restart());
        // Another call can have started it again in the meantime.
        restart() || self.core.start_again(&self.path) || restart()
    }

    /// [Restarts](Self::restart) the task, and waits until an attempt after that is ready; see
    /// [`TaskHandle::restart_and_wait`].
    ///
    /// # Cancel safety
    /// The first poll restarts the task. Dropping the future after that only ends the wait.
    pub async fn restart_and_wait(&self) -> bool {
        let before = self.current().map(|task| (task.id(), task.attempts()));
        if !self.restart() {
            return false;
        }
        let Some(task) = self.current() else { return false };
        // A new registration has no attempt before.
        let attempts = before.filter(|(id, _)| *id == task.id()).map_or(0, |(_, attempts)| attempts);
        task.ready_after(attempts).await
    }

    /// Hands the lease of a singleton over; see [`TaskHandle::resign`].
    #[cfg(feature = "fleet")]
    pub fn resign(&self) -> bool {
        self.current().is_some_and(|task| task.resign())
    }

    /// Ends a wait for the next attempt; see [`TaskHandle::trigger`].
    pub fn trigger(&self) -> bool {
        self.current().is_some_and(|task| task.trigger())
    }

    /// Pauses the task at this place, also while its group restarts; see [`TaskHandle::pause`]. The pause survives
    /// restarts of the task and of its groups. Returns `false` if the task is paused by itself, before the tree has
    /// started, and after the request of a shutdown. [`TaskSpec::with_paused`](crate::TaskSpec::with_paused) declares a
    /// task that starts paused.
    pub fn pause(&self) -> bool {
        self.core.pause(Subject::Task(&self.path), false)
    }

    /// [Pauses](Self::pause) the task, and requests a running attempt to stop; see [`TaskHandle::pause_and_stop`].
    pub fn pause_and_stop(&self) -> bool {
        self.core.pause(Subject::Task(&self.path), true)
    }

    /// Ends the [pause](Self::pause) of the task; see [`TaskHandle::resume`].
    pub fn resume(&self) -> bool {
        self.core.resume(Subject::Task(&self.path))
    }

    /// Returns `true` if the task, or a group above it, is paused.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.core.is_paused(Subject::Task(&self.path))
    }

    /// Acknowledges the failure of a task at this place, also of one that was added; see [`TaskHandle::acknowledge`].
    pub fn acknowledge(&self) -> bool {
        self.core.acknowledge(&self.path)
    }

    /// Waits until the newest registration has ended, and returns its outcome.
    ///
    /// If the tree has not started, the call first waits for that. `None` if the tree was shut down before it started,
    /// or has no such place, as after the end of a task that was added. A call before that end returns its outcome.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn outcome(&self) -> Option<TaskOutcome> {
        let cell = self.core.place_once_started(&self.path).await?;
        Some(cell.outcome().await)
    }
}

impl_debug!(ChildHandle, |child| path: child.path);
