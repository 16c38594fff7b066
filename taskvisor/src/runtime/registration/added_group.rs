//! Groups that are added at run time.

use std::sync::Arc;

use super::super::core::{Core, announce, is_alive};
use super::super::group::{GroupCell, GroupRef, Key, Position};
use super::super::registry::{Admission, Registry};
use super::super::task::Cell;
use super::{AdmittedTree, Outermost, Registered};
use crate::inspect::TaskOutcome;
use crate::panics::drop_each;
use crate::supervisor::{InvalidOption, RuntimeError};
use crate::tree::{Declared, Group, join};

/// What an added group has left that is not registered again, to be dropped with no lock held.
#[derive(Default)]
#[must_use = "it holds user values"]
pub(in crate::runtime) struct Remains {
    groups: Vec<GroupRef>,
    cells: Vec<Arc<Cell>>,
}

/// What is at the path of a group that is to be canceled.
pub(crate) enum ToCancel {
    Group(GroupRef),
    /// The group would have returned, and does not any more.
    Withdrawn,
    Gone,
}

impl Core {
    /// Adds a group to a group, and starts it when that starts.
    pub(crate) fn add_group_to(self: &Arc<Self>, parent: &GroupRef, group: Group) -> Result<(), RuntimeError> {
        let runtime = self.prepare()?;
        if !is_alive(&runtime) {
            return Err(RuntimeError::NoRuntime);
        }
        let mut declared = Declared::new(group);
        // Its tasks are dropped with it, and those of its clones stay.
        declared.own_groups();
        let declared = Arc::new(declared);
        check_no_siblings(&declared)?;
        let admitted = self.admit_added(parent, &declared)?;
        let path = join(parent.path(), &declared.name);
        let mut registered = Registered::on(&runtime);
        let mut home = None;
        let mut registry = self.registry();
        if registry.admission != Admission::Open {
            return Err(RuntimeError::ShuttingDown);
        }
        registry.check_free(&path)?;
        admitted.paths().try_for_each(|path| registry.check_free(path))?;
        let adoption = parent.adopt(&declared.name)?;
        parent.check_is_open()?;
        if let Some(ended) = adoption.takes_place_of(&declared.name) {
            let name = path.to_string();
            return Err(match ended.group {
                Some(_) => RuntimeError::GroupAlreadyExists { name },
                None => RuntimeError::TaskAlreadyExists { name },
            });
        }
        registry.settle(&runtime, |before| home = Some(before));
        self.bus.start(&runtime);
        let paused = admitted.paused();
        let position = Position { parent: parent.clone(), key: adoption.key };
        let cell = GroupRef::new(GroupCell::new(path, declared, Arc::clone(self), Some(position), &runtime));
        adoption.enter_group(&cell, &runtime);
        registered.enter_added_group(&mut registry, &cell);
        registered.register_open(&mut registry, vec![(cell, admitted)]);
        registered.cells.iter().for_each(announce);
        registry.pause_declared(self, &paused);
        drop(registry);
        if !paused.is_empty() {
            self.count_pauses();
        }
        // Those of the group that had the path before.
        if let Some(added) = registered.groups.front() {
            self.forget_within(added);
        }
        drop(registered);
        Ok(())
    }

    /// Checks and resolves a group that is added.
    pub(super) fn admit_added(
        &self,
        parent: &GroupRef,
        declared: &Arc<Declared>,
    ) -> Result<AdmittedTree, RuntimeError> {
        let subject = || format!("group `{}`", declared.name);
        if declared.is_too_deep_in(parent.with_parents().count()) {
            return Err(
                InvalidOption::new(subject(), "depth", "too many groups nested in each other", "at most 1024").into()
            );
        }
        #[cfg(feature = "fleet")]
        self.check_singleton_group(super::singleton_around(parent).as_ref(), declared)?;
        self.limits.check(subject, declared.named_limit())?;
        if declared.is_fresh && !declared.has_maker() {
            return Err(RuntimeError::ShuttingDown);
        }
        self.admit_tree(declared, Outermost::AddedTo(parent))
    }

    /// Lets an added group that has just ended return with the next run of its parent, or removes its places. Called
    /// under the registry's lock.
    pub(in crate::runtime) fn leave_or_return(
        &self,
        registry: &mut Registry,
        group: &GroupRef,
        outcome: &TaskOutcome,
    ) -> Remains {
        let Some(Position { parent, key }) = group.position.as_ref().filter(|_| group.was_added()) else {
            return Remains::default();
        };
        if parent.keeps_added() && group.returns(outcome) && registry.places.is_some() && self.keeps() {
            parent.lets_group_return(*key, group);
            return Remains::default();
        }
        registry.remove_places_of(group)
    }

