//! The slots of a running supervisor.
//!
//! `manager` carries out what `slots::Slot` decides, under the lock of the registry. `submission` admits a submission or
//! refuses it, and `hand_over` starts one that waits. `busy` stores the slots. `pause` says which slots are paused. `wait_queue` holds callers for
//! which a slot has no room; `aftermath` is the work that remains once the lock is released. Other modules use
//! `Controller` and `Slots`.

mod aftermath;
mod alarm;
mod busy;
mod hand_over;
mod manager;
mod pause;
mod snapshot;
mod submission;
mod wait_queue;

pub(super) use manager::{Controller, Slots};
pub(crate) use submission::Submitting;
