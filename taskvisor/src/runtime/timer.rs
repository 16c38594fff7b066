//! The timer of an actor.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

/// A wait of this time or more never ends. Tokio limits timers to about 2.2 years.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Returns the instant `after` from now, or `None` if it is too far away.
#[inline]
pub(crate) fn deadline(after: Duration) -> Option<Instant> {
    if after >= NEVER { None } else { Instant::now().checked_add(after) }
}

/// Like `deadline`, counted from `start`.
pub(crate) fn deadline_from(start: Instant, after: Duration) -> Option<Instant> {
    if after >= NEVER { None } else { start.checked_add(after) }
}

/// Returns `true` if a wait until then never ends.
pub(crate) fn is_never(deadline: Instant) -> bool {
    deadline.saturating_duration_since(Instant::now()) >= NEVER
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
        self.set_sooner(deadline(after));
    }

    /// Sets the timer to this deadline, if there is one, unless it is already set to an earlier one.
    pub(crate) fn set_sooner(&mut self, deadline: Option<Instant>) {
        let Some(deadline) = deadline else { return };
        if self.armed && self.sleep.as_ref().is_some_and(|sleep| sleep.deadline() <= deadline) {
            return;
        }
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

    /// Returns the lateness of the timer: the time since its deadline. Called after it has fired.
    pub(crate) fn lateness(&self) -> Duration {
        self.sleep.as_ref().map_or(Duration::ZERO, |sleep| sleep.deadline().elapsed())
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
