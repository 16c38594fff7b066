//! Handles of groups in a tree.

use std::fmt;
use std::sync::Arc;

use super::child_handle::ChildHandle;
use super::group::last_segment;
use crate::inspect::{Health, Phase, TaskOutcome, TaskState};
use crate::runtime::{Core, GroupCell};
use crate::supervisor::RuntimeError;
use crate::task::{IntoTaskSpec, TaskHandle};

/// A group in a tree. Each call acts on the group that is at the path when it is made; where there is none, verbs
/// return false and looks return `None`. Looks find one that has ended as well. Dropping the handle does nothing.
///
/// The empty path is the root. Tasks can be added to it, and it has children, a status and a health; but it is stopped
/// by a shutdown only, and never restarted: [`cancel`](Self::cancel) and [`restart`](Self::restart) return false.
#[derive(Clone)]
pub struct GroupHandle {
    path: Arc<str>,
    core: Arc<Core>,
}

impl GroupHandle {
    pub(crate) fn new(path: Arc<str>, core: Arc<Core>) -> Self {
        Self { path, core }
    }

    /// The path of the group, from the root of its tree. That of the root is empty.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The name of the group among its siblings: the last segment of its [`path`](Self::path).
    pub fn name(&self) -> &str {
        last_segment(&self.path)
    }

    fn current(&self) -> Option<Arc<GroupCell>> {
        if self.is_root() { self.core.root() } else { self.core.group(&self.path) }
    }

    fn is_root(&self) -> bool {
        self.path.is_empty()
    }

    fn path_of(&self, name: &str) -> Arc<str> {
        if self.is_root() { name.into() } else { format!("{}/{name}", self.path).into() }
    }

    /// The task of that name in the group, whether it is there or not.
    #[must_use]
    pub fn child(&self, name: &str) -> ChildHandle {
        ChildHandle::new(self.path_of(name), Arc::clone(&self.core))
    }

    /// The group of that name in the group, whether it is there or not.
    #[must_use]
    pub fn group(&self, name: &str) -> Self {
        Self::new(self.path_of(name), Arc::clone(&self.core))
    }

    /// What the group is doing, or was at its end. `None` before the tree has started.
    #[must_use]
    pub fn status(&self) -> Option<TaskState> {
        match self.core.group_place(&self.path) {
            Some(group) => Some(group.state()),
            None if self.is_root() => Some(self.core.plain_state()).filter(|state| *state != TaskState::Pending),
            None => None,
        }
    }

    /// Whether the group is live and ready, and who is not. A group that is not there is neither.
    #[must_use]
    pub fn health(&self) -> Health {
        if self.is_root() {
            return self.core.health("");
        }
        let mut health = self.core.health(&self.path);
        if self.current().is_none() {
            health.phase = Phase::Stopped;
        }
        health
    }

    /// Adds a task to the group, after those that it has. It restarts with its siblings, and is gone when the group
    /// itself is restarted.
    ///
    /// While the group waits for its own start, is held, or is being restarted, the task is registered and waits for
    /// the next run. In a group that is `rest_for_one` it waits until those before it are ready. It needs none of them:
    /// one that ends is passed, however it ended, and no end of an added task holds up those that are added after it.
    ///
    /// # Errors
    /// [`GroupNotRunning`](RuntimeError::GroupNotRunning) before the tree has started, and once the group is being
    /// stopped for good or has ended; and those of [`SupervisorHandle::add_task`](crate::SupervisorHandle::add_task).
    ///
    /// # Cancel safety
    /// It is done in one step when first polled.
    #[expect(clippy::unused_async, reason = "as `SupervisorHandle::add_task`")]
    pub async fn add_task(&self, spec: impl IntoTaskSpec) -> Result<TaskHandle, RuntimeError> {
        match self.current() {
            Some(group) => self.core.add_to(&group, spec.into_task_spec()).map(TaskHandle::new),
            None if self.is_root() && self.status().is_some() => {
                self.core.add(spec.into_task_spec()).map(TaskHandle::new)
            }
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
    /// [`TaskRemoveTimeout`](RuntimeError::TaskRemoveTimeout), with the path of the group, if it has not ended 100 ms
    /// after the grace: a task in it blocks its thread.
    ///
    /// # Cancel safety
    /// Once polled the group is requested to stop, whether this is polled on or not.
    pub async fn cancel(&self) -> Result<bool, RuntimeError> {
        match self.current() {
            Some(group) if !self.is_root() => group.cancel().await,
            _ => Ok(false),
        }
    }

    /// Stops the group and starts it again, with the children that it was declared with; counts no failure. A group
    /// that waits for its backoff starts at once. False if it is not there, or is being stopped for good.
    pub fn restart(&self) -> bool {
        !self.is_root() && self.current().is_some_and(|group| group.restart())
    }

    /// Waits for the end of the newest registration of the group, and tells how it came. `None` before the tree has
    /// started.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn outcome(&self) -> Option<TaskOutcome> {
        match self.core.group_place(&self.path) {
            Some(group) => Some(group.outcome().await),
            None => None,
        }
    }
}

impl fmt::Debug for GroupHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupHandle").field("path", &self.path).finish_non_exhaustive()
    }
}
