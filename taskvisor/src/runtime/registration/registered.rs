//! A registered tree whose actors and drivers are not spawned yet.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::yield_now;

use super::super::core::{Admitted, Core};
use super::super::group::{GroupCell, GroupRef, Key, Member, Position};
use super::super::registry::Registry;
use super::super::task::{Actor, Cell, Origin, Tie};
use super::added_group::Remains;
use super::membership::{membership, membership_of_added};
use super::{AdmittedGroup, AdmittedTask, AdmittedTree};
use crate::panics::{Fenced, drop_each};
use crate::tree::{Declared, DeclaredChild, Role, join};

/// Registered tasks and groups that are still to be spawned. Dropping it spawns them.
pub(in crate::runtime) struct Registered {
    pub(super) runtime: Handle,
    pub(super) cells: VecDeque<Arc<Cell>>,
    pub(super) groups: VecDeque<GroupRef>,
    /// The previous registrations of their places, to be dropped with no lock held.
    before: Vec<Member>,
    /// The returned children of the outermost group.
    pub(super) returned: Vec<(Key, Role)>,
    /// What is left of added groups that are not registered again.
    pub(super) remains: Vec<Remains>,
    /// The children of the last run of a fresh group.
    made_before: Option<Arc<Declared>>,
}

impl Registered {
    pub(super) fn on(runtime: &Handle) -> Self {
        Self {
            runtime: runtime.clone(),
            cells: VecDeque::new(),
            groups: VecDeque::new(),
            before: Vec::new(),
            returned: Vec::new(),
            remains: Vec::new(),
            made_before: None,
        }
    }

    pub(in crate::runtime) fn take_returned(&mut self) -> Vec<(Key, Role)> {
        mem::take(&mut self.returned)
    }

    /// Registers a root with a driver, and its contents.
    pub(in crate::runtime) fn enter_root(
        core: &Arc<Core>,
        registered: &mut Self,
        registry: &mut Registry,
        root: &Arc<Declared>,
        admitted: AdmittedTree,
    ) -> GroupRef {
        let runtime = &registered.runtime;
        let cell = GroupRef::new(GroupCell::new("".into(), Arc::clone(root), Arc::clone(core), None, runtime));
        registry.roots.push(cell.clone());
        registered.enter_group(registry, &cell);
        registered.register(registry, &cell, admitted);
        registered.groups.push_back(cell.clone());
        cell
    }

    pub(super) fn enter(&mut self, registry: &mut Registry, cell: Arc<Cell>) -> Arc<Cell> {
        registry.insert(&cell);
        if let Some(places) = &mut registry.places {
            let before = places.tasks.insert(Arc::clone(cell.name()), Arc::clone(&cell));
            self.before.extend(before.map(Member::Task));
        }
        self.cells.push_back(Arc::clone(&cell));
        cell
    }

    pub(super) fn enter_group(&mut self, registry: &mut Registry, group: &GroupRef) {
        if let Some(places) = &mut registry.places {
            let before = places.groups.insert(Arc::clone(group.path()), group.clone());
            if let Some(before) = &before {
                group.inherit(before);
            }
            self.before.extend(before.map(Member::Group));
        }
    }

    /// Sets the children of a fresh group for its next run. The places of earlier children that are not made again are
    /// removed.
    pub(super) fn replace_made(&mut self, registry: &mut Registry, group: &GroupCell, made: &Arc<Declared>) {
        let before = group.set_made(Arc::clone(made));
        if let (Some(before), Some(places)) = (&before, &mut registry.places) {
            let gone = before.children.iter().filter(|child| made.place(&child.name).is_none());
            let gone: Vec<_> = gone.map(|child| join(group.path(), &child.name)).collect();
            let gone_tasks = gone.iter().filter_map(|path| places.tasks.remove(path));
            #[cfg(feature = "cron")]
            let gone_tasks = gone_tasks.inspect(|cell| group.core.schedules.leave(cell));
            self.before.extend(gone_tasks.map(Member::Task));
            if registry.has_pauses() {
                for path in &gone {
                    registry.end_pause_of(path);
                }
            }
        }
        self.made_before = before;
    }

    /// Registers the returning children of a group. Returns their roles by their keys.
    pub(super) fn bring_back(&mut self, registry: &mut Registry, group: &GroupRef) -> Vec<(Key, Role)> {
        let mut roles = Vec::new();
        for (key, before) in group.take_returning() {
            if let (Some(task), Ok(())) = (before.kept_task(), registry.check_free(before.name())) {
                let (name, policy) = (Arc::clone(before.name()), Arc::clone(before.policy()));
                let admitted = Admitted { task: Fenced::new(task), name, policy };
                let tie = Arc::new(Tie::Group(membership_of_added(group, key)));
                let cell = group.core.cell(admitted, Origin::Added, Some(tie));
                registry.insert(&cell);
                #[cfg(feature = "cron")]
                group.core.schedules.hand_on(&before, &cell);
                group.enter_returned(key, &cell);
                roles.push((key, Role::of_added(&cell)));
                self.cells.push_back(cell);
            }
            self.before.push(Member::Task(before));
        }
        roles
    }

