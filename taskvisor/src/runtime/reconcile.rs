//! Makes the added tasks of a group or supervisor equal to a list of specs.
//!
//! All specs are checked and all decisions are made under one lock of the registry. A changed task gets an heir: the
//! registration that replaces it. The heir is registered under the same lock that removes its predecessor, so the name
//! is never free.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::by_id::sort_by_id;
use super::core::{Admitted, Core, announce, is_alive};
use super::group::GroupRef;
use super::heirs::{Heir, Registered};
use super::registration::{added, check_no_siblings, check_not_after};
use super::registry::{Admission, Registry};
use super::task::{Actor, Cell, Origin};
use crate::supervisor::{InvalidOption, RuntimeError};
use crate::task::{StopKind, TaskSpec};
use crate::tree::{join, last_segment};

/// The extent of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The specs are all tasks that remain. Unchanged ones are kept.
    All,
    /// One task is replaced, changed or not.
    One,
}

/// The result of a call: the tasks by the change that was made.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) kept: Vec<Arc<Cell>>,
    pub(crate) added: Vec<Arc<Cell>>,
    pub(crate) replaced: Vec<Arc<Cell>>,
    pub(crate) removed: Vec<Arc<Cell>>,
}

/// A wait for a task that was requested to stop.
struct Leaving {
    cell: Arc<Cell>,
    /// The heir of the task, and `true` if the heir is from an earlier call and is kept.
    heir: Option<(Registered, bool)>,
    why: Option<StopKind>,
}

/// The decision about a spec.
enum Decision {
    Keep(Arc<Cell>),
    Add(Admitted),
    /// Waits for the heir of this task, which has an equal spec.
    KeepHeir(Arc<Cell>),
    Replace(Arc<Cell>, Admitted),
}

/// The checked specs of a list, by path.
type Wanted = HashMap<Arc<str>, Admitted>;

impl Core {
    /// Makes the added tasks of the group, or those beside the tree, equal to the specs, and waits until tasks that
    /// have to stop have ended. Nothing is changed if a spec is refused. The first poll requests everything.
    pub(crate) async fn reconcile(
        self: &Arc<Self>,
        group: Option<GroupRef>,
        specs: Vec<TaskSpec>,
        extent: Extent,
    ) -> Result<Changes, RuntimeError> {
        let runtime = self.prepare()?;
        // A future that is polled as its runtime ends can call this.
        if !is_alive(&runtime) {
            return Err(RuntimeError::NoRuntime);
        }
        let (mut outcome, mut leaving) = self.request_changes(&runtime, group.as_ref(), specs, extent)?;
        let began = Instant::now();
        for Leaving { cell, why, .. } in &mut leaving {
            if let Some(why) = why {
                *cell = self.request_to_leave(cell, *why);
            }
        }
        let mut stuck = None;
        for Leaving { cell, heir, why } in leaving {
            match cell.left_within(cell.stop_bound(), began, why.unwrap_or(StopKind::Replaced)).await {
                // This is the calling task, or a task that waits for it: there is no wait.
                None => continue,
                Some(Err(error)) => {
                    stuck.get_or_insert(error);
                    continue;
                }
                Some(Ok(())) => {}
            }
            // Read under the lock, because an heir is announced after the end of its predecessor.
            let heir = heir.map(|(registered, is_kept)| {
                let _announced = self.registry();
                (registered.get().cloned().flatten(), is_kept)
            });
            match heir {
                Some((Some(heir), true)) => outcome.kept.push(heir),
                Some((Some(heir), false)) => outcome.replaced.push(heir),
                Some((None, _)) | None => outcome.removed.push(cell),
            }
        }
        stuck.map_or(Ok(outcome), Err)
    }

    /// Checks the specs of a list, and resolves their policies. Returns them by path, and the paths in their order.
    fn admit_list(
        &self,
        group: Option<&GroupRef>,
        specs: Vec<TaskSpec>,
    ) -> Result<(Wanted, Vec<Arc<str>>), RuntimeError> {
        let mut wanted = HashMap::with_capacity(specs.len());
        let mut order = Vec::with_capacity(specs.len());
        for spec in specs {
            if group.is_some() { check_not_after(&spec) } else { check_no_siblings(&spec) }?;
            let mut admitted = self.admit(spec)?;
            if let Some(group) = group {
                #[cfg(feature = "fleet")]
                super::fleet::check_added(group, &admitted)?;
                admitted.name = join(group.path(), &admitted.name);
            }
            let name = Arc::clone(&admitted.name);
            if wanted.insert(Arc::clone(&name), admitted).is_some() {
                let subject = format!("task `{name}`");
                let expected = "a name of its own for each task";
                return Err(InvalidOption::new(subject, "name", "given twice in the list", expected).into());
            }
            order.push(name);
        }
        Ok((wanted, order))
    }

