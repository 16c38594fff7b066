//! The verdict of a shutdown: given once, and the same to all that wait for it.
//!
//! This file knows neither Tokio nor the registry: `models/` checks it with loom.

use std::time::Duration;

use crate::panics::drop_caught;
use crate::sync::{Mutex, Waiters, lock};

/// What a shutdown came to, and whether it was forced.
pub(crate) struct Verdict<R> {
    /// A leaf: nothing else is locked under it, and no user code runs under it.
    stage: Mutex<Stage<R>>,
    given: Waiters,
    forced: Waiters,
}

struct Stage<R> {
    result: Option<R>,
    /// A [`Judge`] exists.
    judged: bool,
    /// How long after the request the shutdown was forced.
    forced: Option<Duration>,
}

/// The right to give the verdict. There is one at a time; dropped without a verdict, it passes to the next that asks.
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
    /// The right to give the verdict, unless it is given or about to be.
    pub(crate) fn judge(&self) -> Option<Judge<'_, R>> {
        let mut stage = lock(&self.stage);
        if stage.judged || stage.result.is_some() {
            return None;
        }
        stage.judged = true;
        Some(Judge { verdict: self })
    }

    /// The verdict, once it is given.
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

    /// Forces the shutdown. `publish` is called where that is done for the first time and before the verdict, with no
    /// lock held, and before anybody learns of it who waits.
    pub(crate) fn force(&self, after: Duration, publish: impl FnOnce()) {
        let first = {
            let mut stage = lock(&self.stage);
            let first = stage.forced.is_none() && stage.result.is_none();
            if first {
                stage.forced = Some(after);
            }
            first
        };
        if first {
            publish();
        }
        self.forced.wake();
    }

    /// How long after the request the shutdown was forced, if it was.
    pub(crate) fn forced(&self) -> Option<Duration> {
        lock(&self.stage).forced
    }

    /// Waits until the shutdown is forced, or its verdict is given by another than the caller.
    pub(crate) async fn interrupted(&self) {
        let look = || {
            let stage = lock(&self.stage);
            (stage.forced.is_some() || stage.result.is_some()).then_some(())
        };
        self.forced.wait(look).await;
    }

    /// Waits for the next call of [`force`](Self::force), or for the verdict.
    pub(crate) async fn forced_again(&self) {
        self.forced.next_ring(self.forced.rings()).await;
    }
}

impl<R> Judge<'_, R> {
    /// Gives the verdict. Called with no lock held, as it wakes those that wait.
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
    /// It holds errors of the user's.
    fn drop(&mut self) {
        let _ = drop_caught(lock(&self.stage).result.take());
    }
}
