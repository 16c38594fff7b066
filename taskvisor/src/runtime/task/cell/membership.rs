//! The owner of a task: a group, a slot, or neither.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use super::super::machine::Gate;
use super::Cell;
#[cfg(feature = "controller")]
use crate::runtime::clock::Ticks;
#[cfg(feature = "fleet")]
use crate::runtime::fleet::Seat;
use crate::runtime::group::{GroupRef, Key};

/// The origin of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runtime) enum Origin {
    /// Declared in a batch or tree; `unready` if the readiness of the batch waits for it.
    Declared { unready: bool },
    /// Added at run time.
    Added,
    /// Submitted at run time to a slot: the slot of its own name, unless its [`Tie`] names another.
    Submitted,
}

/// The group or slot that decides when the task starts.
pub(in crate::runtime) enum Tie {
    /// The group that manages the task.
    Group(Membership),
    /// The slot that the task was submitted to.
    #[cfg_attr(not(feature = "controller"), expect(dead_code, reason = "there are no slots"))]
    Slot(Arc<str>),
    /// The task's own seat in the fleet, and its slot, if it was submitted to a slot with another name.
    #[cfg(feature = "fleet")]
    Leased(Arc<Seat>, Option<Arc<str>>),
}

impl Tie {
    /// Returns the gate of a new registration.
    pub(super) fn gate(&self) -> Gate {
        if matches!(self, Self::Group(_)) { Gate::Shut } else { Gate::Open }
    }
}

/// The membership of a registration in its group.
pub(in crate::runtime) struct Membership {
    pub(in crate::runtime) group: GroupRef,
    pub(in crate::runtime) key: Key,
    /// The epoch of the last start or stop that the group requested. Changed under the cell's lock.
    pub(in crate::runtime) epoch: AtomicU32,
    /// `true` if the group decides what follows its failures.
    pub(in crate::runtime) managed: bool,
    /// `true` if siblings are after it.
    pub(in crate::runtime) awaited: bool,
    /// The task's own seat in the fleet.
    #[cfg(feature = "fleet")]
    pub(in crate::runtime) seat: Option<Arc<Seat>>,
}

impl Cell {
    pub(in crate::runtime) fn was_added(&self) -> bool {
        !matches!(self.origin, Origin::Declared { .. })
    }

    /// Returns `true` if the task, or a group around it, was added at run time.
    #[cfg(any(feature = "metrics", feature = "fleet"))]
    pub(in crate::runtime) fn is_dynamic(&self) -> bool {
        self.was_added() || self.member().is_some_and(|member| member.group.is_dynamic)
    }

    /// Returns the path of the innermost declared group around the task, unless that is the root.
    #[cfg(any(feature = "metrics", feature = "fleet"))]
    pub(in crate::runtime) fn declared_group(&self) -> Option<&Arc<str>> {
        self.member()?.group.declared_path()
    }

    /// Returns `true` if the task was added at run time, outside of groups.
    pub(in crate::runtime) fn is_beside_tree(&self) -> bool {
        self.was_added() && self.member().is_none()
    }

    /// Returns `true` if the task was added at run time, and has neither a group, a slot nor a lease.
    #[inline]
    pub(in crate::runtime) fn is_alone(&self) -> bool {
        self.origin == Origin::Added && self.tie.is_none()
    }

    pub(in crate::runtime) fn member(&self) -> Option<&Membership> {
        match self.tie.as_deref() {
            Some(Tie::Group(member)) => Some(member),
            _ => None,
        }
    }

    /// Returns the slot that the task was submitted to.
    pub(in crate::runtime) fn slot(&self) -> Option<&Arc<str>> {
        match (self.origin, self.tie.as_deref()) {
            (_, Some(Tie::Slot(slot))) => Some(slot),
            #[cfg(feature = "fleet")]
            (_, Some(Tie::Leased(_, Some(slot)))) => Some(slot),
            #[cfg(feature = "fleet")]
            (Origin::Submitted, Some(Tie::Leased(_, None))) => Some(&self.name),
            (Origin::Submitted, None) => Some(&self.name),
            _ => None,
        }
    }

    /// Returns the tie to its slot, which other tasks of that slot share. `None` if the slot has the name of the task.
    #[cfg(feature = "controller")]
    pub(in crate::runtime) fn tie(&self) -> Option<&Arc<Tie>> {
        self.tie.as_ref()
    }

    /// Makes the task the owner of its slot, and runs `tell` before anyone can see it.
    #[cfg(feature = "controller")]
    pub(in crate::runtime) fn leave_slot(&self, tell: impl FnOnce()) {
        let mut state = self.lock();
        state.machine.leave_slot(&self.policy);
        state.since = Ticks::MAX;
        tell();
    }
}
