//! The parsers that taskvisor and its macros share: cron patterns, durations, and the words of a "did you mean".
//!
//! The macros check literals, and the runtime checks values when they are registered. Both call this crate, so both
//! accept the same texts and report the same errors. The crate has no dependency, and no input makes it panic. It is an
//! implementation detail of taskvisor: its API may change in any release.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable, clippy::indexing_slicing)
)]

#[cfg(feature = "cron")]
pub mod cron;
pub mod duration;
pub mod suggest;

/// The README, whose example runs as a test.
#[cfg(all(doctest, feature = "cron"))]
#[doc = include_str!("../README.md")]
mod readme {}
