//! What taskvisor and its macros read alike: cron patterns, durations, and the words of a `did you mean`.
//!
//! A literal is checked by the macros, and a value of the runtime when it is registered. Both call this crate, so both
//! accept the same and say the same. The crate has no dependency, and its functions do not panic on any input. It is an
//! implementation detail of taskvisor: its API may change in any release.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable, clippy::indexing_slicing)
)]

pub mod cron;
pub mod duration;
pub mod suggest;
