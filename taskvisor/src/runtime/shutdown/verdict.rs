//! The verdict of a shutdown. It is given once, and all waiters get the same.
//!
//! This file depends neither on Tokio nor on the registry, so that `models/` can check it with loom.

use std::time::Duration;

use crate::panics::drop_caught;
use crate::sync::{Mutex, Waiters, lock};

/// The result of a shutdown, and whether it was forced.
pub(crate) struct Verdict<R> {
    /// The lock guards the verdict and its judge. Only the bus is locked and no user code runs under it, so it cannot
    /// deadlock.
    stage: Mutex<Stage<R>>,
    given: Waiters,
    forced: Waiters,
}

struct Stage<R> {
    result: Option<R>,
    /// `true` while a [`Judge`] exists.
    judged: bool,
    /// The time from the request until the shutdown was forced.
    forced: Option<Duration>,
}

/// The right to give the verdict. At most one exists at a time. If it is dropped without a verdict, it becomes
/// available again.
pub(crate) struct Judge<'a, R> {
    verdict: &'a Verdict<R>,
}

impl<R> Default for Verdict<R> {
    fn default() -> Self {
        Self {
            stage: Mutex::new(Stage { result: None, judged: false, forced: None }),
            given: Waiters::default(),
            forced: Waiters::default(),
        }
    }
}

impl<R: Clone> Verdict<R> {
    /// Returns the right to give the verdict, unless the verdict or another judge exists.
    pub(crate) fn judge(&self) -> Option<Judge<'_, R>> {
        let mut stage = lock(&self.stage);
        if stage.judged || stage.result.is_some() {
            return None;
        }
        stage.judged = true;
        Some(Judge { verdict: self })
    }

    /// Returns the verdict, if it is given.
    pub(crate) fn get(&self) -> Option<R> {
        lock(&self.stage).result.clone()
    }

    pub(crate) fn is_given(&self) -> bool {
        lock(&self.stage).result.is_some()
    }

    /// Waits for the verdict.
    pub(crate) async fn wait(&self) -> R {
        self.given.wait(|| self.get()).await
    }

    /// Forces the shutdown. If this is the first force and there is no verdict, `publish` is called under the lock, so
    /// that nobody observes the force before.
    pub(crate) fn force(&self, after: Duration, publish: impl FnOnce()) {
        let mut stage = lock(&self.stage);
        if stage.forced.is_none() && stage.result.is_none() {
            stage.forced = Some(after);
            publish();
        }
        drop(stage);
        self.forced.wake();
    }

    /// Calls `change` before or after the `publish` of a [`force`](Self::force), and not in the middle of it.
    pub(crate) fn in_order(&self, change: impl FnOnce()) {
        let _stage = lock(&self.stage);
        change();
    }

    /// Returns the time from the request until the shutdown was forced, if it was.
    pub(crate) fn forced(&self) -> Option<Duration> {
        lock(&self.stage).forced
    }

    /// Waits until the shutdown is forced, or another judge gives its verdict.
    pub(crate) async fn interrupted(&self) {
        let look = || {
            let stage = lock(&self.stage);
            (stage.forced.is_some() || stage.result.is_some()).then_some(())
        };
        self.forced.wait(look).await;
    }

    /// Waits for the next call of [`force`](Self::force) after this call, or for the verdict.
    pub(crate) fn forced_again(&self) -> impl Future<Output = ()> + '_ {
        self.forced.next_ring()
    }
}

impl<R> Judge<'_, R> {
    /// Gives the verdict. Called with no lock held, because it wakes waiters.
    pub(crate) fn give(self, result: R) {
        lock(&self.verdict.stage).result = Some(result);
        self.verdict.given.wake();
        self.verdict.forced.wake();
    }
}

impl<R> Drop for Judge<'_, R> {
    fn drop(&mut self) {
        lock(&self.verdict.stage).judged = false;
    }
}

impl<R> Drop for Verdict<R> {
    /// Drops the result inside `panics::catch`, because it holds user errors.
    fn drop(&mut self) {
        let _ = drop_caught(lock(&self.stage).result.take());
    }
}
