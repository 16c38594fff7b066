//! Registers a declared tree, completely or not at all.

use std::collections::{HashSet, VecDeque};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::runtime::Handle;
use tokio::task::yield_now;

use super::core::{Admitted, Core, announce, is_alive, start_added};
#[cfg(feature = "fleet")]
use super::fleet::check_alone;
use super::group::{Adoption, End, GroupCell, GroupRef, Key, Member, Position};
use super::registry::{Admission, Registry};
use super::task::{Actor, Cell, Membership, Origin, Stage, Tie};
use crate::panics::{Fenced, drop_each};
use crate::supervisor::{InvalidOption, RuntimeError};
use crate::task::TaskSpec;
use crate::tree::{Declared, Role, join, last_segment};

/// A checked and resolved tree as flat lists: its groups, each after its parent, and their children in the order of
/// declaration.
pub(super) struct AdmittedTree {
    groups: Vec<AdmittedGroup>,
    tasks: Vec<AdmittedTask>,
}

struct AdmittedGroup {
    declared: Arc<Declared>,
    path: Arc<str>,
    /// The index of its parent, and its place there. `None` for the outermost.
    position: Option<(usize, usize)>,
}

struct AdmittedTask {
    task: Admitted,
    /// The index of its group, and its place there.
    group: usize,
    place: usize,
}

/// Registered tasks and groups that are still to be spawned. Dropping it spawns them.
pub(super) struct Registered {
    runtime: Handle,
    cells: VecDeque<Arc<Cell>>,
    groups: VecDeque<GroupRef>,
    /// The previous registrations of their places, to be dropped with no lock held.
    before: Vec<Member>,
    /// The added children of the outermost group that came back.
    returned: Vec<(Key, Role)>,
    /// The children of the last run of a fresh group.
    made_before: Option<Arc<Declared>>,
}

impl Core {
    /// Registers and starts a tree.
    ///
    /// `started` is of the tree. Once it is set, a further call starts nothing.
    pub(crate) fn add_tree(self: &Arc<Self>, root: &Arc<Declared>, started: &AtomicBool) -> Result<(), RuntimeError> {
        let runtime = self.prepare()?;
        let is_started = || started.load(Ordering::Relaxed);
        if is_started() {
            // After a shutdown the answer is the same, whether the tree was started or not. But if the tree has failed,
            // or a signal stopped it, a `run` waits for the verdict.
            let goes_on = self.is_open() || (self.ends_by_itself() && self.registry().running);
            return if goes_on { Ok(()) } else { Err(RuntimeError::ShuttingDown) };
        }
        let driven = root.driven();
        let plain = driven.is_none();
        if !plain && !is_alive(&runtime) {
            return Err(RuntimeError::NoRuntime);
        }
        let admitted = match self.admit_tree(root, "".into(), true) {
            // The tree was started in the meantime, so its tasks may be dropped already.
            Err(_) if is_started() => return Ok(()),
            admitted => admitted?,
        };
        let mut registered = Registered::on(&runtime);
        let mut home = None;
        let mut registry = self.registry();
        if registry.admission != Admission::Open {
            return Err(RuntimeError::ShuttingDown);
        }
        if is_started() {
            return Ok(());
        }
        admitted.paths().try_for_each(|path| registry.check_free(path))?;
        let paused = admitted.paused();
        started.store(true, Ordering::Relaxed);
        #[cfg(feature = "controller")]
        registry.rely(root.slots_after());
        registry.settle(&runtime, |before| home = Some(before));
        self.bus.start(&runtime);
        let first = !self.readiness.batch.swap(true, Ordering::Relaxed);
        if let Some(places) = &mut registry.places {
            places.tasks.reserve(root.children.len());
        }
        let root_cell = if let Some(driven) = driven {
            Some(driven.enter_root(self, &mut registered, &mut registry, root, admitted))
        } else {
            registered.register_plain(self, &mut registry, admitted, first);
            None
        };
        registered.cells.iter().for_each(announce);
        registry.pause_declared(self, &paused);
        let mut missing = 0;
        if first && plain {
            missing = registered.cells.iter().filter(|cell| cell.lock().machine().unready).count();
            self.readiness.missing.store(missing, Ordering::Relaxed);
        }
        // Also slots can be declared as paused.
        let has_pauses = registry.has_pauses();
        drop(registry);
        if has_pauses {
            self.count_pauses();
        }
        self.readiness.changed.wake();
        if first && plain && missing == 0 {
            self.set_ready();
        }
        let last = registered.cells.back().cloned();
        drop(registered);
        if let Some(cell) = root_cell {
            cell.release(0);
            root.forget_own_tasks();
        } else if last.is_some_and(|last| last.was_refused()) {
            // No task has run, so the tree can be started on another runtime.
            if first {
                self.readiness.ready.store(false, Ordering::Release);
                self.readiness.batch.store(false, Ordering::Relaxed);
            }
            started.store(false, Ordering::Relaxed);
            return Err(RuntimeError::NoRuntime);
        } else {
            // The tree cannot start again.
            root.forget_tasks();
        }
        Ok(())
    }

