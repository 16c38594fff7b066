//! The steps of an actor, and its state of the running attempt.

use std::time::Duration;

use tokio::time::Instant;

use super::super::super::timer::Timer;
use super::super::decision::Ending;
use super::super::limit::{Exceeded, is_late};
use super::super::machine::Cut;
use crate::panics::drop_caught;
use crate::task::BoxTaskFuture;

pub(in crate::runtime) enum Step {
    /// The actor is spawned, and not polled yet. Also a placeholder while the step changes.
    New,
    /// The next attempt waits for its gate, and then for the timer, which is set to this delay when the gate opens.
    Waiting {
        delay: Duration,
    },
    /// The next attempt is due after a turn of the scheduler, so that a task that ends at once does not starve others.
    Yield,
    /// The next attempt is due.
    Due {
        gave_way: bool,
    },
    Attempt(Attempt),
    /// The attempt has ended, and its helpers are joined.
    Join(Box<Joining>),
    /// The registration has ended.
    Over,
}

/// An attempt that has ended while its helpers still run.
pub(in crate::runtime) struct Joining {
    pub(in crate::runtime) ending: Ending,
    pub(in crate::runtime) lived: Option<Duration>,
}

pub(in crate::runtime) struct Attempt {
    pub(in crate::runtime) future: BoxTaskFuture,
    /// The time of the first poll that was pending.
    pub(in crate::runtime) began: Option<Instant>,
    /// The last [`Cut`] that the machine returned.
    pub(in crate::runtime) cut: Cut,
    /// Rarely used state.
    pub(in crate::runtime) aside: Option<Box<Aside>>,
}

/// Boxed, because most attempts do not need it.
#[derive(Default)]
pub(in crate::runtime) struct Aside {
    /// The limit that the attempt exceeded.
    pub(in crate::runtime) exceeded: Option<Exceeded>,
    /// The run time of the attempt until its violation.
    pub(in crate::runtime) lived: Option<Duration>,
    /// `true` if the timeout was granted a second time, because its timer fired late.
    pub(in crate::runtime) granted: bool,
    /// The abort deadline of a final attempt, which began after the stop request.
    pub(in crate::runtime) stop_by: Option<Instant>,
}

impl Attempt {
    pub(in crate::runtime) fn new(future: BoxTaskFuture) -> Self {
        Self { future, began: None, cut: Cut::Not, aside: None }
    }

    /// Returns the run time; `None` if the attempt ended in its first poll.
    pub(in crate::runtime) fn age(&self) -> Option<Duration> {
        self.began.map(|began| began.elapsed())
    }

    /// Grants the timeout a second time if its timer fired late, because the host was paused.
    pub(in crate::runtime) fn is_granted(&mut self, timer: &Timer, timeout: Duration) -> bool {
        let grants = !self.aside.as_ref().is_some_and(|aside| aside.granted) && is_late(timer.lateness(), timeout);
        if grants {
            self.aside.get_or_insert_default().granted = true;
        }
        grants
    }

    pub(in crate::runtime) fn stop_by(&self) -> Option<Instant> {
        self.aside.as_ref().and_then(|aside| aside.stop_by)
    }
}

/// Returns the ending of an attempt that the supervisor had to end because of a violation, and the run time that counts
/// for it. Such an attempt was not healthy, however long it ran.
#[cold]
pub(in crate::runtime) fn violated(attempt: &Attempt, ending: Ending) -> (Ending, Option<Duration>) {
    let aside = attempt.aside.as_deref();
    let (exceeded, lived) = match attempt.cut {
        // The panic of a helper replaces any result of the attempt.
        Cut::HelperPanicked => (None, aside.and_then(|aside| aside.lived)),
        // The exceeded limit also replaces the result.
        _ => (Some(aside.and_then(|aside| aside.exceeded).unwrap_or_default()), None),
    };
    if matches!(ending, Ending::Aborted) {
        return (ending, lived);
    }
    let _ = drop_caught(ending);
    let stands = exceeded.map_or(Ending::Dropped, |exceeded| Ending::Result(Err(exceeded.into_error())));
    (stands, lived)
}
