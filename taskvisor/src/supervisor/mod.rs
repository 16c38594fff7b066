//! The supervisor: its owner, its handle, its configuration and its errors.
//!
//! The types here are thin: each call goes to `runtime::Core`, which all handles of one supervisor share. Dropping the
//! owner requests a shutdown; dropping a handle does nothing.

mod add_task;
mod builder;
mod config;
mod error;
mod exit;
mod handle;
mod owner;
mod reconciled;
mod signals;

pub use add_task::AddTask;
pub use builder::SupervisorBuilder;
pub use config::SupervisorConfig;
pub(crate) use error::UNDECLARED_LIMIT;
pub(crate) use error::has_returned;
pub(crate) use error::left;
pub use error::{InvalidOption, RuntimeError, StopLimit};
pub use exit::Exit;
pub use handle::SupervisorHandle;
pub use owner::Supervisor;
pub use reconciled::Reconciled;
pub use signals::{SignalAction, Signals};
