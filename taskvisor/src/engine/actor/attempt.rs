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
    /// The alarm is that of a stop, whatever the cut.
    pub(super) limited: bool,
    /// More of a cut that is the attempt's own doing; kept apart, as most have none.
    pub(super) misdeed: Option<Box<Misdeed>>,
}

pub(super) struct Misdeed {
    /// The time that it exceeded, if it did.
    pub(super) timeout: Duration,
    /// How long it lived until it was cut.
    pub(super) lived: Option<Duration>,
}

impl Attempt {
    pub(super) fn new(future: BoxTaskFuture) -> Self {
        Self { future, began: None, cut: Cut::Not, limited: false, misdeed: None }
    }

    /// How long it has lived; `None` if it ended in its first poll.
    pub(super) fn age(&self) -> Option<Duration> {
        self.began.map(|began| began.elapsed())
    }

    pub(super) fn cut(&mut self, cut: Cut, timeout: Duration) {
        self.misdeed = Some(Box::new(Misdeed { timeout, lived: self.age() }));
        self.cut = cut;
    }
}
