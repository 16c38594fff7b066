//! Maps names to registrations.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};

use tokio::runtime::Handle;

use super::by_name::Names;
use super::group::GroupRef;
use super::heirs::Heir;
use super::pause::Pauses;
use super::shutdown::Stuck;
use super::task::Cell;
use crate::inspect::TaskId;
use crate::panics::Fenced;
use crate::supervisor::RuntimeError;
use crate::tree::Declared;

#[derive(Default)]
pub(super) struct Registry {
    pub(super) names: Names,
    /// The number of tasks that were added at run time, outside of groups.
    added: usize,
    pub(super) groups: HashMap<Arc<str>, GroupRef>,
    pub(super) roots: Vec<GroupRef>,
    /// The places of a declared tree.
    pub(super) places: Option<Box<Places>>,
    #[cfg(feature = "controller")]
    pub(super) slots: super::slots::Slots,
    /// The slots that tasks of the tree are after, with the names of these children of the root.
    pub(super) relied: HashMap<Arc<str>, HashSet<Arc<str>>>,
    /// The tasks and groups that are paused.
    pub(super) pauses: Pauses,
    /// The heirs of tasks that are replaced, by the ids of their predecessors.
    pub(super) heirs: HashMap<TaskId, Heir>,
    /// The runtime of the oldest registration, or of the last one if there is none.
    pub(super) home: Option<Handle>,
    /// `true` if tasks were registered on another runtime later.
    scattered: bool,
    pub(super) admission: Admission,
    /// `true` while a `run` is in progress.
    pub(super) running: bool,
    /// The tasks that were aborted since the shutdown began.
    pub(super) aborted: Vec<Stuck>,
}

/// The newest registration at each place of a declared tree, even if it has ended.
#[derive(Default)]
pub(super) struct Places {
    pub(super) tasks: HashMap<Arc<str>, Arc<Cell>>,
    pub(super) groups: HashMap<Arc<str>, GroupRef>,
    pub(super) root: Weak<Declared>,
}

/// The admission of new tasks.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    #[default]
    Open,
    /// A shutdown was requested: no new task is accepted, but groups may restart during the drain.
    Closing,
    /// The drain is over: tasks are requested to stop.
    Stopping,
    /// The shutdown is over.
    Closed,
}