    fn request_changes(
        self: &Arc<Self>,
        runtime: &Handle,
        group: Option<&GroupRef>,
        specs: Vec<TaskSpec>,
        extent: Extent,
    ) -> Result<(Changes, Vec<Leaving>), RuntimeError> {
        let (mut wanted, order) = self.admit_list(group, specs)?;
        let mut home = None;
        // Dropped after the lock is released, as the specs are that change nothing.
        let (mut decisions, mut spare) = (Vec::with_capacity(order.len()), Vec::<Heir>::new());
        let mut withdrawn: Vec<Arc<Cell>> = Vec::new();
        let (mut outcome, mut leaving) = (Changes::default(), Vec::new());
        let mut fresh: Vec<Arc<Cell>> = Vec::new();
        let mut registry = self.registry();
        if registry.admission != Admission::Open {
            return Err(RuntimeError::ShuttingDown);
        }
        Self::decide_changes(&registry, group, &order, extent, &mut wanted, &mut decisions)?;
        let gone = match extent {
            Extent::All => gone(&registry, group, &order),
            Extent::One => Vec::new(),
        };
        registry.settle(runtime, |before| home = Some(before));
        self.bus.start(runtime);
        for decision in decisions {
            match decision {
                Decision::Keep(cell) => outcome.kept.push(cell),
                Decision::KeepHeir(cell) => {
                    let heir = registry.heirs.get(&cell.id()).map(|heir| (Arc::clone(&heir.registered), true));
                    leaving.push(Leaving { cell, heir, why: None });
                }
                Decision::Add(admitted) => {
                    withdrawn.extend(group.and_then(|group| group.withdraw(&admitted.name)));
                    let cell = match &group {
                        None => self.cell(admitted, Origin::Added, None),
                        Some(group) => match group.adopt(last_segment(&Arc::clone(&admitted.name))) {
                            Ok(adoption) => {
                                let cell = self.cell(admitted, Origin::Added, Some(added(group, &adoption)));
                                adoption.enter(&cell, runtime);
                                cell
                            }
                            // The group was stopped for good in the meantime, with all tasks in it.
                            Err(refused) => {
                                drop(registry);
                                for cell in &fresh {
                                    Actor::spawn(Arc::clone(cell), runtime);
                                }
                                return Err(refused);
                            }
                        },
                    };
                    registry.insert(&cell);
                    announce(&cell);
                    if cell.policy().paused {
                        registry.pause_added(&cell);
                    }
                    fresh.push(cell);
                }
                Decision::Replace(cell, admitted) => {
                    let (id, group) = (cell.id(), group.cloned());
                    let before = registry.heirs.remove(&id);
                    let registered = before.as_ref().map(|heir| Arc::clone(&heir.registered)).unwrap_or_default();
                    spare.extend(before);
                    leaving.push(Leaving {
                        cell,
                        heir: Some((Arc::clone(&registered), false)),
                        why: Some(StopKind::Replaced),
                    });
                    registry.heirs.insert(id, Heir::new(admitted, group, runtime, registered));
                }
            }
        }
        if let (Some(group), Extent::All) = (group, extent) {
            let wanted: HashSet<&Arc<str>> = order.iter().collect();
            for name in group.returning_names() {
                if !wanted.contains(&name) {
                    let cell = group.withdraw(&name);
                    outcome.removed.extend(cell.clone());
                    withdrawn.extend(cell);
                }
            }
        }
        for cell in gone {
            if let Some(heir) = registry.heirs.remove(&cell.id()) {
                let _ = heir.registered.set(None);
                spare.push(heir);
            }
            leaving.push(Leaving { cell, heir: None, why: Some(StopKind::Removed) });
        }
        let places: Vec<_> = fresh.iter().filter_map(|cell| registry.take_place(cell)).collect();
        drop(registry);
        drop((spare, places));
        if fresh.iter().any(|cell| cell.policy().paused) {
            self.count_pauses();
        }
        for cell in &withdrawn {
            self.give_up(cell);
            cell.drop_kept_task();
        }
        for cell in &fresh {
            Actor::spawn(Arc::clone(cell), runtime);
        }
        if fresh.iter().any(|cell| cell.was_refused()) {
            self.disinherit(leaving.iter().map(|leaving| (&*leaving.cell, leaving.heir.as_ref())));
            return Err(RuntimeError::NoRuntime);
        }
        outcome.added = fresh;
        Ok((outcome, leaving))
    }