    /// Registers tasks without a driver.
    pub(super) fn register_plain(
        &mut self,
        core: &Arc<Core>,
        registry: &mut Registry,
        root: AdmittedTree,
        unready: bool,
    ) {
        for AdmittedTask { task, .. } in root.tasks {
            // The batch does not wait for a task whose first start is delayed, or that does not count for readiness.
            let counts = task.policy.readiness && !task.policy.begins_later();
            #[cfg(feature = "fleet")]
            let counts = counts && task.policy.singleton.is_none();
            let cell = core.cell(task, Origin::Declared { unready: unready && counts }, None);
            self.enter(registry, cell);
        }
    }

    /// Registers the declared children of a registered group, with what returns in its nested groups.
    pub(super) fn register(&mut self, registry: &mut Registry, group: &GroupRef, admitted: AdmittedTree) {
        let mut open = Vec::new();
        for cell in self.register_declared(registry, group, admitted) {
            self.register_returning_in(registry, &cell, &mut open);
        }
        self.register_open(registry, open);
    }

    /// Registers the contents of added groups that are registered.
    pub(super) fn register_open(&mut self, registry: &mut Registry, mut open: Vec<(GroupRef, AdmittedTree)>) {
        while let Some((group, admitted)) = open.pop() {
            for cell in self.register_declared(registry, &group, admitted) {
                self.register_returning_in(registry, &cell, &mut open);
            }
            self.register_returning_in(registry, &group, &mut open);
        }
    }

    /// Registers what returns in a group whose driver is not spawned yet. The contents of returning groups are left `open`.
    fn register_returning_in(
        &mut self,
        registry: &mut Registry,
        group: &GroupRef,
        open: &mut Vec<(GroupRef, AdmittedTree)>,
    ) {
        let mut roles = self.bring_back(registry, group);
        for (key, added, admitted) in self.bring_back_groups(registry, group) {
            roles.push((key, DeclaredChild::of_added(&added.declared).role));
            self.enter_added_group(registry, &added);
            open.push((added, admitted));
        }
        roles.sort_unstable_by_key(|(key, _)| *key);
        for (key, child) in roles {
            group.add_returned(key, child);
        }
    }

    /// Registers the returning children of the outermost group.
    pub(super) fn register_returning(&mut self, registry: &mut Registry, group: &GroupRef) {
        let (mut roles, mut open) = (self.bring_back(registry, group), Vec::new());
        for (key, group, admitted) in self.bring_back_groups(registry, group) {
            roles.push((key, DeclaredChild::of_added(&group.declared).role));
            self.enter_added_group(registry, &group);
            open.push((group, admitted));
        }
        roles.sort_unstable_by_key(|(key, _)| *key);
        self.returned = roles;
        self.register_open(registry, open);
    }

    /// Registers the declared children of a group. Returns the nested groups.
    fn register_declared(
        &mut self,
        registry: &mut Registry,
        group: &GroupRef,
        admitted: AdmittedTree,
    ) -> Vec<GroupRef> {
        let core = &group.core;
        let AdmittedTree { groups, tasks, .. } = admitted;
        let mut members: Vec<Vec<Option<Member>>> =
            groups.iter().map(|group| vec![None; group.declared.children.len()]).collect();
        let mut cells = vec![group.clone()];
        for AdmittedGroup { declared, path, position } in groups {
            let Some((parent, place)) = position else { continue };
            let above = cells[parent].clone();
            let position = Position { key: place as Key, parent: above };
            let core = Arc::clone(core);
            let cell = GroupRef::new(GroupCell::new(path, declared, core, Some(position), &self.runtime));
            #[cfg(feature = "fleet")]
            cell.takes_seat();
            registry.groups.insert(Arc::clone(cell.path()), cell.clone());
            self.enter_group(registry, &cell);
            members[parent][place] = Some(Member::Group(cell.clone()));
            cells.push(cell);
        }
        for AdmittedTask { task, group: parent, place } in tasks {
            let member = membership(&cells[parent], &cells[parent].children(), place);
            let cell = core.cell(task, Origin::Declared { unready: false }, Some(Arc::new(Tie::Group(member))));
            members[parent][place] = Some(Member::Task(self.enter(registry, cell)));
        }
        for (cell, members) in cells.iter().zip(members) {
            self.before.extend(cell.set_members(members.into_iter().flatten().collect()));
        }
        // Nested groups are spawned before their parents. The caller spawns the outermost.
        cells.remove(0);
        self.groups.extend(cells.iter().rev().cloned());
        cells
    }

    fn spawn_next(&mut self) -> bool {
        if let Some(cell) = self.cells.pop_front() {
            Actor::spawn(cell, &self.runtime);
            return true;
        }
        let Some(group) = self.groups.pop_front() else { return false };
        group.spawn_driver(&self.runtime);
        true
    }

    /// Spawns all actors and drivers as `drop` does, but yields in between.
    pub(in crate::runtime) async fn spawn_by_turns(mut self) {
        let mut spawned = 0;
        while self.spawn_next() {
            spawned += 1;
            if spawned % 256 == 0 {
                yield_now().await;
            }
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        while self.spawn_next() {}
        let before = mem::take(&mut self.before);
        for member in &before {
            if let Member::Task(cell) = member {
                cell.drop_kept_task();
            }
        }
        drop_each(before);
        mem::take(&mut self.remains).into_iter().for_each(Remains::carry_out);
    }
}
