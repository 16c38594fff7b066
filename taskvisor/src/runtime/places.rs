//! The places and groups of a declared tree: lookups, and the end of a group.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::core::Core;
use super::failures::is_within;
use super::group::GroupRef;
use super::registry::{Admission, Places, Registry};
use super::task::{Cell, Membership};
use crate::inspect::TaskOutcome;
use crate::panics::{Fenced, drop_caught, drop_each};
use crate::supervisor::RuntimeError;
use crate::task::{StopKind, TaskRef};
use crate::tree::Declared;

/// A task that was to be stopped, and had ended with its group.
enum Followed {
    /// It returned, and does not any more.
    Withdrawn,
    /// It has returned, as this registration.
    Returned(Arc<Cell>),
    Gone,
}

impl Core {
    /// Enables the places of the declared tasks.
    pub(crate) fn keep_places(&self, root: &Arc<Declared>) {
        self.registry().places.get_or_insert_default().root = Arc::downgrade(root);
        self.kept.places.store(true, Ordering::SeqCst);
    }

    /// Returns `true` if the task of a registration that ends is to be kept, and records that. Returns `false` after
    /// the request of a shutdown. Called under the lock of its cell.
    pub(super) fn keeps(&self) -> bool {
        if !self.kept.places.load(Ordering::Relaxed) || self.is_stopping() {
            return false;
        }
        self.kept.any.store(true, Ordering::SeqCst);
        self.kept.places.load(Ordering::SeqCst) && !self.stopping.load(Ordering::SeqCst)
    }

    /// Drops the tasks that were kept after the end of their registrations. Called with no lock held.
    pub(super) fn forget_kept(&self) {
        if !self.kept.any.load(Ordering::SeqCst) {
            return;
        }
        let (cells, groups): (Vec<_>, Vec<_>) = match &self.registry().places {
            Some(places) => (places.tasks.values().cloned().collect(), places.groups.values().cloned().collect()),
            None => return,
        };
        for cell in &cells {
            cell.drop_kept_task();
        }
        drop_each(cells);
        for group in groups {
            group.drop_returning();
        }
    }

    /// Drops the returning tasks of a group that ends, unless its parent starts the group again. If the group has
    /// failed, the tasks are lost: an event and the health report each of them.
    pub(super) fn give_up_added(&self, group: &GroupRef, outcome: &TaskOutcome) {
        if !self.kept.any.load(Ordering::SeqCst) || group.is_stopped_by_parent() {
            return;
        }
        let groups: Vec<_> = match &self.registry().places {
            Some(places) => places.groups.values().filter(|it| is_within(it.path(), group.path())).cloned().collect(),
            None => return,
        };
        let lost: Vec<_> = groups.iter().flat_map(|group| group.take_returning().into_values()).collect();
        if let (Some(error), false) = (outcome.error(), lost.is_empty()) {
            let reason = format!("lost with its group: {}", group.failed_with().unwrap_or_default());
            for cell in &lost {
                self.note_loss(cell, error);
                cell.warn(&reason);
            }
        }
        for cell in &lost {
            self.give_up(cell);
            cell.drop_kept_task();
        }
        for lost in groups.iter().flat_map(|group| group.take_returning_groups().into_values()) {
            if let Some(error) = outcome.error() {
                self.note_group_loss(&lost, error);
                self.warn(lost.path(), &format!("lost with its group: {}", group.failed_with().unwrap_or_default()));
            }
            let remains = self.registry().remove_places_of(&lost);
            remains.carry_out();
        }
        drop_each(groups);
        drop_each(lost);
    }

    /// Lets an added task that has just ended return with the next run of its group, if the group has stopped it. If it
    /// does not return although its task is kept, returns the task. Called under the registry's lock.
    pub(super) fn let_return(
        &self,
        registry: &Registry,
        cell: &Arc<Cell>,
        is_replaced: bool,
    ) -> Option<Fenced<TaskRef>> {
        let member = cell.member().filter(|_| cell.keeps_task())?;
        let keeps = !is_replaced && registry.places.is_some() && !self.is_stopping();
        if keeps && member.group.lets_return(member.key, cell) { None } else { cell.take_kept().map(Fenced::new) }
    }

    /// Looks for a task that was to be stopped, and had ended with its group: withdraws it if it returns, and finds the
    /// registration of it if it has returned.
    fn follow(&self, before: &Arc<Cell>) -> Followed {
        let Some(member) = before.member().filter(|_| before.was_added()) else { return Followed::Gone };
        // A returned task has the key of its previous registration. Each end and each return is one step under this lock.
        let is_same = |it: &Membership| it.key == member.key && it.group.ptr_eq(&member.group);
        let registry = self.registry();
        let withdrawn = member.group.withdraw_key(member.key);
        let again = registry.names.get(before.name()).filter(|again| !Arc::ptr_eq(again, before));
        let again = again.filter(|again| again.member().is_some_and(is_same)).cloned();
        drop(registry);
        match (withdrawn, again) {
            (Some(cell), _) => {
                self.give_up(&cell);
                cell.drop_kept_task();
                Followed::Withdrawn
            }
            (None, Some(again)) => Followed::Returned(again),
            (None, None) => Followed::Gone,
        }
    }

