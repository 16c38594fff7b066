//! The lease of a singleton group: its children are registered, and their attempts wait for the lease.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::failures::is_within;
use super::super::fleet::Seat;
use super::super::pause::Subject;
use super::super::task::{Cell, StopBy};
use super::cell::GroupCell;
use super::machine::Input;
use super::shared::GroupRef;
use crate::panics::drop_each;

impl GroupRef {
    /// Registers the group with its seat.
    pub(in crate::runtime) fn takes_seat(&self) {
        if let Some(seat) = &self.seat {
            seat.is_of_group(self);
        }
    }
}

impl GroupCell {
    /// Returns the seat of the group, or of the next group around it that has one.
    pub(in crate::runtime) fn seat_around(&self) -> Option<&Arc<Seat>> {
        self.with_parents().find_map(|group| group.seat.as_ref())
    }

    /// Returns `true` if the group, or one around it, waits for its lease.
    pub(in crate::runtime) fn stands_by(&self) -> bool {
        self.seat_around().is_some_and(|seat| !seat.is_held())
    }

    /// Called when nothing of the group runs: it competes for its lease, unless it is paused. Returns `false` if the
    /// group has no lease of its own, or holds it.
    pub(super) fn competes(&self) -> bool {
        let Some(grants) = self.seat.as_ref().and_then(|seat| seat.grants_before()) else { return false };
        self.idle_since.store(grants, Ordering::SeqCst);
        self.heed_pause();
        true
    }

    /// Lets an idle group compete for its lease, unless the group is paused. Called with no lock held, also after its
    /// pause has changed.
    pub(in crate::runtime) fn heed_pause(&self) {
        let Some(seat) = &self.seat else { return };
        let is_paused = || self.core.is_paused(Subject::Group(self.path()));
        let mut was_paused = is_paused();
        // Repeated until the pause is stable, so that the last change applies.
        loop {
            seat.competes_since(self.idle_since.load(Ordering::SeqCst), was_paused);
            if is_paused() == was_paused {
                return;
            }
            was_paused = !was_paused;
        }
    }

    /// Hands over the lease. Returns `false` if the group holds no lease of its own.
    pub(crate) fn resign(&self) -> bool {
        self.seat.as_ref().is_some_and(Seat::resign)
    }

    fn cells_within(&self) -> Vec<Arc<Cell>> {
        let mut cells = self.core.cells();
        cells.retain(|cell| cell.member().is_some() && is_within(cell.name(), self.path()));
        cells
    }

    fn for_each(&self, act: impl Fn(&Cell)) {
        let cells = self.cells_within();
        for cell in &cells {
            act(cell);
        }
        drop_each(cells);
    }

    pub(in crate::runtime) fn lease_is_granted(&self) {
        self.for_each(|cell| cell.follow_lease(None));
        let groups: Vec<_> = {
            let registry = self.core.registry();
            registry.groups.values().filter(|group| is_within(group.path(), self.path())).cloned().collect()
        };
        for group in &groups {
            group.ring_bell();
        }
        drop_each(groups);
    }

    /// Prevents attempts after the lease is revoked.
    pub(in crate::runtime) fn bar(&self) {
        self.for_each(|cell| cell.follow_lease(None));
    }

    /// Called when the lease is lost: no further attempt begins, and the group restarts. Its children stop in their
    /// order, and are registered again.
    pub(in crate::runtime) fn lease_is_lost(&self, within: Duration) {
        self.bar();
        self.send(Input::Restart, Some(StopBy::within(within)));
    }

    pub(in crate::runtime) fn lease_is_over(&self) {
        self.for_each(Cell::lease_is_over);
    }

    pub(in crate::runtime) fn has_alive(&self) -> bool {
        let cells = self.cells_within();
        let is_any = cells.iter().any(|cell| cell.is_alive());
        drop_each(cells);
        is_any
    }
}
