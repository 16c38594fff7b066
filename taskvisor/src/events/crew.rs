//! Who delivers: one relay and one worker for each subscriber, and never two of one.

use crate::sync::{AtomicBool, AtomicUsize, Ordering};

/// The places of those who deliver. Each is taken by one at a time, and free again when that one is dropped.
pub(super) struct Crew {
    places: Vec<AtomicBool>,
    /// How many places are free; for a moment one more or less, while one is taken or left.
    free: AtomicUsize,
}

impl Crew {
    pub(super) fn new(places: usize) -> Self {
        Self { places: (0..places).map(|_| AtomicBool::new(false)).collect(), free: AtomicUsize::new(places) }
    }

    /// Whether each place is taken, so that what is published is delivered.
    pub(super) fn is_complete(&self) -> bool {
        self.free.load(Ordering::Acquire) == 0
    }

    /// Takes the places that are free. The caller fills each.
    pub(super) fn claim(&self) -> Vec<usize> {
        let free = |place: &usize| !self.places[*place].swap(true, Ordering::AcqRel);
        let claimed: Vec<_> = (0..self.places.len()).filter(free).collect();
        self.free.fetch_sub(claimed.len(), Ordering::AcqRel);
        claimed
    }

    /// Leaves a place.
    pub(super) fn leave(&self, place: usize) {
        self.places[place].swap(false, Ordering::AcqRel);
        self.free.fetch_add(1, Ordering::AcqRel);
    }
}
