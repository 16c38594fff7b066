//! The runtime of a group: children that start, fail and stop together.
//!
//! `machine` decides for the group and `plan` for its children; both are pure. `driver` carries their actions out, and
//! `orphan` ends a group whose driver is gone. `cell` is the shared state and the mailbox of a group, `member` a
//! registered child. Other modules use `GroupCell`, and spawn a driver with `drive`.

mod cell;
mod children;
mod driver;
mod machine;
mod member;
mod orphan;
mod plan;
mod window;

pub(crate) use cell::GroupCell;
pub(super) use cell::Position;
pub(super) use children::{Epoch, Key};
pub(super) use driver::drive;
pub(super) use member::Member;
pub(super) use plan::{End, Note};
