//! Where an actor is.

use std::time::Duration;

use super::attempt::{Attempt, Joining};

pub(in crate::runtime) enum Step {
    /// Spawned, not polled yet.
    New,
    /// The next attempt waits for its gate, and for the alarm, which is set to this delay once the gate is open.
    Waiting {
        delay: Duration,
    },
    /// The next attempt is due after a turn of the scheduler, so that a task that ends at once starves nobody.
    Yield,
    /// The next attempt is due.
    Due {
        gave_way: bool,
    },
    Attempt(Attempt),
    /// The attempt has ended, its helpers have not.
    Join(Box<Joining>),
    Over,
}
