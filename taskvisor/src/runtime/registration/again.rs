//! The new registration of tasks and groups that start again.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::task::yield_now;

use super::super::core::{Admitted, Core, announce, start_added};
use super::super::group::{Adoption, End, GroupRef, Key};
use super::super::registry::Admission;
use super::super::task::{Cell, Membership, Origin, Stage, Tie};
use super::membership::membership;
use super::registered::Registered;
use super::{Outermost, check_not_added};
use crate::panics::Fenced;
use crate::supervisor::RuntimeError;
use crate::task::{TaskRef, TaskSpec};
use crate::tree::{Declared, last_segment};

impl Core {
    /// Registers the children of a group that starts again. Nothing is registered before the future completes.
    /// The children of a fresh group were `made` for this run; nothing is registered if one of them is refused.
    pub(in crate::runtime) async fn register_again(
        self: &Arc<Self>,
        group: &GroupRef,
        made: Option<Arc<Declared>>,
    ) -> Result<Registered, RuntimeError> {
        let runtime = self.runtime()?;
        // Yields in a large group.
        yield_now().await;
        let declared = made.as_ref().unwrap_or(&group.declared);
        let admitted = self.admit_tree(declared, Outermost::Again(group))?;
        let mut registered = Registered::on(&runtime);
        let mut registry = self.registry();
        if !matches!(registry.admission, Admission::Open | Admission::Closing) {
            return Err(RuntimeError::ShuttingDown);
        }
        let mut paused = Vec::new();
        let may_end_pauses = made.is_some() && registry.has_pauses();
        if let Some(made) = made {
            // A child that was also in the last run keeps its pause.
            let before = group.children();
            paused = admitted.paused();
            paused.retain(|path| before.place(last_segment(path)).is_none());
            let returning: HashSet<Arc<str>> = group.returning_names().into_iter().collect();
            admitted.paths().try_for_each(|path| check_not_added(&registry, &returning, path))?;
            let groups = group.added_groups();
            if let Some(added) = groups.values().find(|added| made.place(&added.declared.name).is_some()) {
                return Err(RuntimeError::GroupAlreadyExists { name: added.path().to_string() });
            }
            registered.replace_made(&mut registry, group, &made);
        }
        registered.register(&mut registry, group, admitted);
        registered.register_returning(&mut registry, group);
        registered.cells.iter().for_each(announce);
        registry.pause_declared(self, &paused);
        drop(registry);
        if may_end_pauses || !paused.is_empty() {
            self.count_pauses();
        }
        self.forget_within(group);
        Ok(registered)
    }

    /// Starts the task at a declared place again, whose registration has ended. Returns `false` if it has not, or if
    /// the task is not kept.
    pub(crate) fn start_again(self: &Arc<Self>, path: &str) -> bool {
        let (Ok(runtime), Some(before)) = (self.prepare(), self.place(path)) else { return false };
        if before.lock().machine().stage != Stage::Ended {
            return false;
        }
        let end = End::of(before.try_outcome().as_ref());
        let mut home = None;
        let mut registry = self.registry();
        let newest = registry.places.as_ref().and_then(|places| places.tasks.get(path));
        let is_newest = newest.is_some_and(|newest| Arc::ptr_eq(newest, &before));
        if registry.admission != Admission::Open || !is_newest || registry.check_free(path).is_err() {
            return false;
        }
        let Some(Again { task, member, adoption }) = Again::of(&before) else { return false };
        let (name, policy) = (Arc::clone(before.name()), Arc::clone(before.policy()));
        let tie = member.map(|member| Arc::new(Tie::Group(member)));
        let cell = self.cell(Admitted { task, name, policy }, Origin::Declared { unready: false }, tie);
        registry.insert(&cell);
        registry.settle(&runtime, |before| home = Some(before));
        self.bus.start(&runtime);
        if let Some(adoption) = adoption {
            adoption.enter_again(&cell, &runtime, end);
        }
        let started = start_added(registry, cell, &runtime).is_ok();
        before.drop_kept_task();
        started
    }
}

/// A task that starts again at its place, with the mailbox of its group locked.
struct Again<'a> {
    task: Fenced<TaskRef>,
    member: Option<Membership>,
    adoption: Option<Adoption<'a>>,
}

impl<'a> Again<'a> {
    /// Returns the task of a place whose registration has ended, unless its group does not take it back. A fresh group
    /// drops its tasks before it makes others, so the task is taken only when the group is known to wait for its end.
    fn of(before: &'a Cell) -> Option<Self> {
        // The root keeps no tasks: each is kept at its place.
        let own = || if before.was_added() { None } else { before.task().map(Fenced::new) };
        let Some(member) = before.member() else {
            return Some(Self { task: own()?, member: None, adoption: None });
        };
        let children = member.group.children();
        let place = children.place(last_segment(before.name()))?;
        let adoption = member.group.readopt(place as Key)?;
        let task = children.task(place).map(TaskSpec::into_task).or_else(own)?;
        Some(Self { task, member: Some(membership(&member.group, &children, place)), adoption: Some(adoption) })
    }
}