    /// Checks a tree that has not started.
    pub(crate) fn check_tree(&self, root: &Arc<Declared>) -> Result<(), RuntimeError> {
        self.check()?;
        self.admit_tree(root, "".into(), true).map(drop)
    }

    /// Registers the children of a group that starts again. Nothing is registered before the future completes.
    /// The children of a fresh group were `made` for this run; nothing is registered if one of them is refused.
    pub(super) async fn register_again(
        self: &Arc<Self>,
        group: &GroupRef,
        made: Option<Arc<Declared>>,
    ) -> Result<Registered, RuntimeError> {
        let runtime = self.runtime()?;
        // Yields in a large group.
        yield_now().await;
        let declared = made.as_ref().unwrap_or(&group.declared);
        let admitted = self.admit_tree(declared, Arc::clone(group.path()), group.position.is_none())?;
        let mut registered = Registered::on(&runtime);
        let mut registry = self.registry();
        if !matches!(registry.admission, Admission::Open | Admission::Closing) {
            return Err(RuntimeError::ShuttingDown);
        }
        let mut paused = Vec::new();
        let may_end_pauses = made.is_some() && registry.has_pauses();
        if let Some(made) = made {
            // A child that the last run had too is paused as it is.
            let before = group.children();
            paused = admitted.paused();
            paused.retain(|path| before.place(last_segment(path)).is_none());
            let returning: HashSet<Arc<str>> = group.returning_names().into_iter().collect();
            admitted.paths().try_for_each(|path| check_not_added(&registry, &returning, path))?;
            registered.replace_made(&mut registry, group, &made);
        }
        registered.register(&mut registry, group, admitted);
        registered.returned = registered.bring_back(&mut registry, group);
        registered.cells.iter().for_each(announce);
        registry.pause_declared(self, &paused);
        drop(registry);
        if may_end_pauses || !paused.is_empty() {
            self.count_pauses();
        }
        self.forget_within(group);
        Ok(registered)
    }

    /// Adds a task to a group.
    pub(crate) fn add_to(self: &Arc<Self>, group: &GroupRef, spec: TaskSpec) -> Result<Arc<Cell>, RuntimeError> {
        let runtime = self.prepare()?;
        check_not_after(&spec)?;
        let mut admitted = self.admit(spec)?;
        admitted.name = join(group.path(), &admitted.name);
        let name = Arc::clone(&admitted.name);
        let mut home = None;
        let mut registry = self.registry();
        if registry.admission != Admission::Open {
            return Err(RuntimeError::ShuttingDown);
        }
        registry.check_free(&name)?;
        let adoption = group.adopt(last_segment(&name))?;
        group.check_is_open()?;
        let cell = self.cell(admitted, Origin::Added, Some(added(group, &adoption)));
        registry.insert(&cell);
        registry.settle(&runtime, |before| home = Some(before));
        adoption.enter(&cell, &runtime);
        start_added(registry, cell, &runtime)
    }

    /// Starts the task at a declared place again, whose registration has ended. Returns `false` if it has not, or if the
    /// task is not kept.
    pub(crate) fn start_again(self: &Arc<Self>, path: &str) -> bool {
        let (Ok(runtime), Some(before)) = (self.prepare(), self.place(path)) else { return false };
        let Some((admitted, member)) = self.admit_again(&before) else { return false };
        let position = member.as_ref().map(|member| (member.group.clone(), member.key));
        let end = End::of(before.try_outcome().as_ref());
        let mut home = None;
        let mut registry = self.registry();
        let newest = registry.places.as_ref().and_then(|places| places.tasks.get(path));
        let is_newest = newest.is_some_and(|newest| Arc::ptr_eq(newest, &before));
        if registry.admission != Admission::Open || !is_newest || registry.check_free(path).is_err() {
            return false;
        }
        let adoption = position.as_ref().map(|(group, key)| group.readopt(*key));
        if let Some(None) = adoption {
            return false;
        }
        let tie = member.map(|member| Arc::new(Tie::Group(member)));
        let cell = self.cell(admitted, Origin::Declared { unready: false }, tie);
        registry.insert(&cell);
        registry.settle(&runtime, |before| home = Some(before));
        self.bus.start(&runtime);
        if let Some(adoption) = adoption.flatten() {
            adoption.enter_again(&cell, &runtime, end);
        }
        let started = start_added(registry, cell, &runtime).is_ok();
        before.drop_kept_task();
        started
    }

