//! Registering a declared tree: whole or not at all.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Handle;

use super::actor::Actor;
use super::cell::{self, Cell, Origin, Tie};
use super::core::{Admitted, Core, announce};
use super::group::{GroupCell, Member, Place, drive};
use super::observe::{self, Background};
use super::registry::{Admission, Registry};
use crate::causes::one_line;
use crate::failure::FailureChain;
use crate::group::{ChildSpec, Group};
use crate::outcome::TaskOutcome;
use crate::runtime_error::{InvalidOption, RuntimeError};
use crate::spec::TaskSpec;
use crate::strategy::Strategy;

/// A group whose tasks are checked and resolved.
struct AdmittedGroup<'a> {
    spec: &'a Group,
    path: Arc<str>,
    children: Vec<AdmittedChild<'a>>,
}

enum AdmittedChild<'a> {
    Task(Admitted),
    Group(AdmittedGroup<'a>),
}

/// What was registered and is to be spawned.
#[derive(Default)]
struct Registered {
    cells: Vec<Arc<Cell>>,
    groups: Vec<Arc<GroupCell>>,
    /// Whose places they take: dropped with no lock held.
    before: Vec<Arc<Cell>>,
    groups_before: Vec<Arc<GroupCell>>,
}

impl Core {
    /// Registers and starts a tree.
    ///
    /// What was started `once` is not started again.
    pub(crate) fn add_tree(self: &Arc<Self>, root: &Group, once: Option<&AtomicBool>) -> Result<(), RuntimeError> {
        let runtime = self.prepare()?;
        let admitted = self.admit_group(root, "".into(), true)?;
        let plain = root.is_plain();
        let mut registry = self.registry();
        if once.is_some_and(|started| started.load(Ordering::Relaxed)) {
            return Ok(());
        }
        if registry.admission != Admission::Open {
            return Err(RuntimeError::ShuttingDown);
        }
        if let Some(taken) = admitted.paths().into_iter().find(|path| registry.is_taken(path)) {
            return Err(RuntimeError::TaskAlreadyExists { name: taken.to_string() });
        }
        if let Some(started) = once {
            started.store(true, Ordering::Relaxed);
        }
        registry.settle(&runtime);
        self.bus.start(&runtime);
        let first = !self.readiness.batch.swap(true, Ordering::Relaxed);
        let mut registered = Registered::default();
        let root = if plain {
            self.register_plain(&mut registry, admitted, first, &mut registered);
            None
        } else {
            Some(self.register_group(&mut registry, admitted, None, &mut registered))
        };
        registered.cells.iter().for_each(announce);
        let mut missing = 0;
        if first && plain {
            missing = registered.cells.iter().filter(|cell| cell.is_unready()).count();
            self.readiness.missing.store(missing, Ordering::Relaxed);
        }
        drop(registry);
        self.readiness.changed.wake();
        if first && plain && missing == 0 {
            self.set_ready();
        }
        registered.spawn(&runtime);
        if let Some(root) = root {
            root.release();
        }
        Ok(())
    }

    /// Checks all that can be checked of a tree that has not started.
    pub(crate) fn check_tree(&self, root: &Group) -> Result<(), RuntimeError> {
        self.check()?;
        self.admit_group(root, "".into(), true).map(drop)
    }

    /// Registers the children of a group that is started again.
    pub(super) fn register_again(self: &Arc<Self>, group: &Arc<GroupCell>) -> Result<(), RuntimeError> {
        let runtime = self.runtime()?;
        let admitted = self.admit_group(group.spec(), Arc::clone(group.path()), group.place.is_none())?;
        let mut registry = self.registry();
        if !matches!(registry.admission, Admission::Open | Admission::Closing) {
            return Err(RuntimeError::ShuttingDown);
        }
        let mut registered = Registered::default();
        let before = self.register_children(&mut registry, group, admitted.children, &mut registered);
        registered.cells.iter().for_each(announce);
        drop(registry);
        drop(before);
        self.forget_within(group);
        registered.spawn(&runtime);
        Ok(())
    }

