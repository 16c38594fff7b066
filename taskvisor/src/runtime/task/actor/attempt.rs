//! What an actor keeps of the attempt that it runs.

use std::time::Duration;

use tokio::time::Instant;

use super::super::decision::Ending;
use super::super::machine::Cut;
use crate::task::BoxTaskFuture;

/// The attempt has ended, its helpers have not.
pub(in crate::runtime) struct Joining {
    pub(in crate::runtime) ending: Ending,
    pub(in crate::runtime) lived: Option<Duration>,
}

pub(in crate::runtime) struct Attempt {
    pub(in crate::runtime) future: BoxTaskFuture,
    /// When it was first seen to take longer than one poll.
    pub(in crate::runtime) began: Option<Instant>,
    /// What the machine said last.
    pub(in crate::runtime) cut: Cut,
    /// What few attempts have.
    pub(in crate::runtime) aside: Option<Box<Aside>>,
}

/// Kept apart, as most attempts have none of it.
#[derive(Default)]
pub(in crate::runtime) struct Aside {
    /// A violation: the time that the attempt exceeded, and how long it lived until it was cut.
    pub(in crate::runtime) violation: Option<(Duration, Option<Duration>)>,
    /// When a final attempt is aborted, which began after the stop was requested.
    pub(in crate::runtime) stop_by: Option<Instant>,
}

impl Attempt {
    pub(in crate::runtime) fn new(future: BoxTaskFuture) -> Self {
        Self { future, began: None, cut: Cut::Not, aside: None }
    }

    /// How long it has lived; `None` if it ended in its first poll.
    pub(in crate::runtime) fn age(&self) -> Option<Duration> {
        self.began.map(|began| began.elapsed())
    }

    pub(in crate::runtime) fn violation(&self) -> Option<(Duration, Option<Duration>)> {
        self.aside.as_ref().and_then(|aside| aside.violation)
    }

    pub(in crate::runtime) fn stop_by(&self) -> Option<Instant> {
        self.aside.as_ref().and_then(|aside| aside.stop_by)
    }

    pub(in crate::runtime) fn cut(&mut self, cut: Cut, timeout: Duration) {
        let lived = self.age();
        self.aside.get_or_insert_default().violation = Some((timeout, lived));
        self.cut = cut;
    }
}
