//! The engine that runs a supervisor.
//!
//! `core` has the state that all parts of one supervisor share; `registry` maps names to registrations; `registration`
//! starts a declared tree. `task`, `group`, `slots` and `shutdown` each have a pure machine or plan and the Tokio tasks
//! that drive it. `observe` is the only part that calls `tracing` and `metrics`. Other modules use `Core`, `Cell` and
//! `GroupCell`.

mod by_id;
mod by_name;
mod clock;
mod comeback;
mod core;
mod detail;
mod exit;
mod failures;
#[cfg(feature = "fleet")]
mod fleet;
mod group;
mod heirs;
mod inspect;
mod limits;
mod nodes;
mod observe;
mod own_runtime;
mod pause;
mod permits;
mod places;
mod recheck;
mod reconcile;
mod reentrancy;
mod registration;
mod registry;
mod run;
#[cfg(feature = "cron")]
mod schedules;
mod shutdown;
#[cfg(feature = "controller")]
mod slots;
mod task;
#[cfg(feature = "test-util")]
mod test_hooks;
mod timer;
mod waits;
mod warnings;

pub(crate) use core::{Core, Parts};
pub(crate) use failures::is_within;
pub(crate) use group::{Driven, GroupRef};
pub(crate) use limits::GroupLimit;
pub(crate) use observe::{Background, SpanRef, lost};
pub(crate) use own_runtime::start_thread;
pub(crate) use pause::Subject;
pub(crate) use reconcile::{Changes, Extent};
pub(crate) use reentrancy::ReentrancyGuard;
pub(crate) use registration::ToCancel;
pub(crate) use run::Running;
#[cfg(feature = "cron")]
pub(crate) use schedules::instant;
pub use shutdown::Shutdown;
#[cfg(feature = "controller")]
pub(crate) use slots::Submitting;
pub(crate) use task::Cell;
#[cfg(feature = "test-util")]
pub(crate) use test_hooks::mix;
