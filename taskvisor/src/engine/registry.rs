//! Who is there: the truth about which names are taken.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use tokio::runtime::Handle;

use super::cell::Cell;
use super::group::GroupCell;
use crate::runtime_error::RuntimeError;
use crate::status::TaskId;

#[derive(Default)]
pub(super) struct Registry {
    pub(super) names: Names,
    pub(super) groups: HashMap<Arc<str>, Arc<GroupCell>>,
    pub(super) roots: Vec<Arc<GroupCell>>,
    /// For a declared tree: the newest registration of each place, also when it has ended.
    pub(super) places: Option<HashMap<Arc<str>, Arc<Cell>>>,
    pub(super) group_places: HashMap<Arc<str>, Arc<GroupCell>>,
    #[cfg(feature = "controller")]
    pub(super) slots: super::slots::Slots,
    /// The runtime of the oldest registration, or of the last one that there was.
    pub(super) home: Option<Handle>,
    pub(super) admission: Admission,
    /// A `run` is going on.
    pub(super) running: bool,
    /// What was aborted since the shutdown began.
    pub(super) aborted: Vec<(TaskId, Arc<str>)>,
}

/// The tasks that are registered.
#[derive(Default)]
#[expect(clippy::zero_sized_map_values, reason = "a set gives no place to look a name up once")]
pub(super) struct Names(HashMap<ByName, ()>);

impl Names {
    pub(super) fn get(&self, name: &str) -> Option<&Arc<Cell>> {
        self.0.get_key_value(name).map(|(ByName(cell), ())| cell)
    }
}

/// A cell under its own name, which need not be kept twice.
struct ByName(Arc<Cell>);

impl Borrow<str> for ByName {
    fn borrow(&self) -> &str {
        self.0.name()
    }
}

impl Hash for ByName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self.0.name()).hash(state);
    }
}

impl PartialEq for ByName {
    fn eq(&self, other: &Self) -> bool {
        self.0.name() == other.0.name()
    }
}

impl Eq for ByName {}

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
        self.names.0.is_empty() && self.groups.is_empty() && self.roots.is_empty()
    }

    /// Notes where the tasks run, if there is none yet.
    pub(super) fn settle(&mut self, runtime: &Handle) {
        if self.is_empty() {
            self.home = Some(runtime.clone());
        }
    }

    /// Enters a cell under its name, which is free.
    pub(super) fn insert(&mut self, cell: &Arc<Cell>) {
        self.names.0.insert(ByName(Arc::clone(cell)), ());
    }

    /// As `insert`, unless the name is taken.
    pub(super) fn enter(&mut self, cell: &Arc<Cell>) -> Result<(), RuntimeError> {
        let name = cell.name();
        let place = match self.names.0.entry(ByName(Arc::clone(cell))) {
            Entry::Vacant(place) if !self.groups.contains_key(name) => place,
            _ => return Err(RuntimeError::TaskAlreadyExists { name: name.to_string() }),
        };
        place.insert(());
        Ok(())
    }

    #[must_use = "it holds the user's task, and is dropped with no lock held"]
    pub(super) fn remove(&mut self, cell: &Cell) -> Option<Arc<Cell>> {
        let gone = self.names.0.remove_entry(&**cell.name());
        shrink(&mut self.names.0);
        gone.map(|(ByName(cell), ())| cell)
    }

    /// Enters a cell of a declared tree, whose name was seen to be free.
    pub(super) fn insert_declared(&mut self, cell: &Arc<Cell>) -> Option<Arc<Cell>> {
        self.insert(cell);
        self.places.as_mut().and_then(|places| places.insert(Arc::clone(cell.name()), Arc::clone(cell)))
    }

    /// Whether a task or group has this path.
    pub(super) fn is_taken(&self, path: &str) -> bool {
        self.names.0.contains_key(path) || self.groups.contains_key(path)
    }

    /// In the order of registration.
    pub(super) fn cells(&self) -> Vec<Arc<Cell>> {
        let mut cells: Vec<_> = self.names.0.keys().map(|ByName(cell)| Arc::clone(cell)).collect();
        cells.sort_unstable_by_key(|cell| cell.id());
        cells
    }
}

/// Gives memory back once most of what a map held is gone.
pub(super) fn shrink<K: Eq + Hash, V>(map: &mut HashMap<K, V>) {
    const KEPT: usize = 64;
    if map.capacity() > KEPT && map.len() < map.capacity() / 8 {
        map.shrink_to(map.len() * 2);
    }
}
