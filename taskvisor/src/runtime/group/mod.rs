//! Groups: children that start, fail and stop together.
//!
//! `machine` decides what a group does and `plan` what its children do, both without a runtime; `driver` carries that
//! out, and `orphan` what is left if it cannot. `cell` is what others see of a group and write to it, `member` what the
//! group writes to its children.

mod cell;
mod children;
mod driver;
mod machine;
mod member;
mod orphan;
mod plan;
mod window;

pub(crate) use cell::GroupCell;
pub(super) use cell::{Place, Refused};
pub(super) use children::{Epoch, Key};
pub(super) use driver::drive;
pub(super) use member::Member;
pub(super) use plan::{End, Note};
