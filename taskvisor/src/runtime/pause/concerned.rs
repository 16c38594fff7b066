//! The registered tasks, groups and slots that a pause concerns.

use std::sync::Arc;

use super::super::core::Core;
use super::super::failures::is_within;
use super::super::group::GroupRef;
use super::super::registry::Registry;
use super::super::task::Cell;
use super::Subject;
use crate::events::EventKind;
use crate::inspect::TaskId;
use crate::panics::drop_each;

/// The tasks and groups that a change of a pause concerns.
pub(super) struct Concerned {
    pub(super) cells: Vec<Arc<Cell>>,
    pub(super) groups: Vec<GroupRef>,
}

impl Registry {
    /// Returns `true` if anything is paused.
    pub(in crate::runtime) fn has_pauses(&self) -> bool {
        #[cfg(feature = "controller")]
        if self.slots.has_pauses() {
            return true;
        }
        !self.pauses.is_empty()
    }

    /// Returns `true` if the task, or a group or slot above it, is paused.
    pub(in crate::runtime) fn is_paused(&self, cell: &Cell) -> bool {
        #[cfg(feature = "controller")]
        if let Some(slot) = cell.slot() {
            return self.pauses.paths.contains_key(cell.name()) || self.slots.is_paused(slot, &cell.core().controller);
        }
        self.pauses.include(cell.name())
    }

    /// Returns `true` if the group, or a group around it, is paused.
    pub(in crate::runtime) fn is_group_paused(&self, path: &str) -> bool {
        self.pauses.include(path)
    }

    /// Pauses a new registration, if its path or a group or slot above it is paused.
    #[cold]
    pub(in crate::runtime) fn tell_entered(&self, cell: &Cell) {
        cell.set_paused(self.is_paused(cell));
    }

    /// Pauses an added task that is declared as paused. Called after its registration is announced.
    #[cold]
    pub(in crate::runtime) fn pause_added(&mut self, cell: &Arc<Cell>) {
        if self.pauses.set(cell.name(), true) {
            cell.set_paused(true);
            let core = cell.core();
            core.tell_pause(EventKind::TaskPaused, Subject::Registration(cell), Some(cell.id()));
        }
    }

    /// Pauses the tasks and groups at these paths, which were registered for the first time and are declared as paused.
    pub(in crate::runtime) fn pause_declared(&mut self, core: &Arc<Core>, paths: &[Arc<str>]) {
        for path in paths {
            if self.pauses.set(path, true) {
                let subject = Subject::Task(path);
                core.tell_pause(EventKind::TaskPaused, subject, self.id_of(subject));
            }
        }
        if !paths.is_empty() {
            for cell in self.names.iter().filter(|cell| self.is_paused(cell) && !cell.is_paused()) {
                cell.set_paused(true);
            }
        }
    }

    /// Ends the pause of a task without a declared place when its name is free. A task that its group registers again
    /// keeps its name.
    #[cold]
    pub(in crate::runtime) fn end_pause_of(&mut self, path: &str) {
        let has_place = self.places.as_ref().is_some_and(|places| places.tasks.contains_key(path));
        if !has_place && self.check_free(path).is_ok() {
            self.pauses.set(path, false);
        }
    }

    pub(super) fn set_pause(&mut self, subject: Subject<'_>, paused: bool) -> bool {
        #[cfg(feature = "controller")]
        {
            if let Subject::Slot(name) = subject {
                return self.slots.set_pause(name, paused);
            }
            if let Subject::Group("") = subject {
                self.slots.set_pause("", paused);
            }
        }
        subject.path().is_some_and(|path| self.pauses.set(path, paused))
    }

    /// Returns `true` if there is such a place, group, registration or slot. The root always exists.
    pub(super) fn can_pause(&self, subject: Subject<'_>) -> bool {
        let places = self.places.as_ref();
        match subject {
            Subject::Task(path) => {
                let has_place = places.is_some_and(|places| places.tasks.contains_key(path));
                has_place || self.names.get(path).is_some() || self.returns(path)
            }
            Subject::Registration(cell) => self.names.get(cell.name()).is_some_and(|it| it.id() == cell.id()),
            Subject::Group("") => places.is_some(),
            Subject::Group(path) => {
                self.groups.contains_key(path) || places.is_some_and(|places| places.groups.contains_key(path))
            }
            #[cfg(feature = "controller")]
            Subject::Slot(name) => !name.is_empty(),
        }
    }

    /// Returns `true` if an added task of that path is registered again for the next run of its group.
    fn returns(&self, path: &str) -> bool {
        let group = path.rsplit_once('/').and_then(|(group, _)| self.groups.get(group));
        group.is_some_and(|group| group.has_returning(path))
    }

    /// Returns the id of the task, while it is registered.
    pub(super) fn id_of(&self, subject: Subject<'_>) -> Option<TaskId> {
        match subject {
            Subject::Task(path) => self.names.get(path).map(|cell| cell.id()),
            Subject::Registration(cell) => Some(cell.id()),
            Subject::Group(_) => None,
            #[cfg(feature = "controller")]
            Subject::Slot(_) => None,
        }
    }

    #[cfg_attr(not(feature = "controller"), expect(unused_variables, reason = "there are no slots"))]
    pub(super) fn concerned_by(&self, core: &Core, subject: Subject<'_>) -> Concerned {
        let (cells, groups) = match subject {
            Subject::Task(path) => (self.names.get(path).cloned().into_iter().collect(), Vec::new()),
            Subject::Registration(cell) => (vec![Arc::clone(cell)], Vec::new()),
            Subject::Group(path) => {
                let is_in =
                    |cell: &&Arc<Cell>| path.is_empty() || (cell.slot().is_none() && is_within(cell.name(), path));
                let cells: Vec<_> = self.names.iter().filter(is_in).cloned().collect();
                let groups = self.groups.values().filter(|group| is_within(group.path(), path));
                (cells, groups.cloned().collect())
            }
            #[cfg(feature = "controller")]
            Subject::Slot(_) => (Vec::new(), Vec::new()),
        };
        #[cfg(feature = "controller")]
        let cells = {
            let mut cells: Vec<Arc<Cell>> = cells;
            for slot in self.slots_in(core, subject) {
                // The owners are among the tasks of the root.
                let owners = self.owners_of(&slot).filter(|_| matches!(subject, Subject::Slot(_)));
                cells.extend(owners.chain(self.slots.waiting_in(&slot)).cloned());
            }
            cells
        };
        Concerned { cells, groups }
    }

    /// Returns the slots that the subject includes: all slots for the root, the slots of all keys for a slot with keys.
    #[cfg(feature = "controller")]
    pub(super) fn slots_in(&self, core: &Core, subject: Subject<'_>) -> Vec<Arc<str>> {
        match subject {
            Subject::Group("") => self.slots.all_busy(),
            Subject::Slot(name) => core.slots_of(self, name),
            _ => Vec::new(),
        }
    }
}

impl Concerned {
    /// Drops the tasks and groups. Called with no lock held, because a cell can hold the last reference to a user
    /// value.
    pub(super) fn drop_each(self) {
        drop_each(self.cells);
        drop_each(self.groups);
    }
}