    /// Decides about each spec. Changes nothing, and drops no task: specs that are not needed stay in the list.
    fn decide_changes(
        registry: &Registry,
        group: Option<&GroupRef>,
        order: &[Arc<str>],
        extent: Extent,
        wanted: &mut Wanted,
        decisions: &mut Vec<Decision>,
    ) -> Result<(), RuntimeError> {
        for name in order {
            let Some(revision) = wanted.get(name).map(|admitted| admitted.policy.revision) else { continue };
            let own = registry.names.get(name).filter(|cell| is_own(cell, group));
            let kept = if let Some(cell) = own {
                match registry.heirs.get(&cell.id()) {
                    Some(heir) if extent == Extent::All && heir.admitted.policy.revision == revision => {
                        Some(Decision::KeepHeir(Arc::clone(cell)))
                    }
                    None if extent == Extent::All && cell.policy().revision == revision && !cell.leaves() => {
                        Some(Decision::Keep(Arc::clone(cell)))
                    }
                    _ => None,
                }
            } else {
                registry.check_free(name)?;
                let returning = group.and_then(|group| group.returning(name));
                if let (None, Some(group)) = (&returning, group) {
                    group.check_takes(last_segment(name))?;
                }
                // A task is added in place of a returning one that has changed.
                let is_kept = |cell: &Arc<Cell>| extent == Extent::All && cell.policy().revision == revision;
                returning.filter(is_kept).map(Decision::Keep)
            };
            decisions.extend(kept.or_else(|| {
                let admitted = wanted.remove(name)?;
                Some(match own {
                    None => Decision::Add(admitted),
                    Some(cell) => Decision::Replace(Arc::clone(cell), admitted),
                })
            }));
        }
        // A replacement needs a running group, as an addition does.
        if let (Some(group), false) = (group, decisions.is_empty()) {
            group.check_runs()?;
        }
        Ok(())
    }
}

/// Returns `true` if the task was added to this group, or beside the tree.
fn is_own(cell: &Cell, group: Option<&GroupRef>) -> bool {
    match (group, cell.member()) {
        (Some(group), Some(member)) => cell.was_added() && group.ptr_eq(&member.group),
        (None, None) => cell.is_beside_tree() && cell.slot().is_none(),
        _ => false,
    }
}

/// Returns the added tasks that no spec names, in the order of their registration.
fn gone(registry: &Registry, group: Option<&GroupRef>, order: &[Arc<str>]) -> Vec<Arc<Cell>> {
    let wanted: HashSet<&Arc<str>> = order.iter().collect();
    let cells = registry.names.iter().filter(|cell| is_own(cell, group) && !wanted.contains(cell.name()));
    let mut gone: Vec<_> = cells.cloned().collect();
    sort_by_id(&mut gone);
    gone
}

impl Cell {
    /// Waits until the task has ended, within this time since `began`, and aborts it after that. Returns `None` at once
    /// if the task itself, or a task that it waits for, makes the call.
    async fn left_within(
        self: &Arc<Self>,
        within: Duration,
        began: Instant,
        why: StopKind,
    ) -> Option<Result<(), RuntimeError>> {
        let _wait = self.core().enter_wait(|| super::group::Member::Task(Arc::clone(self)))?;
        let left = within.saturating_sub(began.elapsed());
        let is_gone = self.ended_or_aborted_within(left, why).await;
        let timed_out = || RuntimeError::TaskRemoveTimeout { name: self.name().to_string(), timeout: within };
        Some(if is_gone { Ok(()) } else { Err(timed_out()) })
    }
}
