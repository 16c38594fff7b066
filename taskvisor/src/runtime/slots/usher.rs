//! Passes over waiting submissions that are not polled in their turn, so that they do not block others.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::sleep;

use super::super::core::Core;
use super::super::observe::{self, Background};
use super::manager::Aftermath;

/// A submission that is not polled for this long after it was woken loses its turn, after twice this time at the
/// latest.
const PATIENCE: Duration = Duration::from_millis(50);

/// Checks until every woken submission was polled or has lost its turn. If its runtime ends, the next waiting
/// submission spawns another.
struct Usher {
    core: Weak<Core>,
    is_over: bool,
}

/// Spawns the usher on the runtime of the caller. Called with no lock held.
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
            self.is_over = !core.registry().slots.wait_queue.pass_over(&mut aftermath.calls);
            aftermath.carry_out(&core);
        }
    }
}

impl Drop for Usher {
    fn drop(&mut self) {
        if let Some(core) = self.core.upgrade().filter(|_| !self.is_over) {
            core.registry().slots.wait_queue.unwatched();
        }
    }
}
