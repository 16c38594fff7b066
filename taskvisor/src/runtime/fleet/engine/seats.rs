//! The notifications to a unit about its lease.

use std::sync::Arc;
use std::time::Duration;

use super::super::clock::StoreClock;
use super::super::seat::{Seat, Unit};
use crate::events::{Event, EventKind};
use crate::runtime::task::{Cell, Stage};
use crate::runtime::warnings;

/// The calls of the engine to the unit of a seat.
impl Seat {
    pub(in crate::runtime::fleet) fn path(&self) -> Option<Arc<str>> {
        match self.unit.get()? {
            Unit::Task(cell) => Some(Arc::clone(cell.upgrade()?.name())),
            Unit::Group(group) => Some(Arc::clone(group.upgrade()?.path())),
        }
    }

    /// Returns the label of the unit in metrics. As for tasks, the number of labels is bounded by the declaration.
    pub(super) fn label(&self) -> Arc<str> {
        const DYNAMIC: &str = "dynamic";
        let of_task = |cell: Arc<Cell>| {
            let declared = || (!cell.is_dynamic()).then(|| Arc::clone(cell.name()));
            let group = || cell.declared_group().cloned();
            cell.policy().metric_label.clone().or_else(declared).or_else(group)
        };
        let label = match self.unit.get() {
            Some(Unit::Task(cell)) => cell.upgrade().and_then(of_task),
            Some(Unit::Group(group)) => group.upgrade().and_then(|group| group.declared_path().cloned()),
            None => None,
        };
        label.unwrap_or_else(|| DYNAMIC.into())
    }

    /// Calls `publish` with an event about the unit, in order with the other events of a task: after its end, the event
    /// has no id.
    pub(super) fn in_order(&self, kind: EventKind, publish: impl FnOnce(Event)) {
        let cell = if let Some(Unit::Task(cell)) = self.unit.get() { cell.upgrade() } else { None };
        let task = self.path().unwrap_or_else(|| self.key.as_str().into());
        let event = Event { task: Some(task), ..Event::new(kind) };
        let Some(cell) = cell else { return publish(event) };
        let state = cell.lock();
        let id = (state.machine().stage != Stage::Ended).then(|| cell.id());
        publish(Event { id, ..event });
        drop(state);
    }

    /// Prevents attempts of the unit after its lease is revoked.
    pub(super) fn bar(&self) {
        match self.unit.get() {
            Some(Unit::Task(cell)) => drop(cell.upgrade().map(|cell| cell.follow_lease(None))),
            Some(Unit::Group(group)) => drop(group.upgrade().map(|group| group.bar())),
            None => {}
        }
    }

    pub(super) fn take_over(&self, last_tick: Option<u64>, clock: &Arc<StoreClock>) {
        if let Some(Unit::Task(cell)) = self.unit.get() {
            if let Some(cell) = cell.upgrade() {
                cell.take_over(last_tick, clock);
            }
        }
    }

    /// Warns that the store has a tick of a later time than its clock shows.
    pub(in crate::runtime::fleet) fn warn_of_tick(&self, ahead: Option<u64>) {
        let (Some(tick), Some(Unit::Task(cell))) = (ahead, self.unit.get()) else { return };
        if let Some(cell) = cell.upgrade().filter(|cell| cell.policy().is_scheduled()) {
            cell.warn(&warnings::of_tick_ahead(self.key.as_str(), tick));
        }
    }

    pub(super) fn wake(&self) {
        if let Some(Unit::Task(cell)) = self.unit.get() {
            if let Some(cell) = cell.upgrade() {
                cell.look_at_seat();
            }
        }
    }

    pub(super) fn tell_granted(&self) {
        match self.unit.get() {
            Some(Unit::Task(cell)) => drop(cell.upgrade().map(|cell| cell.follow_lease(None))),
            Some(Unit::Group(group)) => drop(group.upgrade().map(|group| group.lease_is_granted())),
            None => {}
        }
    }

    pub(super) fn tell_lost(&self, within: Duration) {
        match self.unit.get() {
            Some(Unit::Task(cell)) => drop(cell.upgrade().map(|cell| cell.follow_lease(Some(within)))),
            Some(Unit::Group(group)) => drop(group.upgrade().map(|group| group.lease_is_lost(within))),
            None => {}
        }
    }

    pub(super) fn tell_over(&self) {
        match self.unit.get() {
            Some(Unit::Task(cell)) => drop(cell.upgrade().map(|cell| cell.lease_is_over())),
            Some(Unit::Group(group)) => drop(group.upgrade().map(|group| group.lease_is_over())),
            None => {}
        }
    }

    pub(super) fn is_alive(&self) -> bool {
        match self.unit.get() {
            Some(Unit::Task(cell)) => cell.upgrade().is_some_and(|cell| cell.is_alive()),
            Some(Unit::Group(group)) => group.upgrade().is_some_and(|group| group.has_alive()),
            None => false,
        }
    }
}
