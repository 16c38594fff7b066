//! Hooks for the test kit: seeded jitter, and faults that are injected into attempts.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};

use super::core::Core;
use super::task::{Next, Told};
use crate::policy::BackoffPolicy;
use crate::sync::lock;
use crate::test::{FaultKind, FaultLog};

/// The test hooks of one supervisor.
#[derive(Default)]
pub(crate) struct TestHooks {
    /// The lock is a leaf: the number is copied under it, so it cannot deadlock.
    seed: Mutex<Option<u64>>,
}

/// A pending fault of an attempt, and the log that records it.
pub(crate) struct Strike {
    pub(crate) kind: FaultKind,
    pub(crate) log: Arc<FaultLog>,
}

impl TestHooks {
    pub(crate) fn seed(&self, seed: u64) {
        *lock(&self.seed) = Some(seed);
    }

    /// Returns the random number generator for `what`, if there is a seed.
    #[cfg(feature = "fleet")]
    pub(super) fn random(&self, what: &str) -> Option<fastrand::Rng> {
        (*lock(&self.seed)).map(|seed| fastrand::Rng::with_seed(mix(seed, what)))
    }

    /// Draws the delay of a retry again, from the seed if there is one.
    ///
    /// The result depends only on the seed, the path and a counter, and not on the order of failures or on threads.
    pub(super) fn redrawn(&self, mut next: Next, backoff: &BackoffPolicy, told: Told, path: &str, number: u32) -> Next {
        if let (Next::Retry { delay, streak, is_told: false, .. }, Some(seed)) = (&mut next, *lock(&self.seed)) {
            let mut random = fastrand::Rng::with_seed(mix(seed, (path, number)));
            *delay = backoff.next_by(told.steps(*streak), |low, high| random.u128(low..=high));
        }
        next
    }
}

/// Derives a seed for `what`. It is the same in each process.
pub(crate) fn mix(seed: u64, what: impl Hash) -> u64 {
    let mut hasher = Fnv(seed ^ 0xcbf2_9ce4_8422_2325);
    what.hash(&mut hasher);
    hasher.finish()
}

/// FNV-1a. The hasher of std may change from release to release, but stored seeds must stay reproducible.
struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Core {
    /// Sends a fault to the running or next attempt of the task at `path`. Returns `false` if there is no such task.
    pub(crate) fn strike(&self, path: &str, kind: FaultKind, log: &Arc<FaultLog>) -> bool {
        let Some(cell) = self.get(path) else { return false };
        cell.send_fault(Strike { kind, log: Arc::clone(log) });
        true
    }

    /// Removes all pending faults.
    pub(crate) fn spare_all(&self) {
        self.cells().iter().for_each(|cell| cell.spare());
    }

    /// Returns the paths of the registered tasks, in the order of registration.
    pub(crate) fn paths(&self) -> Vec<Arc<str>> {
        self.cells().iter().map(|cell| Arc::clone(cell.name())).collect()
    }

    /// Returns `true` if an attempt of the task at `path` is running.
    pub(crate) fn has_attempt(&self, path: &str) -> bool {
        self.get(path).is_some_and(|cell| cell.is_alive())
    }
}
