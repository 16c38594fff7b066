//! The duties of the bus: one relay, and one worker for each subscriber.

use crate::sync::{AtomicBool, AtomicUsize, Ordering};

/// The duties. Each is held by at most one Tokio task at a time, and is free again when that task is dropped.
pub(super) struct Crew {
    places: Vec<AtomicBool>,
    /// The number of free duties. It can be off by one for a moment while a duty is claimed or left.
    free: AtomicUsize,
}

impl Crew {
    pub(super) fn new(places: usize) -> Self {
        Self { places: (0..places).map(|_| AtomicBool::new(false)).collect(), free: AtomicUsize::new(places) }
    }

    /// Returns `true` if every duty is held.
    pub(super) fn is_complete(&self) -> bool {
        self.free.load(Ordering::Acquire) == 0
    }

    /// Claims the free duties. The caller must perform each.
    pub(super) fn claim(&self) -> Vec<usize> {
        let free = |place: &usize| !self.places[*place].swap(true, Ordering::AcqRel);
        let claimed: Vec<_> = (0..self.places.len()).filter(free).collect();
        self.free.fetch_sub(claimed.len(), Ordering::AcqRel);
        claimed
    }

    /// Leaves a duty.
    pub(super) fn leave(&self, place: usize) {
        self.places[place].swap(false, Ordering::AcqRel);
        self.free.fetch_add(1, Ordering::AcqRel);
    }
}
