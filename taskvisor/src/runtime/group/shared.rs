//! A shared group, and the code that is linked only into programs with groups.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
#[cfg(feature = "fleet")]
use std::sync::Weak;

use tokio::runtime::Handle;

use super::super::core::Core;
use super::super::observe::{self, Background};
use super::super::registration::{AdmittedTree, Registered};
use super::super::registry::Registry;
use super::super::task::StopBy;
use super::cell::GroupCell;
use super::children::{Epoch, Key};
use super::driver::drive;
use super::plan::Note;
use crate::inspect::TaskId;
use crate::tree::Declared;

/// A shared [`GroupCell`].
///
/// The type is hidden: code that is linked into every program calls a group through [`Grouped`]. So a program without
/// groups has neither the code of groups nor their drop glue.
#[derive(Clone)]
pub(crate) struct GroupRef(Arc<dyn Grouped>);

/// The methods of a group that code in every program calls.
trait Grouped: Send + Sync {
    fn cell(&self) -> &GroupCell;

    fn note_of(&self, group: &GroupRef, task: TaskId, key: Key, epoch: Epoch, note: Note);

    fn stop(&self, epoch: Option<Epoch>, by: StopBy) -> bool;

    fn release(&self, epoch: Epoch);

    fn drop_returning(&self);

    fn driver(&self, group: GroupRef) -> Background;
}

impl GroupRef {
    pub(in crate::runtime) fn new(cell: GroupCell) -> Self {
        Self(Arc::new(cell))
    }

    pub(in crate::runtime) fn ptr_eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    #[cfg(feature = "fleet")]
    pub(in crate::runtime) fn downgrade(&self) -> WeakGroup {
        WeakGroup(Arc::downgrade(&self.0))
    }

    /// Sends a note of a task, unless another registration has taken its place.
    pub(in crate::runtime) fn note_of(&self, task: TaskId, key: Key, epoch: Epoch, note: Note) {
        self.0.note_of(self, task, key, epoch, note);
    }

    /// Stops the group for good, with an epoch if the parent does. Returns `true` for the first request.
    pub(in crate::runtime) fn stop(&self, epoch: Option<Epoch>, by: StopBy) -> bool {
        self.0.stop(epoch, by)
    }

    /// Opens the gate of the group.
    pub(in crate::runtime) fn release(&self, epoch: Epoch) {
        self.0.release(epoch);
    }

    /// Drops the returning children of the group. Called with no lock held.
    pub(in crate::runtime) fn drop_returning(&self) {
        self.0.drop_returning();
    }

    /// Spawns the driver.
    pub(in crate::runtime) fn spawn_driver(self, runtime: &Handle) {
        let name = Arc::clone(self.shown_path());
        let driving = self.0.driver(self.clone());
        observe::spawn(runtime, driving, |_| name);
    }
}

impl Deref for GroupRef {
    type Target = GroupCell;

    #[inline]
    fn deref(&self) -> &GroupCell {
        self.0.cell()
    }
}

/// A [`GroupRef`] that does not keep the group alive.
#[cfg(feature = "fleet")]
#[derive(Clone)]
pub(in crate::runtime) struct WeakGroup(Weak<dyn Grouped>);

#[cfg(feature = "fleet")]
impl WeakGroup {
    pub(in crate::runtime) fn upgrade(&self) -> Option<GroupRef> {
        self.0.upgrade().map(GroupRef)
    }
}

impl Grouped for GroupCell {
    #[inline]
    fn cell(&self) -> &GroupCell {
        self
    }

    fn note_of(&self, group: &GroupRef, task: TaskId, key: Key, epoch: Epoch, note: Note) {
        self.note_of_task(group, task, key, epoch, note);
    }

    fn stop(&self, epoch: Option<Epoch>, by: StopBy) -> bool {
        self.stop_for_good(epoch, by)
    }

    fn release(&self, epoch: Epoch) {
        self.open_gate(epoch);
    }

    fn drop_returning(&self) {
        let groups = self.take_returning_groups();
        for group in groups.values() {
            group.declared.forget_tasks();
        }
        crate::panics::drop_each(groups.into_values());
        let returning = self.take_returning();
        for cell in returning.values() {
            cell.drop_kept_task();
        }
        crate::panics::drop_each(returning.into_values());
    }

    fn driver(&self, group: GroupRef) -> Background {
        drive(group)
    }
}

/// A pointer to the code of groups. Only declarations that need a driver carry it. A tree without it is plain, and its
/// program is linked without that code.
#[derive(Clone, Copy)]
pub(crate) struct Driven(Enter);

/// Registers a root with a driver, and its contents.
type Enter = fn(&Arc<Core>, &mut Registered, &mut Registry, &Arc<Declared>, AdmittedTree) -> GroupRef;

impl Driven {
    /// Returns the pointer, which links the code of groups.
    #[inline]
    pub(crate) fn here() -> Self {
        Self(Registered::enter_root)
    }

    pub(in crate::runtime) fn enter_root(
        self,
        core: &Arc<Core>,
        registered: &mut Registered,
        registry: &mut Registry,
        root: &Arc<Declared>,
        admitted: AdmittedTree,
    ) -> GroupRef {
        (self.0)(core, registered, registry, root, admitted)
    }
}

impl fmt::Debug for Driven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Driven")
    }
}