    /// Adds a task to a group that is up.
    pub(crate) fn add_to(self: &Arc<Self>, group: &Arc<GroupCell>, spec: TaskSpec) -> Result<Arc<Cell>, RuntimeError> {
        let runtime = self.prepare()?;
        check_no_siblings(&spec)?;
        let mut admitted = self.admit(spec)?;
        admitted.name = join(group.path(), &admitted.name);
        let mut registry = self.registry();
        if registry.admission != Admission::Open {
            return Err(RuntimeError::ShuttingDown);
        }
        if registry.is_taken(&admitted.name) {
            return Err(RuntimeError::TaskAlreadyExists { name: admitted.name.to_string() });
        }
        let closed = RuntimeError::GroupNotRunning { name: group.path().to_string() };
        let cell = group.adopt(closed, |index| {
            let member = cell::Member { group: Arc::clone(group), index, managed: group.manages(), awaited: false };
            let cell = self.cell(admitted, Origin::Added, Some(Arc::new(Tie::Group(member))));
            registry.insert(&cell);
            cell
        })?;
        announce(&cell);
        drop(registry);
        Actor::spawn(Arc::clone(&cell), &runtime);
        Ok(cell)
    }

    /// From now on the places of the declared tasks are kept.
    pub(crate) fn keep_places(&self) {
        self.registry().places.get_or_insert_default();
    }

    /// Lets go of them: they know their supervisor, which would never be freed.
    pub(crate) fn forget_places(&self) {
        let gone = self.registry().places.take();
        drop(gone);
    }

    /// The newest registration of a place, also when it has ended.
    pub(crate) fn place(&self, path: &str) -> Option<Arc<Cell>> {
        let registry = self.registry();
        let place = registry.places.as_ref().and_then(|places| places.tasks.get(path));
        place.or_else(|| registry.get(path)).cloned()
    }

    /// The newest registration of a group, also when it has ended; empty is the path of the root.
    pub(crate) fn group_place(&self, path: &str) -> Option<Arc<GroupCell>> {
        let registry = self.registry();
        let place = registry.places.as_ref().and_then(|places| places.groups.get(path));
        place.or_else(|| registry.groups.get(path)).cloned()
    }

    /// As `place`, but waits for the tree to start.
    pub(crate) async fn place_once_started(&self, path: &str) -> Option<Arc<Cell>> {
        let look = || {
            let started = self.readiness.batch.load(Ordering::Relaxed);
            let place = self.place(path);
            (place.is_some() || started || self.registry().admission == Admission::Closed).then_some(place)
        };
        self.readiness.changed.wait(look).await
    }

    /// The roots of what was declared: that of the tree, and those of batches with an order.
    pub(super) fn roots(&self) -> Vec<Arc<GroupCell>> {
        self.registry().roots.clone()
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
        let (vacant, over) = (registry.is_empty(), registry.is_over());
        let forgotten = self.note_group_end(group, &outcome);
        drop(registry);
        drop(forgotten);
        group.finish(outcome);
        drop(gone);
        if vacant {
            self.is_vacant(over);
        }
    }

    /// The root is to stop: in failure, or because what it was there for is done.
    pub(super) fn tree_stops(self: &Arc<Self>, failure: Option<FailureChain>) {
        let why = match &failure {
            Some(failure) => one_line(failure),
            None => "a significant task completed".into(),
        };
        self.verdict.fail(failure);
        self.shut_down(&why, self.config.drain);
    }

