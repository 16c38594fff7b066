//! Policies: plain values that say when a task runs again, and how long to wait before it does.

mod backoff;
mod cadence;
mod restart;

pub use backoff::{BackoffPolicy, JitterPolicy};
pub(crate) use cadence::Ticks;
pub use restart::RestartPolicy;
