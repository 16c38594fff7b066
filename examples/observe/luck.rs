//! What goes wrong when.

use std::sync::{Arc, Mutex, PoisonError};

/// The luck of one task: a seed says what strikes it when, whatever the others do. Clones share it.
#[derive(Clone)]
pub(crate) struct Luck(Arc<Mutex<fastrand::Rng>>);

impl Luck {
    /// Makes the luck of one task after another.
    pub(crate) fn of_tasks(seed: u64) -> impl FnMut() -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        move || Self(Arc::new(Mutex::new(random.fork())))
    }

    /// True once in so many times.
    pub(crate) fn runs_out(&self, odds: u32) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).u32(..odds) == 0
    }
}
