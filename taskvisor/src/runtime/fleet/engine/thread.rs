//! The threads on which the engine runs and the store is called.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::super::clock::LeaseClock;
use super::live::drive;
use super::{Driver, Engine};
use crate::runtime::own_runtime::OwnRuntime;
use crate::sync::lock;

/// Starts the driver. Called in the runtime of the first unit.
pub(super) fn start(engine: &Arc<Engine>) {
    let _ = engine.clock.set(LeaseClock::new());
    let here = Handle::try_current().ok();
    if let Some(here) = here.as_ref().filter(|_| is_time_paused()) {
        here.spawn(drive(Arc::clone(engine), here.clone()));
        return;
    }
    let store = on_thread("taskvisor-store");
    let driver = on_thread("taskvisor-fleet");
    let (Some((store, store_lives)), Some((driver, driver_lives))) = (store, driver) else {
        // If no thread can be created, the engine shares the runtime of the tasks.
        if let Some(here) = here {
            here.spawn(drive(Arc::clone(engine), here.clone()));
        }
        return;
    };
    let driving = drive(Arc::clone(engine), store);
    driver.spawn(async move {
        driving.await;
        drop((store_lives, driver_lives));
    });
}

/// Starts a runtime on a thread of its own, which ends when the sender is dropped.
fn on_thread(name: &str) -> Option<(Handle, oneshot::Sender<()>)> {
    let runtime = OwnRuntime::new().ok()?;
    let (handle, (lives, over)) = (runtime.handle().clone(), oneshot::channel::<()>());
    // The remaining tasks of a store, such as its connection, end with its runtime.
    runtime.on_thread(name, move |runtime| drop(runtime.drive(over))).ok()?;
    Some((handle, lives))
}

/// Returns `true` if the clock of Tokio is paused, as in a test.
fn is_time_paused() -> bool {
    #[cfg(feature = "test-util")]
    {
        let (before, real) = (tokio::time::Instant::now(), std::time::Instant::now());
        while real.elapsed() < std::time::Duration::from_micros(2) {}
        tokio::time::Instant::now() == before
    }
    #[cfg(not(feature = "test-util"))]
    false
}

/// Marks the driver as ended and wakes the waiters, even if the driver is dropped.
pub(super) struct Ended(pub(super) Arc<Engine>);

impl Drop for Ended {
    fn drop(&mut self) {
        let mut shared = lock(&self.0.shared);
        shared.driver = Driver::Over;
        // Breaks the cycle of references between the engine and its seats.
        let gone = (std::mem::take(&mut shared.seats), std::mem::take(&mut shared.inputs));
        drop(shared);
        drop(gone);
        self.0.over.wake();
    }
}