    /// Returns the task of a place whose registration has ended, with its membership in its group.
    fn admit_again(self: &Arc<Self>, before: &Arc<Cell>) -> Option<(Admitted, Option<Membership>)> {
        if before.lock().machine().stage != Stage::Ended {
            return None;
        }
        let (member, kept) = match before.member() {
            Some(member) => {
                let children = member.group.children();
                let place = children.place(last_segment(before.name()))?;
                (Some(membership(&member.group, &children, place)), children.task(place))
            }
            None => (None, None),
        };
        let mut admitted = match kept {
            Some(spec) => self.admit(spec).ok()?,
            None if before.was_added() => return None,
            None => {
                let (task, policy) = (Fenced::new(before.task()?), Arc::clone(before.policy()));
                Admitted { task, name: Arc::clone(before.name()), policy }
            }
        };
        admitted.name = Arc::clone(before.name());
        Some((admitted, member))
    }

    /// Walks the tree in the order of declaration, without recursion.
    fn admit_tree(&self, root: &Arc<Declared>, path: Arc<str>, is_root: bool) -> Result<AdmittedTree, RuntimeError> {
        root.check(is_root.then_some(self))?;
        let groups = vec![AdmittedGroup { declared: Arc::clone(root), path, position: None }];
        let mut admitted = AdmittedTree { groups, tasks: Vec::new() };
        let mut walk = vec![(0, 0)];
        while let Some((group, place)) = walk.pop() {
            let AdmittedGroup { declared, path, .. } = &admitted.groups[group];
            let (declared, path) = (Arc::clone(declared), Arc::clone(path));
            let Some(child) = declared.children.get(place) else { continue };
            walk.push((group, place + 1));
            if declared.place(&child.name) != Some(place) {
                return Err(RuntimeError::TaskAlreadyExists { name: join(&path, &child.name).to_string() });
            }
            if let Some(inner) = &child.group {
                inner.check(None)?;
                #[cfg(feature = "fleet")]
                self.check_singleton_group(admitted.singleton_around(group).as_ref(), inner)?;
                self.limits.check(|| format!("group `{}`", inner.name), inner.named_limit())?;
                if inner.is_fresh && !inner.has_maker() {
                    return Err(RuntimeError::ShuttingDown);
                }
                walk.push((admitted.groups.len(), 0));
                let (declared, path) = (Arc::clone(inner), join(&path, &inner.name));
                admitted.groups.push(AdmittedGroup { declared, path, position: Some((group, place)) });
            } else {
                let Some(spec) = declared.task(place) else { return Err(RuntimeError::ShuttingDown) };
                let mut task = self.admit(spec)?;
                #[cfg(feature = "fleet")]
                if task.policy.singleton.is_some() {
                    check_alone(&format!("task `{}`", task.name), admitted.singleton_around(group).as_ref())?;
                }
                task.name = join(&path, &task.name);
                admitted.tasks.push(AdmittedTask { task, group, place });
            }
        }
        Ok(admitted)
    }
}

impl AdmittedTree {
    /// Returns the path of the singleton that a group is, or is in.
    #[cfg(feature = "fleet")]
    fn singleton_around(&self, group: usize) -> Option<Arc<str>> {
        let mut next = Some(group);
        while let Some(group) = next.and_then(|next| self.groups.get(next)) {
            if let Some(Some(_)) = group.declared.overrides.singleton {
                return Some(Arc::clone(&group.path));
            }
            next = group.position.map(|(parent, _)| parent);
        }
        None
    }

    /// Returns the paths of the tasks and groups that are declared as paused, outer ones first.
    fn paused(&self) -> Vec<Arc<str>> {
        let groups = self.groups.iter().filter(|group| group.declared.overrides.paused == Some(true));
        let tasks = self.tasks.iter().filter(|task| task.task.policy.paused);
        groups.map(|group| &group.path).chain(tasks.map(|task| &task.task.name)).cloned().collect()
    }

    /// Returns the paths of all tasks and groups in it.
    fn paths(&self) -> impl Iterator<Item = &Arc<str>> {
        let groups = self.groups.iter().skip(1).map(|group| &group.path);
        self.tasks.iter().map(|task| &task.task.name).chain(groups)
    }
}

impl Registered {
    fn on(runtime: &Handle) -> Self {
        Self {
            runtime: runtime.clone(),
            cells: VecDeque::new(),
            groups: VecDeque::new(),
            before: Vec::new(),
            returned: Vec::new(),
            made_before: None,
        }
    }

    pub(super) fn take_returned(&mut self) -> Vec<(Key, Role)> {
        mem::take(&mut self.returned)
    }

