//! The future of `add_task`.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::error::RuntimeError;
use crate::runtime::{Cell, Core};
use crate::task::{TaskHandle, TaskSpec};
use crate::tree::GroupHandle;

/// The future of [`SupervisorHandle::add_task`](crate::SupervisorHandle::add_task) and
/// [`GroupHandle::add_task`](crate::GroupHandle::add_task). It registers the task when it is first polled, and never
/// waits.
///
/// It is a type of its own, and not that of an `async` function, so that something that is no task is one error.
#[must_use = "futures do nothing unless they are polled"]
pub struct AddTask<'a> {
    core: &'a Arc<Core>,
    /// The group, and what registers a task in it; `None` for a task beside the tree.
    group: Option<(&'a GroupHandle, Register)>,
    /// Until the first poll.
    spec: Option<TaskSpec>,
}

/// Registers a task in a group. A program that adds none to a group does not have its code.
type Register = fn(&GroupHandle, TaskSpec) -> Result<Arc<Cell>, RuntimeError>;

impl<'a> AddTask<'a> {
    pub(crate) fn new(core: &'a Arc<Core>, group: Option<(&'a GroupHandle, Register)>, spec: TaskSpec) -> Self {
        Self { core, group, spec: Some(spec) }
    }
}

impl Future for AddTask<'_> {
    type Output = Result<TaskHandle, RuntimeError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(spec) = self.spec.take() else { return Poll::Pending };
        let added = match self.group {
            Some((group, register)) => register(group, spec),
            None => self.core.add(spec),
        };
        Poll::Ready(added.map(TaskHandle::new))
    }
}

impl_debug!(AddTask<'_>, |adding| spec: adding.spec);
