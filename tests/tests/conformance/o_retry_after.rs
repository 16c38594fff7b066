//! O26: a failure, or a success, that says when its task runs again.

mod alone;
mod elsewhere;
mod errors;
mod groups;
mod races;
mod successes;

use std::time::Duration;

use taskvisor::{BackoffPolicy, JitterPolicy, RuntimeError};
use tests::{Step, ms, secs};

type Result = std::result::Result<(), RuntimeError>;

/// 100 ms, 200 ms, 400 ms and so on up to one second.
fn growing() -> BackoffPolicy {
    BackoffPolicy { first: ms(100), max: secs(1), factor: 2.0, jitter: JitterPolicy::None }
}

const fn told(delay: Duration) -> Step {
    Step::RetryAfter(delay)
}
