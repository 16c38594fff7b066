//! Checks that are repeated in the background while tasks or callers wait.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::core::Core;
use super::observe::{self, Background};

/// A check that is repeated until it is over. It does not keep the supervisor alive.
pub(super) struct Recheck {
    core: Weak<Core>,
    /// Checks, and returns the time of the next check; `None` if there is nothing more to check.
    check: fn(&Arc<Core>) -> Option<Instant>,
    /// Called if the runtime ends before the check is over. The next task or caller that waits then spawns another
    /// check.
    lost: fn(&Arc<Core>),
    is_over: bool,
}

impl Recheck {
    /// Spawns the check on the runtime of the caller. Called with no lock held.
    pub(super) fn spawn(
        core: &Arc<Core>,
        name: &'static str,
        first: Duration,
        check: fn(&Arc<Core>) -> Option<Instant>,
        lost: fn(&Arc<Core>),
    ) {
        let Ok(runtime) = core.runtime() else { return };
        let recheck = Self { core: Arc::downgrade(core), check, lost, is_over: false };
        let running: Background = Box::pin(recheck.run(Instant::now() + first));
        observe::spawn(&runtime, running, move |_| name.into());
    }

    async fn run(mut self, first: Instant) {
        let mut next = Some(first);
        while let Some(time) = next {
            sleep_until(time).await;
            next = self.core.upgrade().and_then(|core| (self.check)(&core));
        }
        self.is_over = true;
    }
}

impl Drop for Recheck {
    fn drop(&mut self) {
        if let Some(core) = self.core.upgrade().filter(|_| !self.is_over) {
            (self.lost)(&core);
        }
    }
}
