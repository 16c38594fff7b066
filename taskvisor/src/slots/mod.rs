//! Slots: they decide on a task that is submitted while another task of its slot runs.
//!
//! `spec`, `config`, `handle` and `error` are public API. `machine` decides for one slot and is pure: no lock, no
//! clock, no runtime. `runtime::slots` carries its decisions out.

mod admission;
mod config;
mod error;
mod handle;
mod machine;
#[cfg(test)]
mod machine_test;
mod pool;
#[cfg(test)]
mod pool_test;
mod snapshot;
mod spec;
mod submit;

pub use admission::AdmissionPolicy;
pub use config::ControllerConfig;
pub(crate) use config::{ControllerSetup, check_slot_name};
pub use error::ControllerError;
pub use handle::SlotHandle;
pub use snapshot::{SlotSnapshot, SlotTask};
#[cfg(feature = "fleet")]
pub(crate) use spec::NO_REPLACE;
pub use spec::{ControllerSpec, SlotSpec};
pub use submit::Submit;

pub use machine::SlotPhase;
pub(crate) use machine::{Debounce, Decision, Slot};
pub(crate) use pool::{Pool, Rate, Room};
