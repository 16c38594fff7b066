//! Looks for submissions in line that are not polled when their turn has come, so that they hold up nobody.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::sleep;

use super::super::core::Core;
use super::super::observe::{self, Background};
use super::manager::Aftermath;

/// One that is not polled for this long after it was called loses its turn, and after twice as long at the latest.
const PATIENCE: Duration = Duration::from_millis(50);

/// Looks until all that were called have come or lost their turn. Dropped with its runtime, it leaves that to the next.
struct Usher {
    core: Weak<Core>,
    is_over: bool,
}

/// Spawns the one that looks for them, on the runtime of the caller. Called with no lock held.
pub(super) fn watch(core: &Arc<Core>) {
    let usher = Usher { core: Arc::downgrade(core), is_over: false };
    let Ok(runtime) = core.runtime() else { return };
    let watching: Background = Box::pin(usher.watch());
    observe::spawn(&runtime, watching, |_| "line".into());
}

impl Usher {
    async fn watch(mut self) {
        while !self.is_over {
            sleep(PATIENCE).await;
            let Some(core) = self.core.upgrade() else { return };
            let mut aftermath = Aftermath::default();
            self.is_over = !core.registry().slots.line.pass_over(&mut aftermath.calls);
            aftermath.carry_out(&core);
        }
    }
}

impl Drop for Usher {
    fn drop(&mut self) {
        if let Some(core) = self.core.upgrade().filter(|_| !self.is_over) {
            core.registry().slots.line.unwatched();
        }
    }
}
