//! Handles of places in a tree.

use std::fmt;
use std::sync::Arc;

use super::group::last_segment;
use crate::inspect::{TaskOutcome, TaskStatus};
use crate::runtime::Core;
use crate::supervisor::RuntimeError;
use crate::task::TaskHandle;

/// A place in a tree. Each call acts on the newest registration that there is when it is made, ended or not; before the
/// tree has started there is none, and verbs return false, looks `None`. Dropping the handle does nothing.
#[derive(Clone)]
pub struct ChildHandle {
    path: Arc<str>,
    core: Arc<Core>,
}

impl ChildHandle {
    pub(crate) fn new(path: Arc<str>, core: Arc<Core>) -> Self {
        Self { path, core }
    }

    /// The path of the place, from the root of its tree. At the root it is the [`name`](Self::name).
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The name of the place among its siblings: the last segment of its [`path`](Self::path).
    pub fn name(&self) -> &str {
        last_segment(&self.path)
    }

    /// The newest registration of the place, also when it has ended. `None` before the tree has started.
    #[must_use]
    pub fn current(&self) -> Option<TaskHandle> {
        self.core.place(&self.path).map(TaskHandle::new)
    }

    /// What the task is doing.
    #[must_use]
    pub fn status(&self) -> Option<TaskStatus> {
        self.current().map(|task| task.status())
    }

    /// Tells the task to stop and waits until it has; see [`TaskHandle::cancel`].
    ///
    /// # Errors
    /// As [`TaskHandle::cancel`].
    ///
    /// # Cancel safety
    /// As [`TaskHandle::cancel`].
    pub async fn cancel(&self) -> Result<bool, RuntimeError> {
        match self.current() {
            Some(task) => task.cancel().await,
            None => Ok(false),
        }
    }

    /// Begins anew; see [`TaskHandle::restart`].
    pub fn restart(&self) -> bool {
        self.current().is_some_and(|task| task.restart())
    }

    /// Ends a wait; see [`TaskHandle::trigger`].
    pub fn trigger(&self) -> bool {
        self.current().is_some_and(|task| task.trigger())
    }

    /// Lets health be ready again after a task at this place ended in failure; see [`TaskHandle::acknowledge`].
    pub fn acknowledge(&self) -> bool {
        self.core.acknowledge(&self.path)
    }

    /// Waits for the end of the newest registration that there is when this is called, and tells how it came; before
    /// the tree has started it waits for that first. `None` if the tree was shut down unstarted, or has no such place.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn outcome(&self) -> Option<TaskOutcome> {
        let cell = self.core.place_once_started(&self.path).await?;
        Some(cell.outcome().await)
    }
}

impl fmt::Debug for ChildHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildHandle").field("path", &self.path).finish_non_exhaustive()
    }
}
