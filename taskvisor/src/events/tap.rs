//! Listeners of the test kit, which hear each event in the step that publishes it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::Event;
use crate::sync::lock;

/// Hears each event at once. It is called under the engine's locks: it copies what it wants, and returns.
pub(crate) trait Tap: Send + Sync {
    fn hear(&self, event: &Event);
}

/// Those who listen.
#[derive(Default)]
pub(crate) struct Taps {
    open: AtomicBool,
    taps: Mutex<Vec<Arc<dyn Tap>>>,
}

impl Taps {
    pub(crate) fn are_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// Lets `tap` hear what is published from now on, until it is closed or the supervisor is dropped.
    pub(crate) fn open(&self, tap: Arc<dyn Tap>) {
        lock(&self.taps).push(tap);
        self.open.store(true, Ordering::Relaxed);
    }

    pub(crate) fn close(&self, tap: &Arc<dyn Tap>) {
        let mut taps = lock(&self.taps);
        taps.retain(|open| !Arc::ptr_eq(open, tap));
        self.open.store(!taps.is_empty(), Ordering::Relaxed);
    }

    pub(super) fn hear(&self, event: &Event) {
        if self.are_open() {
            lock(&self.taps).iter().for_each(|tap| tap.hear(event));
        }
    }
}
