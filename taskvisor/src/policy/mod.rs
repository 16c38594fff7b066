//! Policies: plain values that say when a task runs again, when it is ready, and how long it may take.
//!
//! `restart`, `backoff` and `ready` are public values. `settings` has what a spec sets and what comes of it under the
//! configuration of a supervisor. `schedule` computes the ticks of a fixed rate. All of it is pure: time is passed in.

mod backoff;
mod ready;
mod restart;
mod schedule;
mod settings;

pub use backoff::{BackoffPolicy, JitterPolicy};
pub use ready::Ready;
pub use restart::RestartPolicy;
pub(crate) use schedule::Ticks;
pub(crate) use settings::{Overrides, Settings, check_backoff};