    /// Requests the task to stop, and waits until it has ended, as [`Cell::cancel`] does; also if it ended at this moment
    /// with its group and returns, or has returned.
    pub(crate) async fn cancel_by_name(
        &self,
        mut cell: Arc<Cell>,
        within: Option<Duration>,
    ) -> Result<bool, RuntimeError> {
        loop {
            if cell.cancel(within.unwrap_or_else(|| cell.stop_bound())).await? {
                return Ok(true);
            }
            match self.follow(&cell) {
                Followed::Withdrawn => return Ok(true),
                Followed::Returned(again) => cell = again,
                Followed::Gone => return Ok(false),
            }
        }
    }

    /// Requests a task to stop for good, also if it ended at this moment with its group and returns, or has returned.
    /// Returns the registration that the request reached.
    pub(crate) fn request_to_leave(&self, cell: &Arc<Cell>, why: StopKind) -> Arc<Cell> {
        let mut cell = Arc::clone(cell);
        while cell.stop(cell.own_bound(cell.stop_bound()), why).is_none() {
            let Followed::Returned(again) = self.follow(&cell) else { break };
            cell = again;
        }
        cell
    }

    /// Removes a returning task, which is then not registered again. Returns `true` if there was one.
    pub(crate) fn withdraw_returning(&self, path: &str) -> bool {
        let Some((parent, _)) = path.rsplit_once('/') else { return false };
        let registry = self.registry();
        // The group can be down with a group around it.
        let place = registry.places.as_ref().and_then(|places| places.groups.get(parent));
        let withdrawn = place.or_else(|| registry.groups.get(parent)).and_then(|group| group.withdraw(path));
        drop(registry);
        if let Some(cell) = &withdrawn {
            self.give_up(cell);
            cell.drop_kept_task();
        }
        withdrawn.is_some()
    }

    /// Ends the pause and the schedule of an added task that is not registered again.
    pub(super) fn give_up(&self, cell: &Cell) {
        #[cfg(feature = "cron")]
        self.schedules.leave(cell);
        let mut registry = self.registry();
        if registry.has_pauses() {
            registry.end_pause_of(cell.name());
            drop(registry);
            self.count_pauses();
        }
    }

    /// Returns the declared tree, while it exists.
    pub(crate) fn declared_root(&self) -> Option<Arc<Declared>> {
        self.registry().places.as_ref()?.root.upgrade()
    }

    /// Drops the places. Their cells refer to the supervisor, so it would never be freed otherwise.
    pub(crate) fn forget_places(&self) {
        let gone = self.registry().places.take();
        let Some(gone) = gone else { return };
        self.kept.places.store(false, Ordering::SeqCst);
        let Places { tasks, groups, root: _ } = *gone;
        for cell in tasks.values() {
            cell.drop_kept_task();
        }
        for group in groups.values() {
            group.drop_returning();
        }
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
    pub(crate) fn group_place(&self, path: &str) -> Option<GroupRef> {
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
    pub(super) fn roots(&self) -> Vec<GroupRef> {
        self.registry().roots.clone()
    }

    /// Returns the root of the declared tree if it has a driver and has not ended.
    pub(crate) fn root(&self) -> Option<GroupRef> {
        let registry = self.registry();
        let root = registry.places.as_ref()?.groups.get("")?;
        registry.roots.iter().find(|other| other.ptr_eq(root)).cloned()
    }

    pub(crate) fn group(&self, path: &str) -> Option<GroupRef> {
        self.registry().groups.get(path).cloned()
    }

    /// Ends a group for good.
    pub(super) fn remove_group(&self, group: &GroupRef, outcome: TaskOutcome) {
        let mut registry = self.registry();
        let gone = match registry.roots.iter().position(|root| root.ptr_eq(group)) {
            Some(root) => Some(registry.roots.swap_remove(root)),
            None => registry.groups.remove(group.path()),
        };
        let (vacant, over) = (registry.ends_layer(false), registry.is_over());
        let forgotten = self.note_group_end(group, &outcome);
        let remains = self.leave_or_return(&mut registry, group, &outcome);
        let left = group.finish(outcome);
        drop(registry);
        drop(forgotten);
        group.has_finished(left);
        remains.carry_out();
        let _ = drop_caught(gone);
        if vacant {
            self.is_vacant(over);
        }
    }
}
