//! One registration of a task while it lives.
//!
//! `machine` and `decision` are pure: every state of a task and what may follow it. `cell` is the shared state, behind
//! one lock, that commands are written to. `actor` is the Tokio task that drives one cell; `guards`, `limit` and
//! `helpers` belong to its attempts. Other modules use `Cell` and spawn an `Actor`.

mod actor;
mod bars;
mod cell;
mod decision;
mod guards;
mod helpers;
mod limit;
mod machine;
mod news;

pub(super) use actor::Actor;
pub(super) use bars::Barred;
pub(crate) use cell::Cell;
pub(super) use cell::{ABORT, Bound, Membership, Origin, StopBy, Tie};
pub(super) use decision::{Ending, Facts, Next, Request, decide};
pub(super) use limit::is_late;
pub(super) use machine::Stage;
