//! The future of `add_task`.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::error::RuntimeError;
use crate::runtime::Core;
use crate::task::{TaskHandle, TaskSpec};
use crate::tree::GroupHandle;

/// The future of [`SupervisorHandle::add_task`](crate::SupervisorHandle::add_task) and
/// [`GroupHandle::add_task`](crate::GroupHandle::add_task). It registers the task when it is first polled, and never
/// waits.
///
/// It is a type of its own, and not that of an `async` function, so that something that is no task is one error.
#[must_use = "futures do nothing unless they are polled"]
pub struct AddTask<'a> {
    parent: Parent<'a>,
    /// Until the first poll.
    spec: Option<TaskSpec>,
}

enum Parent<'a> {
    Supervisor(&'a Arc<Core>),
    Group(&'a GroupHandle),
}

impl<'a> AddTask<'a> {
    pub(super) fn to_supervisor(core: &'a Arc<Core>, spec: TaskSpec) -> Self {
        Self { parent: Parent::Supervisor(core), spec: Some(spec) }
    }

    pub(crate) fn to_group(group: &'a GroupHandle, spec: TaskSpec) -> Self {
        Self { parent: Parent::Group(group), spec: Some(spec) }
    }
}

impl Future for AddTask<'_> {
    type Output = Result<TaskHandle, RuntimeError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(spec) = self.spec.take() else { return Poll::Pending };
        let added = match self.parent {
            Parent::Supervisor(core) => core.add(spec),
            Parent::Group(group) => group.register(spec),
        };
        Poll::Ready(added.map(TaskHandle::new))
    }
}

impl fmt::Debug for AddTask<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddTask").field("spec", &self.spec).finish_non_exhaustive()
    }
}
