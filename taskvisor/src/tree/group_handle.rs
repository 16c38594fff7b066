//! The handle of a group in a tree.

use std::sync::Arc;

use super::child_handle::ChildHandle;
use super::group::{join, last_segment};
use crate::inspect::{Health, Phase, TaskOutcome, TaskState};
use crate::runtime::{Cell, Core, GroupCell};
use crate::supervisor::{AddTask, RuntimeError};
use crate::task::{IntoTaskSpec, TaskSpec};

/// A handle of a group in a tree.
///
/// Each call acts on the current group at the path. If there is none, commands return `false` and queries return
/// `None`. Queries also find a group that has ended. Dropping the handle does nothing.
///
/// The empty path is the root. The root has children, a status and a health, and tasks can be added to it. Only a
/// shutdown stops the root, and it never restarts: [`cancel`](Self::cancel) and [`restart`](Self::restart) return
/// `false`.
///
/// [`Tree::group`](crate::Tree::group) and the `groups` of `supervise!` return it. The guide explains
/// [groups](crate::guide::groups).
#[derive(Clone)]
#[must_use = "a handle does nothing by itself"]
pub struct GroupHandle {
    path: Arc<str>,
    core: Arc<Core>,
}

impl GroupHandle {
    pub(crate) fn new(path: Arc<str>, core: Arc<Core>) -> Self {
        Self { path, core }
    }

    /// Returns the path of the group, from the root of the tree. The path of the root is empty.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the name of the group among its siblings: the last segment of its [`path`](Self::path).
    pub fn name(&self) -> &str {
        last_segment(&self.path)
    }

    fn cell(&self) -> Option<Arc<GroupCell>> {
        if self.is_root() { self.core.root() } else { self.core.group(&self.path) }
    }

    fn is_root(&self) -> bool {
        self.path.is_empty()
    }

    /// Returns a handle of the task of that name in the group. The task need not exist.
    pub fn child(&self, name: &str) -> ChildHandle {
        ChildHandle::new(join(&self.path, name), Arc::clone(&self.core))
    }

    /// Returns a handle of the group of that name in the group. The group need not exist.
    pub fn group(&self, name: &str) -> Self {
        Self::new(join(&self.path, name), Arc::clone(&self.core))
    }

    /// Returns the status of the group, or its last status if it has ended. `None` before the tree has started.
    pub fn status(&self) -> Option<TaskState> {
        match self.core.group_place(&self.path) {
            Some(group) => Some(group.state()),
            None if self.is_root() => Some(self.core.plain_state()).filter(|state| *state != TaskState::Pending),
            None => None,
        }
    }

    /// Returns the health of the group: whether it is live and ready, and the tasks that are not. A group that does not
    /// exist is neither live nor ready.
    pub fn health(&self) -> Health {
        let mut health = self.core.health(&self.path);
        if !self.is_root() && self.cell().is_none() {
            health.phase = Phase::Stopped;
        }
        health
    }

    /// Adds a task to the group, as its last child. The task restarts with its siblings. It is removed when the group
    /// itself restarts.
    ///
    /// While the group waits for its start, is held, or restarts, the task is registered and waits for the next run. In
    /// a `rest_for_one` group the task waits until the earlier children are ready; a child that has ended, in success
    /// or failure, is skipped.
    ///
    /// # Errors
    /// [`GroupNotRunning`](RuntimeError::GroupNotRunning) before the tree has started, and when the group stops for
    /// good or has ended; and the errors of [`SupervisorHandle::add_task`](crate::SupervisorHandle::add_task).
    ///
    /// # Cancel safety
    /// The call takes effect when it is first polled, and never waits.
    pub fn add_task(&self, spec: impl IntoTaskSpec) -> AddTask<'_> {
        AddTask::new(&self.core, Some(self), spec.into_task_spec())
    }

    /// Registers a task, and starts it.
    pub(crate) fn register(&self, spec: TaskSpec) -> Result<Arc<Cell>, RuntimeError> {
        match self.cell() {
            Some(group) => self.core.add_to(&group, spec),
            None if self.status().is_some() && self.is_root() => self.core.add(spec),
            None => Err(RuntimeError::GroupNotRunning { name: self.path.to_string() }),
        }
    }

    /// Requests the group to stop for good, its children in order, and waits until it has. True for the call that
    /// requested it first; false, after the same wait, for others, and at once if it is not there. Called by a task in
    /// the group, or by one that such a task waits for, it does not wait.
    ///
    /// The group has the supervisor's grace. Within it, each task has its own `stop_timeout`, or else the
    /// [share](crate::SupervisorConfig::grace) of its layer. A task that is past its time is aborted.
    ///
    /// # Errors
    /// [`TaskRemoveTimeout`](RuntimeError::TaskRemoveTimeout), with the path of the group, if the group has not ended
    /// 100 ms after the grace, because a task in it blocks its thread.
    ///
    /// # Cancel safety
    /// The first poll requests the stop. Dropping the future after that only ends the wait.
    pub async fn cancel(&self) -> Result<bool, RuntimeError> {
        match self.cell() {
            Some(group) if !self.is_root() => group.cancel().await,
            _ => Ok(false),
        }
    }

    /// Stops the group and starts it again with its declared children. This counts no failure. A group that waits for
    /// its backoff starts at once. Returns `false` if the group does not exist or stops for good.
    pub fn restart(&self) -> bool {
        !self.is_root() && self.cell().is_some_and(|group| group.restart())
    }

    /// Waits until the newest registration of the group has ended, and returns its outcome. `None` before the tree has
    /// started.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn outcome(&self) -> Option<TaskOutcome> {
        let group = self.core.group_place(&self.path)?;
        Some(group.outcome().await)
    }
}

impl_debug!(GroupHandle, |group| path: group.path);
