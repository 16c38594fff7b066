//! The re-entrancy guard: which task is polled on this thread. It detects a task that waits for itself.

use std::cell::Cell as Shared;
use std::ptr;
use std::sync::Arc;

use super::core::Core;
use super::task::Cell;

/// The addresses of the cell of a task and of its supervisor; zero for none.
struct Polled {
    cell: Shared<usize>,
    core: Shared<usize>,
}

thread_local! {
    static CURRENT: Polled = const { Polled { cell: Shared::new(0), core: Shared::new(0) } };
}

/// Marks a task as the one that is polled, until it is dropped.
pub(crate) struct ReentrancyGuard {
    cell_before: usize,
    core_before: usize,
}

impl ReentrancyGuard {
    /// Marks a part of the supervisor at this address as polled, which is not a task.
    pub(crate) fn enter_part_of(core: usize) -> Self {
        CURRENT.with(|current| Self { cell_before: current.cell.replace(0), core_before: current.core.replace(core) })
    }

    pub(super) fn enter(cell: &Cell) -> Self {
        let core = Arc::as_ptr(cell.core()).addr();
        CURRENT.with(|current| Self {
            cell_before: current.cell.replace(ptr::from_ref(cell).addr()),
            core_before: current.core.replace(core),
        })
    }

    /// Returns the address of the cell of the polled task, if it is a task of this supervisor.
    pub(super) fn of(core: &Core) -> Option<usize> {
        CURRENT
            .with(|current| (current.core.get() == ptr::from_ref(core).addr()).then(|| current.cell.get()))
            .filter(|cell| *cell != 0)
    }

    /// Returns `true` if a task or a subscriber of this supervisor is polled.
    pub(super) fn is_of(core: &Arc<Core>) -> bool {
        CURRENT.with(|current| current.core.get() == Arc::as_ptr(core).addr())
    }
}

impl Drop for ReentrancyGuard {
    fn drop(&mut self) {
        CURRENT.with(|current| {
            current.cell.set(self.cell_before);
            current.core.set(self.core_before);
        });
    }
}