    fn admit_group<'a>(
        &self,
        spec: &'a Group,
        path: Arc<str>,
        is_root: bool,
    ) -> Result<AdmittedGroup<'a>, RuntimeError> {
        spec.check(is_root)?;
        let mut places = HashMap::new();
        let mut children = Vec::with_capacity(spec.children.len());
        for (place, child) in spec.children.iter().enumerate() {
            if places.insert(child.name(), place).is_some() {
                return Err(RuntimeError::TaskAlreadyExists { name: join(&path, child.name()).to_string() });
            }
            children.push(match child {
                ChildSpec::Task(spec) => {
                    let admitted = self.admit(spec.clone())?;
                    AdmittedChild::Task(Admitted { name: join(&path, &admitted.name), ..admitted })
                }
                ChildSpec::Group(group) => {
                    AdmittedChild::Group(self.admit_group(group, join(&path, &group.name), false)?)
                }
            });
        }
        Ok(AdmittedGroup { spec, path, children })
    }

    /// Registers tasks that nobody looks after together.
    fn register_plain(
        self: &Arc<Self>,
        registry: &mut Registry,
        root: AdmittedGroup<'_>,
        unready: bool,
        registered: &mut Registered,
    ) {
        for child in root.children {
            if let AdmittedChild::Task(task) = child {
                // One that waits for its time, or does not count, is not waited for.
                let counts = task.settings.readiness && task.settings.initial_delay.is_zero();
                let cell = self.cell(task, Origin::Declared { unready: unready && counts }, None);
                registered.before.extend(registry.insert_declared(&cell));
                registered.cells.push(cell);
            }
        }
    }

    fn register_group(
        self: &Arc<Self>,
        registry: &mut Registry,
        admitted: AdmittedGroup<'_>,
        place: Option<Place>,
        registered: &mut Registered,
    ) -> Arc<GroupCell> {
        let AdmittedGroup { spec, path, children } = admitted;
        let group = GroupCell::new(Arc::clone(&path), spec.clone(), Arc::clone(self), place);
        if group.place.is_none() {
            registry.roots.push(Arc::clone(&group));
        } else {
            registry.groups.insert(Arc::clone(&path), Arc::clone(&group));
        }
        if let Some(places) = &mut registry.places {
            registered.groups_before.extend(places.groups.insert(path, Arc::clone(&group)));
        }
        let _none = self.register_children(registry, &group, children, registered);
        registered.groups.push(Arc::clone(&group));
        group
    }

    #[must_use = "it holds tasks of the user's, and is dropped with no lock held"]
    fn register_children(
        self: &Arc<Self>,
        registry: &mut Registry,
        group: &Arc<GroupCell>,
        children: Vec<AdmittedChild<'_>>,
        registered: &mut Registered,
    ) -> Vec<Member> {
        let managed = group.manages();
        let mut awaited = vec![false; children.len()];
        group.spec().edges().into_iter().flatten().for_each(|earlier| awaited[earlier] = true);
        let mut members = Vec::with_capacity(children.len());
        for (index, child) in children.into_iter().enumerate() {
            members.push(match child {
                AdmittedChild::Task(task) => {
                    let awaited = awaited[index];
                    let member = cell::Member { group: Arc::clone(group), index, managed, awaited };
                    let tie = Arc::new(Tie::Group(member));
                    let cell = self.cell(task, Origin::Declared { unready: false }, Some(tie));
                    registered.before.extend(registry.insert_declared(&cell));
                    registered.cells.push(Arc::clone(&cell));
                    Member::Task(cell)
                }
                AdmittedChild::Group(child) => {
                    let place = Place { parent: Arc::clone(group), index, managed };
                    Member::Group(self.register_group(registry, child, Some(place), registered))
                }
            });
        }
        group.set_members(members)
    }
}

impl AdmittedGroup<'_> {
    /// The paths of all that is in it.
    fn paths(&self) -> Vec<Arc<str>> {
        let mut paths = Vec::new();
        for child in &self.children {
            match child {
                AdmittedChild::Task(task) => paths.push(Arc::clone(&task.name)),
                AdmittedChild::Group(group) => {
                    paths.push(Arc::clone(&group.path));
                    paths.extend(group.paths());
                }
            }
        }
        paths
    }
}

impl Registered {
    fn spawn(self, runtime: &Handle) {
        for cell in self.cells {
            Actor::spawn(cell, runtime);
        }
        for group in self.groups {
            let name = Arc::clone(group.shown_path());
            let driving: Background = Box::pin(drive(group));
            observe::spawn(runtime, driving, |_| name);
        }
    }
}

impl GroupCell {
    /// Whether failures of the children are decided on here.
    fn manages(&self) -> bool {
        self.spec().strategy != Strategy::OneForOne || self.spec().limit.is_some()
    }
}

/// A task that is added at runtime has no siblings to be after, and no declared group to be needed by.
pub(super) fn check_no_siblings(spec: &TaskSpec) -> Result<(), InvalidOption> {
    let Some(after) = spec.after().first() else { return Ok(()) };
    Err(InvalidOption {
        subject: format!("task `{}`", spec.name()),
        option: "after",
        value: format!("`{after}`"),
        expected: "no siblings: a task that is added at runtime starts at once",
    })
}

fn join(path: &str, name: &str) -> Arc<str> {
    if path.is_empty() { name.into() } else { format!("{path}/{name}").into() }
}
