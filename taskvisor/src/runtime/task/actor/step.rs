//! The steps of an actor.

use std::time::Duration;

use super::attempt::{Attempt, Joining};

pub(in crate::runtime) enum Step {
    /// Spawned, and not polled yet.
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
    Over,
}
