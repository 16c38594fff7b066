//! One registration of a task while it lives.
//!
//! `machine` and `decision` are pure: every state of a task and what may follow it. `cell` is the shared state, behind
//! one lock, that commands are written to. `actor` is the Tokio task that drives one cell; `guards`, `limit` and
//! `helpers` belong to its attempts. `calendar` is pure as well: it has the progress of a task in its schedule, and
//! `schedule` drives it. Other modules use `Cell` and spawn an `Actor`.

mod actor;
mod bars;
#[cfg(feature = "cron")]
mod calendar;
mod cell;
mod decision;
mod guards;
mod helpers;
mod limit;
mod machine;
mod news;
#[cfg_attr(not(feature = "cron"), path = "schedule_off.rs")]
mod schedule;

pub(super) use actor::Actor;
pub(super) use bars::Barred;
#[cfg(feature = "cron")]
pub(super) use calendar::{Calendar, Run};
pub(crate) use cell::Cell;
#[cfg(feature = "controller")]
pub(super) use cell::Left;
pub(super) use cell::{ABORT, Bound, Membership, Origin, Seen, StopBy, Tie, TimeLeft, shown};
pub(super) use decision::{Ending, Facts, Next, Request, Told, decide};
pub(super) use limit::is_late;
pub(super) use machine::{Machine, Stage};
