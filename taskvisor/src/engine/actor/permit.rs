//! The permit of an attempt, where only so many may run at once.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::PollSemaphore;

use super::super::cell::Cell;

/// A place among those that may run at once.
pub(super) struct Permit {
    pub(super) semaphore: PollSemaphore,
    pub(super) held: Option<OwnedSemaphorePermit>,
}

impl Permit {
    pub(super) fn of(cell: &Cell) -> Option<Box<Self>> {
        let permits = cell.core().permits.as_ref()?;
        Some(Box::new(Self { semaphore: PollSemaphore::new(Arc::clone(permits)), held: None }))
    }
}