    /// Registers a root with a driver, and what is in it.
    pub(super) fn enter_root(
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

    fn enter(&mut self, registry: &mut Registry, cell: Arc<Cell>) -> Arc<Cell> {
        registry.insert(&cell);
        if let Some(places) = &mut registry.places {
            let before = places.tasks.insert(Arc::clone(cell.name()), Arc::clone(&cell));
            self.before.extend(before.map(Member::Task));
        }
        self.cells.push_back(Arc::clone(&cell));
        cell
    }

    fn enter_group(&mut self, registry: &mut Registry, group: &GroupRef) {
        if let Some(places) = &mut registry.places {
            let before = places.groups.insert(Arc::clone(group.path()), group.clone());
            if let Some(before) = &before {
                group.inherit(before);
            }
            self.before.extend(before.map(Member::Group));
        }
    }

    /// Sets the children of a fresh group for its next run. The places of earlier ones that are not made again go.
    fn replace_made(&mut self, registry: &mut Registry, group: &GroupCell, made: &Arc<Declared>) {
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

    /// Registers the added children of a group again that it has stopped. Returns their roles by their keys.
    fn bring_back(&mut self, registry: &mut Registry, group: &GroupRef) -> Vec<(Key, Role)> {
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
    fn register_plain(&mut self, core: &Arc<Core>, registry: &mut Registry, root: AdmittedTree, unready: bool) {
        for AdmittedTask { task, .. } in root.tasks {
            // A task that waits for its first start, or does not count for readiness, is not waited for.
            let counts = task.policy.readiness && !task.policy.begins_later();
            #[cfg(feature = "fleet")]
            let counts = counts && task.policy.singleton.is_none();
            let cell = core.cell(task, Origin::Declared { unready: unready && counts }, None);
            self.enter(registry, cell);
        }
    }

    /// Registers the children of a registered group.
    fn register(&mut self, registry: &mut Registry, group: &GroupRef, admitted: AdmittedTree) {
        let core = &group.core;
        let AdmittedTree { groups, tasks } = admitted;
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
        for cell in &cells[1..] {
            for (key, child) in self.bring_back(registry, cell) {
                cell.add_returned(key, child);
            }
        }
        // Nested groups are spawned before their parents. The caller spawns the outermost.
        cells.reverse();
        cells.pop();
        self.groups.extend(cells);
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

    /// Spawns all like `drop`, but yields in between.
    pub(super) async fn spawn_by_turns(mut self) {
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
    }
}

/// Checks that no added task has the path of a child that was made.
fn check_not_added(registry: &Registry, returning: &HashSet<Arc<str>>, path: &str) -> Result<(), RuntimeError> {
    registry.check_free(path)?;
    if returning.contains(path) {
        return Err(RuntimeError::TaskAlreadyExists { name: path.to_owned() });
    }
    Ok(())
}

/// Returns the membership of a child that is added.
pub(super) fn added(group: &GroupRef, adoption: &Adoption<'_>) -> Arc<Tie> {
    Arc::new(Tie::Group(membership_of_added(group, adoption.key)))
}

fn membership_of_added(group: &GroupRef, key: Key) -> Membership {
    let managed = group.declared.manages();
    Membership {
        group: group.clone(),
        key,
        epoch: AtomicU32::new(0),
        managed,
        awaited: false,
        #[cfg(feature = "fleet")]
        seat: None,
    }
}

/// Returns the membership of a declared child. `children` are those of the group. Takes no lock.
fn membership(group: &GroupRef, children: &Declared, place: usize) -> Membership {
    let (managed, awaited) = (group.declared.manages(), !children.order.later(place).is_empty());
    Membership {
        group: group.clone(),
        key: place as Key,
        epoch: AtomicU32::new(0),
        managed,
        awaited,
        #[cfg(feature = "fleet")]
        seat: None,
    }
}

/// Checks a task that is added beside the tree or submitted: it has no siblings to be after, and no group for which it
/// can be critical or significant.
#[inline]
pub(super) fn check_no_siblings(spec: &TaskSpec) -> Result<(), InvalidOption> {
    if spec.is_for_groups() { refuse_siblings(spec) } else { Ok(()) }
}

#[cold]
fn refuse_siblings(spec: &TaskSpec) -> Result<(), InvalidOption> {
    let option = match (spec.is_critical(), spec.is_significant()) {
        (true, _) => "critical",
        (_, true) => "significant",
        _ => return check_not_after(spec),
    };
    let expected = "a task in a group: declare it in a tree, or add it with `GroupHandle::add_task`";
    Err(InvalidOption::new(format!("task `{}`", spec.name()), option, "set", expected))
}

/// Checks a task that is added at run time: it has no siblings to be after.
pub(super) fn check_not_after(spec: &TaskSpec) -> Result<(), InvalidOption> {
    let Some(after) = spec.after().first() else { return Ok(()) };
    let expected = "no siblings: a task that is added at runtime starts at once";
    Err(InvalidOption::new(format!("task `{}`", spec.name()), "after", format!("`{after}`"), expected))
}
