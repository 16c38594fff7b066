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
/// It is a named type, and not that of an `async` function, so that the compiler reports an argument that is no task
/// once.
#[must_use = "futures do nothing unless they are polled"]
pub struct AddTask<'a> {
    core: &'a Arc<Core>,
    /// The group, and the function that registers a task in it; `None` for a task beside the tree.
    group: Option<(&'a GroupHandle, Register)>,
    /// The task; `None` after the first poll.
    spec: Option<TaskSpec>,
}

/// Registers a task in a group. It is a pointer, so that a program that adds no task to a group is linked without the
/// code.
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