impl Registry {
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.groups.is_empty() && self.roots.is_empty()
    }

    /// Closes the registry at the end of the shutdown. Returns `true` if nothing is registered.
    pub(super) fn close(&mut self) -> bool {
        self.admission = Admission::Closed;
        self.names.shrink();
        self.is_empty()
    }

    /// Returns `true` if nothing is registered and nothing can be.
    pub(super) fn is_over(&self) -> bool {
        self.admission == Admission::Closed && self.is_empty()
    }

    /// Records the runtime of the tasks, if there is none. `before` receives the previous runtime, to be dropped with
    /// no lock held, because this may be its last handle.
    #[inline]
    pub(super) fn settle(&mut self, runtime: &Handle, before: impl FnOnce(Fenced<Handle>)) {
        if self.home.as_ref().is_some_and(|home| home.id() == runtime.id()) {
            self.scattered = self.lives_elsewhere();
            return;
        }
        self.scattered = self.home.is_some() && !self.is_empty();
        if !self.scattered {
            if let Some(home) = self.home.replace(runtime.clone()) {
                before(Fenced::new(home));
            }
        }
    }

    /// Returns `true` if remaining tasks can be on another runtime than the oldest task.
    pub(super) fn lives_elsewhere(&self) -> bool {
        self.scattered && !self.is_empty()
    }

    /// Inserts a cell unless another cell has its name. Returns `true` if it was inserted.
    pub(super) fn insert(&mut self, cell: &Arc<Cell>) -> bool {
        let is_new = self.names.enter(cell);
        self.added += usize::from(is_new && cell.is_beside_tree());
        if is_new && self.has_pauses() {
            self.tell_entered(cell);
        }
        is_new
    }

    /// Inserts a cell unless its name is taken by a task or group.
    pub(super) fn enter(&mut self, cell: &Arc<Cell>) -> Result<(), RuntimeError> {
        if !self.groups.contains_key(cell.name()) && self.insert(cell) {
            return Ok(());
        }
        self.check_free(cell.name())
    }

    #[must_use = "it holds the user's task, and is dropped with no lock held"]
    #[allow(clippy::inline_always, reason = "the compiler leaves 20 instructions of each end to a call")]
    #[inline(always)]
    pub(super) fn remove(&mut self, cell: &Cell) -> Option<Arc<Cell>> {
        let gone = self.names.remove(cell);
        // During the stop, `close` does this.
        if matches!(self.admission, Admission::Open | Admission::Closed) {
            self.names.shrink();
        }
        self.added -= usize::from(gone.as_ref().is_some_and(|gone| gone.is_beside_tree()));
        gone
    }

    /// Returns `true` if no task beside the tree is left, except tasks that stop after the tree.
    #[inline]
    pub(super) fn has_tree_only(&self) -> bool {
        if self.added == 0 {
            return true;
        }
        #[cfg(feature = "controller")]
        if self.has_relied() {
            return self.added == self.relied_owners();
        }
        false
    }

    /// Returns `true` if a task of the tree is after any slot.
    pub(super) fn has_relied(&self) -> bool {
        !self.relied.is_empty()
    }

    /// Returns `true` if the task runs in a slot that a task of the tree is after.
    pub(super) fn is_relied(&self, cell: &Cell) -> bool {
        self.has_relied() && cell.slot().is_some_and(|slot| self.relied.contains_key(slot))
    }

    /// Returns `true` if tasks of the tree are left.
    pub(super) fn has_tree_tasks(&self) -> bool {
        self.names.len() > self.added
    }

    /// Returns `true` if nothing of the tree is left. Tasks that stop after the tree may still run.
    pub(super) fn has_relied_only(&self) -> bool {
        self.has_relied() && self.roots.is_empty() && self.groups.is_empty() && self.names.len() == self.added
    }

    /// Returns `true` if no task is left. The root of a tree without children does not count.
    pub(super) fn is_drained(&self) -> bool {
        self.names.is_empty() && self.groups.is_empty()
    }

    /// Returns the number of registered tasks.
    pub(super) fn count(&self) -> usize {
        self.names.len()
    }

    /// Returns `true` if the drain of a shutdown is over: no task is left, or something ended it.
    pub(super) fn ends_drain(&self) -> bool {
        self.is_drained() || self.admission != Admission::Closing
    }

    /// Returns `true` if no task is left, or if this end completes a layer that the shutdown waits for: the tasks
    /// beside the tree, or the tree.
    pub(super) fn ends_layer(&self, is_beside_tree: bool) -> bool {
        self.is_drained() || if is_beside_tree { self.has_tree_only() } else { self.has_relied_only() }
    }

    /// Returns an error if a task or group has this path.
    pub(super) fn check_free(&self, path: &str) -> Result<(), RuntimeError> {
        if self.groups.contains_key(path) {
            return Err(RuntimeError::GroupAlreadyExists { name: path.to_owned() });
        }
        match self.names.get(path) {
            Some(_) => Err(RuntimeError::TaskAlreadyExists { name: path.to_owned() }),
            None => Ok(()),
        }
    }

    /// Returns all cells in no order. The caller sorts them with no lock held.
    pub(super) fn cells(&self) -> Vec<Arc<Cell>> {
        self.names.iter().cloned().collect()
    }

    /// Makes this the newest registration at its declared place. Returns the previous one, to be dropped with no lock
    /// held.
    #[must_use = "it holds the user's task"]
    #[inline]
    pub(super) fn take_place(&mut self, cell: &Arc<Cell>) -> Option<Arc<Cell>> {
        let place = self.places.as_mut()?.tasks.get_mut(cell.name())?;
        Some(std::mem::replace(place, Arc::clone(cell)))
    }
}
