//! Who is there: the truth about which names are taken.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use tokio::runtime::Handle;

use super::by_name::Names;
use super::group::GroupCell;
use super::task::Cell;
use crate::inspect::TaskId;
use crate::supervisor::{RuntimeError, StopLimit};

#[derive(Default)]
pub(super) struct Registry {
    pub(super) names: Names,
    /// How many of them were added at runtime, to no group.
    added: usize,
    pub(super) groups: HashMap<Arc<str>, Arc<GroupCell>>,
    pub(super) roots: Vec<Arc<GroupCell>>,
    /// For a declared tree.
    pub(super) places: Option<Box<Places>>,
    #[cfg(feature = "controller")]
    pub(super) slots: super::slots::Slots,
    /// The runtime of the oldest registration, or of the last one that there was.
    pub(super) home: Option<Handle>,
    /// Tasks were registered on another runtime since.
    scattered: bool,
    pub(super) admission: Admission,
    /// A `run` is going on.
    pub(super) running: bool,
    /// What was aborted since the shutdown began.
    pub(super) aborted: Vec<(TaskId, Arc<str>, StopLimit)>,
}

/// The newest registration of each place in a declared tree, also when it has ended.
#[derive(Default)]
pub(super) struct Places {
    pub(super) tasks: HashMap<Arc<str>, Arc<Cell>>,
    pub(super) groups: HashMap<Arc<str>, Arc<GroupCell>>,
}

/// Whether tasks are taken.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    #[default]
    Open,
    /// A shutdown was requested: nothing new is taken, but groups may restart while it drains.
    Closing,
    /// Tasks are told to stop.
    Stopping,
    /// The shutdown is over.
    Closed,
}

impl Registry {
    pub(super) fn get(&self, name: &str) -> Option<&Arc<Cell>> {
        self.names.get(name)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.groups.is_empty() && self.roots.is_empty()
    }

    /// The shutdown is over.
    pub(super) fn close(&mut self) {
        self.admission = Admission::Closed;
        self.names.shrink();
    }

    /// Whether nothing is left, and nothing will come.
    pub(super) fn is_over(&self) -> bool {
        self.admission == Admission::Closed && self.is_empty()
    }

    /// Notes where the tasks run, if there is none yet. The runtime that was noted before is to be dropped with no lock
    /// held: it may be the last that knows of it.
    #[inline]
    pub(super) fn settle(&mut self, runtime: &Handle, before: &mut Option<Handle>) {
        if self.home.as_ref().is_some_and(|home| home.id() == runtime.id()) {
            self.scattered = self.lives_elsewhere();
        } else {
            self.settle_elsewhere(runtime, before);
        }
    }

    #[cold]
    fn settle_elsewhere(&mut self, runtime: &Handle, before: &mut Option<Handle>) {
        self.scattered = self.home.is_some() && !self.is_empty();
        if !self.scattered {
            *before = self.home.replace(runtime.clone());
        }
    }

    /// Whether what is left can live on another runtime than that of the oldest.
    pub(super) fn lives_elsewhere(&self) -> bool {
        self.scattered && !self.is_empty()
    }

    /// Whether nothing is left that has work to finish: a root of a tree has none without children.
    pub(super) fn is_drained(&self) -> bool {
        self.names.is_empty() && self.groups.is_empty()
    }

    /// Enters a cell under its name, which is free.
    pub(super) fn insert(&mut self, cell: &Arc<Cell>) {
        let entered = self.names.enter(cell);
        self.added += usize::from(entered && cell.is_beside_tree());
    }

    /// As `insert`, unless the name is taken.
    pub(super) fn enter(&mut self, cell: &Arc<Cell>) -> Result<(), RuntimeError> {
        let name = cell.name();
        if self.groups.contains_key(name) || !self.names.enter(cell) {
            return Err(self.taken(name));
        }
        self.added += usize::from(cell.is_beside_tree());
        Ok(())
    }

    #[must_use = "it holds the user's task, and is dropped with no lock held"]
    pub(super) fn remove(&mut self, cell: &Cell) -> Option<Arc<Cell>> {
        let gone = self.names.remove(cell);
        // While all is stopped that is left to `close`.
        if matches!(self.admission, Admission::Open | Admission::Closed) {
            self.names.shrink();
        }
        self.added -= usize::from(gone.as_ref().is_some_and(|gone| gone.is_beside_tree()));
        gone
    }

    /// Whether nothing is left that was added beside the tree, but what stops after it.
    pub(super) fn has_tree_only(&self) -> bool {
        self.added == 0 || (self.has_relied() && self.added == self.relied_owners())
    }

    /// Whether nothing is left of the tree, and what stops after it may still run.
    pub(super) fn has_relied_only(&self) -> bool {
        self.has_relied() && self.roots.is_empty() && self.groups.is_empty() && self.names.len() == self.added
    }

    /// Whether a layer that the shutdown waits for is gone, now that this is: something beside the tree, or in it.
    pub(super) fn ends_layer(&self, is_beside_tree: bool) -> bool {
        self.is_empty() || if is_beside_tree { self.has_tree_only() } else { self.has_relied_only() }
    }

    /// Enters a cell of a declared tree, whose name was seen to be free.
    pub(super) fn insert_declared(&mut self, cell: &Arc<Cell>) -> Option<Arc<Cell>> {
        self.insert(cell);
        self.places.as_mut().and_then(|places| places.tasks.insert(Arc::clone(cell.name()), Arc::clone(cell)))
    }

    /// Whether a task or group has this path.
    pub(super) fn is_taken(&self, path: &str) -> bool {
        self.names.get(path).is_some() || self.groups.contains_key(path)
    }

    /// Why a path cannot be registered that is taken.
    pub(super) fn taken(&self, path: &str) -> RuntimeError {
        let name = path.to_owned();
        if self.groups.contains_key(path) {
            RuntimeError::GroupAlreadyExists { name }
        } else {
            RuntimeError::TaskAlreadyExists { name }
        }
    }

    /// In no order: the caller sorts them with no lock held.
    pub(super) fn cells(&self) -> Vec<Arc<Cell>> {
        self.names.iter().cloned().collect()
    }

    /// The newest registration of a declared place is this one from now on. Gives the one before, to be dropped with no
    /// lock held.
    #[must_use = "it holds the user's task"]
    #[inline]
    pub(super) fn take_place(&mut self, cell: &Arc<Cell>) -> Option<Arc<Cell>> {
        let place = self.places.as_mut()?.tasks.get_mut(cell.name())?;
        Some(std::mem::replace(place, Arc::clone(cell)))
    }
}

/// Gives memory back once most of what a map held is gone.
pub(super) fn shrink<K: Eq + Hash, V, S: BuildHasher>(map: &mut HashMap<K, V, S>) {
    const KEPT: usize = 64;
    if map.capacity() > KEPT && map.len() < map.capacity() / 8 {
        map.shrink_to(map.len() * 2);
    }
}

/// There are no slots.
#[cfg(not(feature = "controller"))]
#[expect(clippy::unused_self, reason = "it has the shape of the real one")]
impl Registry {
    fn relied_owners(&self) -> usize {
        0
    }

    pub(super) fn has_relied(&self) -> bool {
        false
    }

    pub(super) fn is_relied(&self, _: &Cell) -> bool {
        false
    }
}

#[cfg(not(feature = "controller"))]
#[expect(clippy::unused_self, reason = "it has the shape of the real one")]
impl super::Core {
    pub(crate) fn is_declared_slot(&self, _: &str) -> bool {
        false
    }
}
