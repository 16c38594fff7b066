//! Where an actor is.

use std::time::Duration;

use super::attempt::{Attempt, Joining};

pub(super) enum Step {
    /// Spawned, not polled yet.
    New,
    /// The group decides when the next attempt is due; after a failure it may wait for its backoff then.
    Parked {
        backoff: Option<Duration>,
    },
    /// The next attempt waits for the alarm.
    Wait,
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
