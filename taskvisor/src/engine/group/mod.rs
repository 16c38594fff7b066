//! Groups: children that start, fail and stop together.
//!
//! `plan` decides, `driver` carries out, `cell` is what others see of a group and write to it.

mod cell;
mod driver;
mod plan;
mod window;

use std::sync::Arc;

use super::observe::Background;

pub(crate) use cell::GroupCell;
pub(super) use cell::{Member, Place};
pub(super) use plan::{End, Index, Note};

/// What makes the driver of a group. What needs one brings it along, so that a program of plain trees is linked without.
pub(crate) type Drive = fn(Arc<GroupCell>) -> Background;

pub(crate) fn drive(group: Arc<GroupCell>) -> Background {
    Box::pin(driver::drive(group))
}
