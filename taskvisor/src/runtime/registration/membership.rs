//! The membership of a task in its group, and the checks of added tasks.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use super::super::group::{Adoption, GroupRef, Key};
use super::super::task::{Membership, Tie};
use crate::supervisor::InvalidOption;
use crate::task::TaskSpec;
use crate::tree::Declared;

/// Returns the membership of a child that is added.
pub(in crate::runtime) fn added(group: &GroupRef, adoption: &Adoption<'_>) -> Arc<Tie> {
    Arc::new(Tie::Group(membership_of_added(group, adoption.key)))
}

pub(super) fn membership_of_added(group: &GroupRef, key: Key) -> Membership {
    let managed = group.declared.manages();
    Membership {
        group: group.clone(),
        key,
        epoch: AtomicU32::new(0),
        managed,
        awaited: false,
        #[cfg(feature = "fleet")]
        seat: None,
    }
}

/// Returns the membership of a declared child. `children` are those of the group. Takes no lock.
pub(super) fn membership(group: &GroupRef, children: &Declared, place: usize) -> Membership {
    let (managed, awaited) = (group.declared.manages(), !children.order.later(place).is_empty());
    Membership {
        group: group.clone(),
        key: place as Key,
        epoch: AtomicU32::new(0),
        managed,
        awaited,
        #[cfg(feature = "fleet")]
        seat: None,
    }
}

/// Checks a task that is added beside the tree or submitted. It must not be after siblings, critical or significant,
/// because it has neither siblings nor a group.
#[inline]
pub(in crate::runtime) fn check_no_siblings(spec: &TaskSpec) -> Result<(), InvalidOption> {
    if spec.is_for_groups() { refuse_siblings(spec) } else { Ok(()) }
}

#[cold]
fn refuse_siblings(spec: &TaskSpec) -> Result<(), InvalidOption> {
    let option = match (spec.is_critical(), spec.is_significant()) {
        (true, _) => "critical",
        (_, true) => "significant",
        _ => return check_not_after(spec),
    };
    let expected = "a task in a group: declare it in a tree, or add it with `GroupHandle::add_task`";
    Err(InvalidOption::new(format!("task `{}`", spec.name()), option, "set", expected))
}

/// Checks a task that is added at run time: it must not be after siblings.
pub(in crate::runtime) fn check_not_after(spec: &TaskSpec) -> Result<(), InvalidOption> {
    let Some(after) = spec.after().first() else { return Ok(()) };
    let expected = "no siblings: a task that is added at runtime starts at once";
    Err(InvalidOption::new(format!("task `{}`", spec.name()), "after", format!("`{after}`"), expected))
}
