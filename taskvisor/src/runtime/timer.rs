//! The timer of an actor.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

/// A longer wait never ends. Tokio's timer is limited to less than this.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Returns the instant `after` from now, or `None` if it is too far away.
pub(crate) fn deadline(after: Duration) -> Option<Instant> {
    if after >= NEVER { None } else { Instant::now().checked_add(after) }
}

/// Like `deadline`, counted from `start`.
pub(crate) fn deadline_from(start: Instant, after: Duration) -> Option<Instant> {
    if after >= NEVER { None } else { start.checked_add(after) }
}

/// A timer that is created when it is first set, and reused.
#[derive(Default)]
pub(crate) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: bool,
}

impl Timer {
    pub(crate) fn set(&mut self, after: Duration) {
        self.armed = false;
        if let Some(deadline) = deadline(after) {
            self.set_at(deadline);
        }
    }

    /// Sets the timer, unless it is already set to an earlier time.
    pub(crate) fn set_sooner(&mut self, after: Duration) {
        if let Some(deadline) = deadline(after) {
            self.set_sooner_at(deadline);
        }
    }

    /// Like `set_sooner`, for an optional deadline.
    pub(crate) fn set_sooner_than(&mut self, deadline: Option<Instant>) {
        if let Some(deadline) = deadline {
            self.set_sooner_at(deadline);
        }
    }

    /// Like `set_sooner`, for a deadline.
    pub(crate) fn set_sooner_at(&mut self, deadline: Instant) {
        if self.sleep.as_ref().is_none_or(|sleep| !self.armed || deadline < sleep.deadline()) {
            self.set_at(deadline);
        }
    }

    fn set_at(&mut self, deadline: Instant) {
        self.armed = true;
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(deadline),
            None => self.sleep = Some(Box::pin(sleep_until(deadline))),
        }
    }

    pub(crate) fn is_armed(&self) -> bool {
        self.armed
    }

    pub(crate) fn clear(&mut self) {
        self.armed = false;
    }

    /// Returns `Ready` once the time is reached. Never ready while not set.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.sleep {
            // A future that uses up the cooperative budget must not suppress its own timeout.
            Some(sleep) if self.armed => pin!(unconstrained(sleep.as_mut())).poll(cx).map(|()| self.armed = false),
            _ => Poll::Pending,
        }
    }
}
