//! The one shutdown of a supervisor.
//!
//! `request` has the state that all callers share, `verdict` the result, which is given once. `stopper` is the Tokio
//! task that stops the tree; `watch` is the thread that it moves to if workers may be blocked. `signals` requests a
//! shutdown on SIGTERM and SIGINT. Other modules use `Stop` and `Watch`.

mod request;
mod signals;
mod stopper;
mod turns;
mod verdict;
mod waiting;
mod watch;

pub use request::Shutdown;
pub(super) use request::{Stop, Stuck};
pub(super) use signals::{Listener, Signal};
pub(super) use stopper::until;
pub(super) use turns::{TURNS, within};
pub(crate) use waiting::Waiting;
pub(super) use watch::{Watch, has_workers};
