//! What an actor keeps of the attempt that it runs.

use std::time::Duration;

use tokio::time::Instant;

use super::super::decision::Ending;
use super::super::machine::Cut;
use crate::task::BoxTaskFuture;

/// The attempt has ended, its helpers have not.
pub(super) struct Joining {
    pub(super) ending: Ending,
    pub(super) lived: Option<Duration>,
}

pub(super) struct Attempt {
    pub(super) future: BoxTaskFuture,
    /// When it was first seen to take longer than one poll.
    pub(super) began: Option<Instant>,
    /// What the machine said last.
    pub(super) cut: Cut,
    /// What few attempts have.
    pub(super) aside: Option<Box<Aside>>,
}

/// Kept apart, as most attempts have none of it.
#[derive(Default)]
pub(super) struct Aside {
    /// A violation: the time that the attempt exceeded, and how long it lived until it was cut.
    pub(super) violation: Option<(Duration, Option<Duration>)>,
    /// When a final attempt is aborted, which began after the stop was requested.
    pub(super) stop_by: Option<Instant>,
}

impl Attempt {
    pub(super) fn new(future: BoxTaskFuture) -> Self {
        Self { future, began: None, cut: Cut::Not, aside: None }
    }

    /// How long it has lived; `None` if it ended in its first poll.
    pub(super) fn age(&self) -> Option<Duration> {
        self.began.map(|began| began.elapsed())
    }

    pub(super) fn violation(&self) -> Option<(Duration, Option<Duration>)> {
        self.aside.as_ref().and_then(|aside| aside.violation)
    }

    pub(super) fn stop_by(&self) -> Option<Instant> {
        self.aside.as_ref().and_then(|aside| aside.stop_by)
    }

    pub(super) fn cut(&mut self, cut: Cut, timeout: Duration) {
        let lived = self.age();
        self.aside.get_or_insert_default().violation = Some((timeout, lived));
        self.cut = cut;
    }
}
