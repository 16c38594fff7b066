//! Who is there: the truth about which names are taken.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::cell::Cell;
use crate::runtime_error::RuntimeError;
use crate::settings::Settings;
use crate::status::TaskId;

#[derive(Default)]
pub(super) struct Registry {
    names: HashMap<Arc<str>, Arc<Cell>>,
    /// The runtime of the oldest registration, or of the last one that there was.
    pub(super) home: Option<Handle>,
    pub(super) admission: Admission,
    /// A `run` is going on.
    pub(super) running: bool,
    /// The settings of the newest registration: most tasks of a program share theirs.
    shared: Option<Arc<Settings>>,
    /// What was aborted since the shutdown began.
    pub(super) aborted: Vec<(TaskId, Arc<str>)>,
}

/// Whether tasks are taken.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    #[default]
    Open,
    /// A shutdown was requested.
    Closing,
    /// The shutdown is over.
    Closed,
}

impl Registry {
    pub(super) fn get(&self, name: &str) -> Option<&Arc<Cell>> {
        self.names.get(name)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Notes where the tasks run, if there is none yet.
    pub(super) fn settle(&mut self, runtime: &Handle) {
        if self.names.is_empty() {
            self.home = Some(runtime.clone());
        }
    }

    /// Enters a cell under its name; one that is taken gives it back.
    pub(super) fn insert(&mut self, cell: Arc<Cell>) -> Result<(), (RuntimeError, Arc<Cell>)> {
        match self.names.entry(Arc::clone(cell.name())) {
            Entry::Vacant(vacant) => {
                vacant.insert(cell);
                Ok(())
            }
            Entry::Occupied(_) => Err((RuntimeError::TaskAlreadyExists { name: cell.name().to_string() }, cell)),
        }
    }

    #[must_use = "it holds the user's task, and is dropped with no lock held"]
    pub(super) fn remove(&mut self, cell: &Cell) -> Option<Arc<Cell>> {
        self.names.remove(cell.name())
    }

    /// In the order of registration.
    pub(super) fn cells(&self) -> Vec<Arc<Cell>> {
        let mut cells: Vec<_> = self.names.values().cloned().collect();
        cells.sort_unstable_by_key(|cell| cell.id());
        cells
    }

    pub(super) fn share(&mut self, settings: Settings) -> Arc<Settings> {
        match &self.shared {
            Some(shared) if **shared == settings => Arc::clone(shared),
            _ => Arc::clone(self.shared.insert(Arc::new(settings))),
        }
    }
}
