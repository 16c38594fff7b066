//! The places and groups of a declared tree: lookups, and the end of a group.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::core::Core;
use super::group::GroupCell;
use super::registry::{Admission, Places};
use super::task::Cell;
use crate::inspect::TaskOutcome;
use crate::panics::{drop_caught, drop_each};

impl Core {
    /// Keeps the places of the declared tasks from now on.
    pub(crate) fn keep_places(&self) {
        self.registry().places.get_or_insert_default();
    }

    /// Drops the places. Their cells refer to the supervisor, which would never be freed otherwise.
    pub(crate) fn forget_places(&self) {
        let gone = self.registry().places.take();
        let Some(gone) = gone else { return };
        let Places { tasks, groups } = *gone;
        drop_each(tasks.into_values());
        drop_each(groups.into_values());
    }

    /// Returns the newest registration at a place, even if it has ended.
    pub(crate) fn place(&self, path: &str) -> Option<Arc<Cell>> {
        let registry = self.registry();
        let place = registry.places.as_ref().and_then(|places| places.tasks.get(path));
        place.or_else(|| registry.names.get(path)).cloned()
    }

    /// Returns the newest registration of a group, even if it has ended. The empty path is the root.
    pub(crate) fn group_place(&self, path: &str) -> Option<Arc<GroupCell>> {
        let registry = self.registry();
        let place = registry.places.as_ref().and_then(|places| places.groups.get(path));
        place.or_else(|| registry.groups.get(path)).cloned()
    }

    /// Like `place`, but waits for the tree to start.
    pub(crate) async fn place_once_started(&self, path: &str) -> Option<Arc<Cell>> {
        let look = || {
            let started = self.readiness.batch.load(Ordering::Relaxed);
            let place = self.place(path);
            (place.is_some() || started || self.registry().admission == Admission::Closed).then_some(place)
        };
        self.readiness.changed.wait(look).await
    }

    /// Returns the roots: the root of the tree, and the roots of batches with an order.
    pub(super) fn roots(&self) -> Vec<Arc<GroupCell>> {
        self.registry().roots.clone()
    }

    /// Returns the root of the declared tree if it has a driver and has not ended.
    pub(crate) fn root(&self) -> Option<Arc<GroupCell>> {
        let registry = self.registry();
        let root = registry.places.as_ref()?.groups.get("")?;
        registry.roots.iter().find(|other| Arc::ptr_eq(other, root)).cloned()
    }

    pub(crate) fn group(&self, path: &str) -> Option<Arc<GroupCell>> {
        self.registry().groups.get(path).cloned()
    }

    /// Ends a group for good.
    pub(super) fn remove_group(&self, group: &Arc<GroupCell>, outcome: TaskOutcome) {
        let mut registry = self.registry();
        let gone = match registry.roots.iter().position(|root| Arc::ptr_eq(root, group)) {
            Some(root) => Some(registry.roots.swap_remove(root)),
            None => registry.groups.remove(group.path()),
        };
        let (vacant, over) = (registry.ends_layer(false), registry.is_over());
        let forgotten = self.note_group_end(group, &outcome);
        drop(registry);
        drop(forgotten);
        group.finish(outcome);
        let _ = drop_caught(gone);
        if vacant {
            self.is_vacant(over);
        }
    }
}
