//! The supervisor: its owner, its handle, its configuration and its errors.
//!
//! The types here are thin: each call goes to `runtime::Core`, which all handles of one supervisor share. Dropping the
//! owner requests a shutdown; dropping a handle does nothing.

mod config;
mod error;
mod owner;

pub use config::SupervisorConfig;
pub(crate) use error::left;
pub use error::{InvalidOption, RuntimeError, StopLimit};
pub(crate) use owner::exit;
pub use owner::{Supervisor, SupervisorBuilder, SupervisorHandle};
