//! The slots of a running supervisor.
//!
//! `manager` carries out the decisions of `slots::Slot`, under the lock of the registry. `submission` admits a
//! submission or refuses it, and `hand_over` starts a waiting one. `busy` stores the slots. `pause` has the pauses of
//! slots. `wait_queue` holds submissions for which no queue has room. `aftermath` is the work to do after the lock is
//! released. Other modules use `Controller` and `Slots`.

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
