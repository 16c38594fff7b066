//! Admission slots: what becomes of a task that is submitted while another of its kind still runs.

mod config;
mod error;
mod handle;
mod policy;
mod slot;
#[cfg(test)]
mod slot_test;
mod spec;

pub use config::ControllerConfig;
pub(crate) use config::{ControllerSetup, check_slot_name};
pub use error::ControllerError;
pub use handle::SlotHandle;
pub use policy::AdmissionPolicy;
pub use spec::{ControllerSpec, SlotSpec};

pub(crate) use slot::{Decision, Phase, Slot};
