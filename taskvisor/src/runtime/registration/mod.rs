//! Registers a declared tree, completely or not at all.

mod added_group;
mod again;
mod membership;
mod registered;

pub(crate) use self::added_group::ToCancel;
pub(in crate::runtime) use self::membership::{added, check_no_siblings, check_not_after};
pub(in crate::runtime) use self::registered::Registered;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::core::{Admitted, Core, announce, is_alive, start_added};
#[cfg(feature = "fleet")]
use super::fleet::{check_added, check_alone, singleton_around};
use super::group::GroupRef;
use super::registry::{Admission, Registry};
use super::task::{Cell, Origin};
use crate::supervisor::RuntimeError;
use crate::task::TaskSpec;
use crate::tree::{Declared, join, last_segment};

/// A checked and resolved tree as flat lists: its groups, each after its parent, and their children in the order of
/// declaration.
pub(super) struct AdmittedTree {
    groups: Vec<AdmittedGroup>,
    tasks: Vec<AdmittedTask>,
    /// The path of the singleton that the whole tree is in.
    #[cfg(feature = "fleet")]
    around: Option<Arc<str>>,
}

struct AdmittedGroup {
    declared: Arc<Declared>,
    path: Arc<str>,
    /// The index of its parent, and its place there. `None` for the outermost group.
    position: Option<(usize, usize)>,
}

struct AdmittedTask {
    task: Admitted,
    /// The index of its group, and its place there.
    group: usize,
    place: usize,
}

impl Core {
    /// Registers and starts a tree.
    ///
    /// `started` belongs to the tree. Once it is set, a further call starts nothing.
    pub(crate) fn add_tree(self: &Arc<Self>, root: &Arc<Declared>, started: &AtomicBool) -> Result<(), RuntimeError> {
        let runtime = self.prepare()?;
        let is_started = || started.load(Ordering::Relaxed);
        if is_started() {
            // After a shutdown the result is the same, whether or not the tree was started. But if no call from outside of
            // the tree requested the shutdown, a `run` waits for the verdict.
            let goes_on = self.is_open() || (self.ends_by_itself() && self.registry().running);
            return if goes_on { Ok(()) } else { Err(RuntimeError::ShuttingDown) };
        }
        let driven = root.driven();
        let plain = driven.is_none();
        if !plain && !is_alive(&runtime) {
            return Err(RuntimeError::NoRuntime);
        }
        let admitted = match self.admit_tree(root, Outermost::Root) {
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
        // Slots can be declared as paused as well.
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
        self.admit_tree(root, Outermost::Root).map(drop)
    }

    /// Adds a task to a group.
    pub(crate) fn add_to(self: &Arc<Self>, group: &GroupRef, spec: TaskSpec) -> Result<Arc<Cell>, RuntimeError> {
        let runtime = self.prepare()?;
        check_not_after(&spec)?;
        let mut admitted = self.admit(spec)?;
        #[cfg(feature = "fleet")]
        check_added(group, &admitted)?;
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

    /// Walks the whole tree, or what a group declares that starts again, in the order of declaration, without recursion.
    fn admit_tree(&self, root: &Arc<Declared>, outermost: Outermost<'_>) -> Result<AdmittedTree, RuntimeError> {
        root.check(outermost.is_root().then_some(self))?;
        let path = outermost.path(root);
        let groups = vec![AdmittedGroup { declared: Arc::clone(root), path, position: None }];
        let mut admitted = AdmittedTree {
            groups,
            tasks: Vec::new(),
            #[cfg(feature = "fleet")]
            around: outermost.singleton_around(),
        };
        let mut walk = vec![(0, 0)];
        while let Some((group, place)) = walk.pop() {
            let AdmittedGroup { declared, path, .. } = &admitted.groups[group];
            let (declared, path) = (Arc::clone(declared), Arc::clone(path));
            let Some(child) = declared.children.get(place) else { continue };
            walk.push((group, place + 1));
            let first = declared.place(&child.name);
            if first != Some(place) {
                let name = join(&path, &child.name).to_string();
                let is_group = first.is_some_and(|first| declared.children[first].group.is_some());
                return Err(if is_group {
                    RuntimeError::GroupAlreadyExists { name }
                } else {
                    RuntimeError::TaskAlreadyExists { name }
                });
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

/// The outermost group of a tree that is admitted.
#[derive(Clone, Copy)]
enum Outermost<'a> {
    /// The root of a tree that has not started.
    Root,
    /// A registered group that starts again.
    Again(&'a GroupRef),
    /// A group that is added to this one.
    AddedTo(&'a GroupRef),
}

impl Outermost<'_> {
    fn is_root(self) -> bool {
        match self {
            Self::Root => true,
            Self::Again(group) => group.position.is_none(),
            Self::AddedTo(_) => false,
        }
    }

    fn path(self, declared: &Declared) -> Arc<str> {
        match self {
            Self::Root => "".into(),
            Self::Again(group) => Arc::clone(group.path()),
            Self::AddedTo(parent) => join(parent.path(), &declared.name),
        }
    }

    #[cfg(feature = "fleet")]
    fn singleton_around(self) -> Option<Arc<str>> {
        match self {
            Self::Root => None,
            Self::Again(group) | Self::AddedTo(group) => singleton_around(group),
        }
    }
}

impl AdmittedTree {
    /// Returns the path of the group if it is a singleton, or of the singleton around it.
    #[cfg(feature = "fleet")]
    fn singleton_around(&self, group: usize) -> Option<Arc<str>> {
        let mut next = Some(group);
        while let Some(group) = next.and_then(|next| self.groups.get(next)) {
            if let Some(Some(_)) = group.declared.overrides.singleton {
                return Some(Arc::clone(&group.path));
            }
            next = group.position.map(|(parent, _)| parent);
        }
        self.around.clone()
    }

    /// Returns the paths of the tasks and groups that are declared as paused, outer ones first.
    fn paused(&self) -> Vec<Arc<str>> {
        let groups = self.groups.iter().filter(|group| group.declared.overrides.paused == Some(true));
        let tasks = self.tasks.iter().filter(|task| task.task.policy.paused);
        groups.map(|group| &group.path).chain(tasks.map(|task| &task.task.name)).cloned().collect()
    }

    /// Returns the paths of all tasks and groups in the tree.
    fn paths(&self) -> impl Iterator<Item = &Arc<str>> {
        let groups = self.groups.iter().skip(1).map(|group| &group.path);
        self.tasks.iter().map(|task| &task.task.name).chain(groups)
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
