//! The result of a reconciliation.

use std::fmt;
use std::sync::Arc;

use super::error::RuntimeError;
use crate::runtime::{Changes, Core, Extent, GroupRef};
use crate::task::{TaskHandle, TaskSpec};

/// The tasks after a [`GroupHandle::reconcile`](crate::GroupHandle::reconcile) or
/// [`SupervisorHandle::reconcile`](crate::SupervisorHandle::reconcile), by what was done with them.
///
/// `Display` writes how many there are of each: `kept 3, added 1, replaced 0, removed 0`.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Reconciled {
    /// The tasks that go on, because their name and revision are equal.
    pub kept: Vec<TaskHandle>,
    /// The tasks whose name was free.
    pub added: Vec<TaskHandle>,
    /// The new registrations of the tasks that have changed.
    pub replaced: Vec<TaskHandle>,
    /// The ended registrations of the tasks that were not in the list.
    pub removed: Vec<TaskHandle>,
}

impl Reconciled {
    /// Returns the handles of all tasks that remain: kept, added and replaced ones.
    pub fn remaining(&self) -> impl Iterator<Item = &TaskHandle> {
        self.kept.iter().chain(&self.added).chain(&self.replaced)
    }

    pub(crate) async fn all(
        core: &Arc<Core>,
        group: Option<GroupRef>,
        specs: Vec<TaskSpec>,
    ) -> Result<Self, RuntimeError> {
        let Changes { kept, added, replaced, removed } = core.reconcile(group, specs, Extent::All).await?;
        let handles = |cells: Vec<_>| cells.into_iter().map(TaskHandle::new).collect();
        let (kept, added) = (handles(kept), handles(added));
        Ok(Self { kept, added, replaced: handles(replaced), removed: handles(removed) })
    }

    /// Replaces one task, or adds it. If the successor is not registered, a later call or a stop has withdrawn it.
    pub(crate) async fn one(
        core: &Arc<Core>,
        group: Option<GroupRef>,
        mut spec: TaskSpec,
    ) -> Result<TaskHandle, RuntimeError> {
        // `Task::name` is user code, and is called once.
        let name = spec.take_name();
        let spec = spec.with_name(Arc::clone(&name));
        let Changes { mut added, mut replaced, .. } = core.reconcile(group, vec![spec], Extent::One).await?;
        match replaced.pop().or_else(|| added.pop()) {
            Some(cell) => Ok(TaskHandle::new(cell)),
            None if core.is_stopping() => Err(RuntimeError::ShuttingDown),
            None => Err(RuntimeError::TaskNotFound { name: name.to_string() }),
        }
    }
}

impl fmt::Display for Reconciled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [kept, added, replaced, removed] = [&self.kept, &self.added, &self.replaced, &self.removed].map(Vec::len);
        write!(f, "kept {kept}, added {added}, replaced {replaced}, removed {removed}")
    }
}
