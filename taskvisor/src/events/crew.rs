//! The duties of the bus: one relay, and one worker for each subscriber.

use crate::sync::{AtomicBool, AtomicUsize, Ordering};

/// The duties. Each is held by at most one Tokio task at a time, and is free again when that task is dropped.
pub(super) struct Crew {
    duties: Vec<AtomicBool>,
    /// The number of free duties. It can be off by one for a moment while a duty is claimed or left.
    free: AtomicUsize,
}

impl Crew {
    pub(super) fn new(duties: usize) -> Self {
        Self { duties: (0..duties).map(|_| AtomicBool::new(false)).collect(), free: AtomicUsize::new(duties) }
    }

    /// Returns `true` if every duty is held.
    pub(super) fn is_complete(&self) -> bool {
        self.free.load(Ordering::Acquire) == 0
    }

    /// Claims the free duties. The caller must perform each.
    pub(super) fn claim(&self) -> Vec<usize> {
        let free = |duty: &usize| !self.duties[*duty].swap(true, Ordering::AcqRel);
        let claimed: Vec<_> = (0..self.duties.len()).filter(free).collect();
        self.free.fetch_sub(claimed.len(), Ordering::AcqRel);
        claimed
    }

    /// Leaves a duty.
    pub(super) fn leave(&self, duty: usize) {
        self.duties[duty].swap(false, Ordering::AcqRel);
        self.free.fetch_add(1, Ordering::AcqRel);
    }
}