    /// Returns the group to cancel at the path, or removes the one that returns with the next run of its parent.
    /// `before` has just been canceled, and had ended: another group is only canceled if it is the one that returned.
    pub(crate) fn group_to_cancel(&self, path: &str, before: Option<&GroupRef>) -> ToCancel {
        let above = path.rsplit_once('/').map_or("", |(above, _)| above);
        let key = |group: &GroupRef| group.position.as_ref().filter(|_| group.was_added()).map(|position| position.key);
        let has_returned = |group: &GroupRef, before: &GroupRef| {
            !group.ptr_eq(before) && key(group).is_some() && key(group) == key(before)
        };
        // Each end and each return is one step under this lock.
        let mut registry = self.registry();
        if let Some(group) = registry.groups.get(path) {
            let is_it = before.is_none_or(|before| has_returned(group, before));
            return if is_it { ToCancel::Group(group.clone()) } else { ToCancel::Gone };
        }
        let parent = registry.places.as_ref().and_then(|places| places.groups.get(above)).cloned();
        let withdrawn = parent.and_then(|parent| parent.withdraw_group(path));
        let remains = withdrawn.as_ref().map(|group| registry.remove_places_of(group));
        drop(registry);
        let Some(remains) = remains else { return ToCancel::Gone };
        remains.carry_out();
        ToCancel::Withdrawn
    }
}

impl Registry {
    /// Removes the places of a group that was added and has ended, and of everything that was declared or added in it.
    pub(in crate::runtime) fn remove_places_of(&mut self, group: &GroupRef) -> Remains {
        let mut remains = Remains::default();
        let has_pauses = self.has_pauses();
        let mut open = vec![group.clone()];
        while let Some(group) = open.pop() {
            let Some(places) = &mut self.places else { break };
            let mut paths = vec![Arc::clone(group.path())];
            places.groups.remove(group.path());
            for child in &group.children().children {
                let path = join(group.path(), &child.name);
                if child.group.is_some() {
                    open.extend(places.groups.get(&path).cloned());
                } else {
                    remains.cells.extend(places.tasks.remove(&path));
                    paths.push(path);
                }
            }
            open.extend(group.added_groups().into_values());
            for path in paths.iter().filter(|_| has_pauses) {
                self.end_pause_of(path);
            }
            remains.groups.push(group);
        }
        remains
    }
}

impl Remains {
    /// Gives up what would have returned with the groups, and drops the tasks. Called with no lock held.
    pub(in crate::runtime) fn carry_out(self) {
        let Self { groups, mut cells } = self;
        let Some(core) = groups.first().map(|group| Arc::clone(&group.core)) else { return };
        #[cfg(feature = "cron")]
        for cell in &cells {
            core.schedules.leave(cell);
        }
        for group in &groups {
            group.declared.forget_tasks();
            group.forget_made();
            let lost: Vec<_> = group.take_returning().into_values().collect();
            for cell in &lost {
                core.give_up(cell);
            }
            cells.extend(lost);
            drop_each(group.take_returning_groups().into_values());
        }
        core.count_pauses();
        for cell in &cells {
            cell.drop_kept_task();
        }
        drop_each(cells);
        drop_each(groups);
    }
}

impl Registered {
    /// Registers an added group itself. Its driver is spawned with those of the other groups.
    pub(super) fn enter_added_group(&mut self, registry: &mut Registry, group: &GroupRef) {
        #[cfg(feature = "fleet")]
        group.takes_seat();
        registry.groups.insert(Arc::clone(group.path()), group.clone());
        self.enter_group(registry, group);
        self.groups.push_back(group.clone());
    }

    /// Makes the returning groups of a group members again. The caller registers them and what is in them.
    pub(super) fn bring_back_groups(
        &mut self,
        registry: &mut Registry,
        parent: &GroupRef,
    ) -> Vec<(Key, GroupRef, AdmittedTree)> {
        let core = &parent.core;
        let mut returned = Vec::new();
        for (key, before) in parent.take_returning_groups() {
            let is_free = |path: &Arc<str>| registry.check_free(path).is_ok();
            let admitted = core.admit_added(parent, &before.declared).ok();
            let admitted = admitted.filter(|tree| is_free(before.path()) && tree.paths().all(is_free));
            if let Some(admitted) = admitted {
                let (path, declared) = (Arc::clone(before.path()), Arc::clone(&before.declared));
                let position = Position { parent: parent.clone(), key };
                let cell =
                    GroupRef::new(GroupCell::new(path, declared, Arc::clone(core), Some(position), &self.runtime));
                parent.enter_returned_group(key, &cell);
                returned.push((key, cell, admitted));
            } else {
                self.remains.push(registry.remove_places_of(&before));
            }
        }
        returned
    }
}

/// Checks that an added group is not after siblings.
fn check_no_siblings(group: &Declared) -> Result<(), InvalidOption> {
    let Some(after) = group.after.first() else { return Ok(()) };
    let expected = "no siblings: a group that is added at runtime starts at once";
    Err(InvalidOption::new(format!("group `{}`", group.name), "after", format!("`{after}`"), expected))
}
