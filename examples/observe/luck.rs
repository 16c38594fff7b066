//! Random faults.

use std::sync::{Arc, Mutex, PoisonError};

/// The random faults of one task. Only the seed determines them, and not the other tasks. Clones share the sequence.
#[derive(Clone)]
pub(crate) struct Luck(Arc<Mutex<fastrand::Rng>>);

impl Luck {
    /// Returns the faults of one task after another.
    pub(crate) fn of_tasks(seed: u64) -> impl FnMut() -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        move || Self(Arc::new(Mutex::new(random.fork())))
    }

    /// Returns `true` once in this many times.
    pub(crate) fn runs_out(&self, odds: u32) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).u32(..odds) == 0
    }
}
