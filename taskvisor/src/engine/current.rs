//! Which task is being polled on this thread, so that a task that waits for itself can be told.

use std::cell::Cell;
use std::sync::Arc;

use super::core::Core;
use crate::status::TaskId;

thread_local! {
    static CURRENT: Cell<Option<(TaskId, usize)>> = const { Cell::new(None) };
}

/// Until this is dropped, the task is the one that is polled.
pub(super) struct Current(Option<(TaskId, usize)>);

impl Current {
    pub(super) fn enter(task: TaskId, core: &Arc<Core>) -> Self {
        Self(CURRENT.replace(Some((task, Arc::as_ptr(core).addr()))))
    }

    /// Whether this very task is being polled.
    pub(super) fn is(task: TaskId) -> bool {
        CURRENT.get().is_some_and(|(current, _)| current == task)
    }

    /// Whether a task of this supervisor is being polled.
    pub(super) fn is_of(core: &Arc<Core>) -> bool {
        CURRENT.get().is_some_and(|(_, current)| current == Arc::as_ptr(core).addr())
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}
