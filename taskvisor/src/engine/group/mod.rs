//! Groups: children that start, fail and stop together.
//!
//! `plan` decides, `driver` carries out, `cell` is what others see of a group and write to it.

mod cell;
mod driver;
mod plan;
mod window;

pub(crate) use cell::GroupCell;
pub(super) use cell::{Member, Place};
pub(super) use driver::drive;
pub(super) use plan::{End, Index, Note};
