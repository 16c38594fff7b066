//! The one shutdown of a supervisor.
//!
//! `request` has the state that all callers share, `result` makes the result of it, and `verdict` gives it once. `stopper`
//! is the Tokio task that stops the tree; `watch` is the thread that it moves to if workers may be blocked, and `lifeline`
//! sees to the verdict if the stopper cannot. `signals` requests a
//! shutdown on SIGTERM and SIGINT. Other modules use `Stop` and `Watch`.

mod lifeline;
mod request;
mod result;
mod signals;
mod stopper;
mod turns;
mod verdict;
mod waiting;
mod watch;

pub use request::Shutdown;
pub(super) use request::Stop;
pub(super) use result::Stuck;
pub(super) use signals::{Listener, Signal};
pub(super) use stopper::until;
pub(super) use turns::{TURNS, within};
pub(crate) use waiting::Waiting;
pub(super) use watch::{Watch, has_workers};
