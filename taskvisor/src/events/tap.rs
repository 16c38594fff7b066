//! Taps of the test kit, which receive each event in the step that publishes it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::Event;
use crate::sync::lock;

/// Receives each event when it is published. It is called under locks of the runtime, so it may only copy data.
pub(crate) trait Tap: Send + Sync {
    fn hear(&self, event: &Event);
}

/// The open taps.
#[derive(Default)]
pub(crate) struct Taps {
    open: AtomicBool,
    /// Taken under `open`. A tap locks only its own data, so this cannot deadlock.
    taps: Mutex<Vec<Arc<dyn Tap>>>,
}

impl Taps {
    pub(crate) fn are_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// Opens a tap for all events from now on, until it is closed or the supervisor is dropped.
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
