//! Handles of groups in a tree.

use std::fmt;
use std::sync::Arc;

use crate::child::ChildHandle;
use crate::engine::{Core, GroupCell};
use crate::handle::TaskHandle;
use crate::health::{Health, Phase};
use crate::outcome::TaskOutcome;
use crate::runtime_error::RuntimeError;
use crate::spec::IntoTaskSpec;
use crate::status::TaskState;

/// A group in a tree. Each call acts on the group that is at the path when it is made; where there is none, verbs
/// return false and looks return `None`. Looks find one that has ended as well. Dropping the handle does nothing.
#[derive(Clone)]
pub struct GroupHandle {
    path: Arc<str>,
    core: Arc<Core>,
}

impl GroupHandle {
    pub(crate) fn new(path: Arc<str>, core: Arc<Core>) -> Self {
        Self { path, core }
    }

    /// The path of the group.
    pub fn name(&self) -> &str {
        &self.path
    }

    fn current(&self) -> Option<Arc<GroupCell>> {
        self.core.group(&self.path)
    }

    /// The task of that name in the group, whether it is there or not.
    #[must_use]
    pub fn child(&self, name: &str) -> ChildHandle {
        ChildHandle::new(format!("{}/{name}", self.path).into(), Arc::clone(&self.core))
    }

    /// The group of that name in the group, whether it is there or not.
    #[must_use]
    pub fn group(&self, name: &str) -> Self {
        Self::new(format!("{}/{name}", self.path).into(), Arc::clone(&self.core))
    }

    /// What the group is doing, or was at its end. `None` before the tree has started.
    #[must_use]
    pub fn status(&self) -> Option<TaskState> {
        self.core.group_place(&self.path).map(|group| group.state())
    }

    /// Whether the group is live and ready, and who is not. A group that is not there is neither.
    #[must_use]
    pub fn health(&self) -> Health {
        let mut health = self.core.health(&self.path);
        if self.current().is_none() {
            health.phase = Phase::Stopped;
        }
        health
    }

    /// Adds a task to the group, after those that it has. It restarts with its siblings, and is gone when the group
    /// itself is restarted.
    ///
    /// # Errors
    /// [`GroupNotRunning`](RuntimeError::GroupNotRunning), and those of
    /// [`SupervisorHandle::add_task`](crate::SupervisorHandle::add_task).
    ///
    /// # Cancel safety
    /// It is done in one step when first polled.
    #[expect(clippy::unused_async, reason = "as `SupervisorHandle::add_task`")]
    pub async fn add_task(&self, spec: impl IntoTaskSpec) -> Result<TaskHandle, RuntimeError> {
        match self.current() {
            Some(group) => self.core.add_to(&group, spec.into_task_spec()).map(TaskHandle::new),
            None => Err(RuntimeError::GroupNotRunning { name: self.path.to_string() }),
        }
    }

    /// Tells the group to stop, its children in order, and waits until it has. False if it is not there.
    ///
    /// # Errors
    /// [`TaskRemoveTimeout`](RuntimeError::TaskRemoveTimeout) if a task in it blocks its thread past the supervisor's
    /// grace.
    ///
    /// # Cancel safety
    /// Once polled the group is told to stop, whether this is polled on or not.
    pub async fn cancel(&self) -> Result<bool, RuntimeError> {
        match self.current() {
            Some(group) => group.cancel().await.map(|()| true),
            None => Ok(false),
        }
    }

    /// Stops the group and starts it again, with the children that it was declared with; counts no failure. False if it
    /// is not there.
    pub fn restart(&self) -> bool {
        self.current().is_some_and(|group| group.restart())
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
        f.debug_struct("GroupHandle").field("name", &self.path).finish_non_exhaustive()
    }
}
