//! The re-entrancy guard: records the task that is polled on this thread, to detect a task that waits for itself.

use std::cell::Cell as Shared;
use std::ptr;
use std::sync::Arc;

use super::core::Core;
use super::task::Cell;

/// The addresses of the cell of a task and of its supervisor; zero for none.
#[derive(Clone, Copy)]
struct Polled {
    cell: usize,
    core: usize,
}

thread_local! {
    static CURRENT: Shared<Polled> = const { Shared::new(Polled { cell: 0, core: 0 }) };
}

/// Marks a task as the polled one until this guard is dropped. It restores the previous one.
pub(crate) struct ReentrancyGuard(Polled);

impl ReentrancyGuard {
    /// Marks a part of the supervisor at this address that is not a task as polled.
    pub(crate) fn enter_part_of(core: usize) -> Self {
        Self(CURRENT.replace(Polled { cell: 0, core }))
    }

    pub(super) fn enter(cell: &Cell) -> Self {
        let core = Arc::as_ptr(cell.core()).addr();
        Self(CURRENT.replace(Polled { cell: ptr::from_ref(cell).addr(), core }))
    }

    /// Returns the address of the cell of the polled task, if it is a task of this supervisor.
    pub(super) fn of(core: &Core) -> Option<usize> {
        let Polled { cell, core: of } = CURRENT.get();
        (of == ptr::from_ref(core).addr() && cell != 0).then_some(cell)
    }

    /// Returns `true` if a task or a subscriber of this supervisor is polled.
    pub(super) fn is_of(core: &Arc<Core>) -> bool {
        CURRENT.get().core == Arc::as_ptr(core).addr()
    }
}

impl Drop for ReentrancyGuard {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}
