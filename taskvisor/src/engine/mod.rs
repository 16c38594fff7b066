//! The engine: what runs tasks.
//!
//! `core` owns what a supervisor shares, `registry` who is there, `cell` the state of one registration; an `actor` is
//! the Tokio task that drives one cell, by what `decision` says.

mod actor;
mod alarm;
mod cell;
mod clock;
mod core;
mod current;
mod decision;
mod failures;
mod group;
mod guards;
mod helpers;
#[cfg(feature = "test-util")]
mod kit;
#[cfg(feature = "controller")]
mod line;
mod look;
mod machine;
mod names;
mod news;
mod observe;
mod permits;
mod registry;
mod run;
mod shutdown;
mod signals;
#[cfg(feature = "controller")]
mod slots;
mod stopper;
mod tree;
mod turns;
mod verdict;
mod waits;
mod warnings;
mod watch;

pub(crate) use cell::Cell;
pub(crate) use core::{Core, Parts};
pub(crate) use current::Current;
pub(crate) use group::GroupCell;
#[cfg(feature = "test-util")]
pub(crate) use kit::mix;
pub(crate) use observe::{Background, SpanRef, lost};
pub(crate) use run::Running;
pub use shutdown::Shutdown;
