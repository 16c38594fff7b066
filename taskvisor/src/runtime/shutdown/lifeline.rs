//! Sees to the verdict of a shutdown whose stopper cannot give it: its runtime has ended or is blocked.

use std::future::pending;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::super::core::Core;
use super::super::observe::Background;
use super::super::timer::deadline;
use super::stopper::until;
use super::watch::Watch;

/// Gives the verdict if the stopper has not given it in time.
pub(super) fn see_to_the_end(core: &Arc<Core>, drain: Duration) {
    const SPARE: Duration = Duration::from_secs(1);
    if core.stop.verdict.is_given() {
        return;
    }
    let Some(watch) = Watch::get() else { return };
    let (runtime, core) = (watch.runtime().clone(), Arc::clone(core));
    #[cfg(feature = "fleet")]
    let drain = drain.saturating_add(core.fleet.as_ref().map_or(Duration::ZERO, |engine| engine.time_to_close()));
    let time = drain.saturating_add(core.config.grace).saturating_add(core.config.drain_timeout).saturating_add(SPARE);
    let waiting: Background = Box::pin(async move {
        let _watch = watch;
        let given = pin!(async { drop(core.verdict().await) });
        if !until(given, pin!(pending()), deadline(time)).await {
            core.abandon();
        }
    });
    runtime.spawn(waiting);
}

/// A value that is dropped when its runtime ends.
struct Sentinel(Weak<Core>);

/// Spawns a task on the runtime of the tasks, which detects the end of that runtime, and ends with the returned sender.
/// While that runtime shuts down, a blocked thread keeps its tasks alive.
pub(super) fn lifeline(core: &Arc<Core>, home: &Handle) -> oneshot::Sender<()> {
    let (held, released) = oneshot::channel();
    let sentinel = Sentinel(Arc::downgrade(core));
    let waiting: Background = Box::pin(async move {
        let _sentinel = sentinel;
        let _ = released.await;
    });
    home.spawn(waiting);
    held
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let Some(core) = self.0.upgrade() else { return };
        if !core.stop.verdict.is_given() && !core.registry().lives_elsewhere() {
            core.abandon();
        }
    }
}
