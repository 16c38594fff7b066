//! Builds the health and the snapshot of a tree from its cells.

use std::mem;
use std::sync::Arc;
use std::time::SystemTime;

use super::core::{Core, sort_by_id};
use super::failures::{Failure, is_within};
use super::group::Member;
use super::registry::Admission;
use super::task::Cell;
use crate::inspect::{
    Health, NodeKind, NodeSnapshot, Phase, Problem, TaskState, TreeSnapshot, Unhealthy, into_line, now,
};
use crate::panics::{drop_caught, drop_each};
use crate::policy::Ready;
use crate::tree::{Declared, join, last_segment};

impl Core {
    /// Builds a snapshot of the declared tree, with the tasks that were added beside it.
    pub(crate) fn snapshot(&self, root: &Arc<Declared>) -> TreeSnapshot {
        let mut node = self.declared_node(root, "");
        let cells = self.cells();
        // The last reference to a cell can hold a user error, and is not dropped under the lock.
        let (beside, shown): (Vec<_>, Vec<_>) = {
            let registry = self.registry();
            let places = registry.places.as_deref();
            let is_declared = |cell: &Cell| places.is_some_and(|places| places.tasks.contains_key(cell.name()));
            cells.into_iter().partition(|cell| cell.member().is_none() && !is_declared(cell))
        };
        node.children.extend(beside.iter().map(|cell| self.task_node(cell, cell.name(), Vec::new())));
        drop_each(beside.into_iter().chain(shown));
        TreeSnapshot { root: node }
    }

    /// Builds a snapshot of the declared group at the path. `None` if the tree declares none there, or is dropped.
    pub(crate) fn group_snapshot(&self, path: &str) -> Option<TreeSnapshot> {
        let mut group = self.declared_root()?;
        if path.is_empty() {
            return Some(self.snapshot(&group));
        }
        for name in path.split('/') {
            let inner = group.children.get(group.place(name)?)?.group.clone()?;
            group = inner;
        }
        Some(TreeSnapshot { root: self.declared_node(&group, path) })
    }

    /// Builds the declared part, group by group, without recursion. `path` is that of the group.
    fn declared_node<'a>(&self, root: &'a Arc<Declared>, path: &str) -> NodeSnapshot {
        let enter = |group: &'a Arc<Declared>, path: &str| (group_node(group, path), group, group.children.iter());
        let (mut open, mut current) = (Vec::new(), enter(root, path));
        loop {
            let (node, group, rest) = &mut current;
            let Some(child) = rest.next() else {
                self.fill_group(node, group);
                let Some(parent) = open.pop() else { return current.0 };
                let (node, ..) = mem::replace(&mut current, parent);
                current.0.children.push(node);
                continue;
            };
            let path = join(&node.path, &child.name);
            if let Some(group) = &child.group {
                open.push(mem::replace(&mut current, enter(group, &path)));
                continue;
            }
            let after = child.after.iter().map(ToString::to_string).collect();
            let child = match self.place(&path) {
                Some(cell) => {
                    let task = self.task_node(&cell, &child.name, after);
                    let _ = drop_caught(cell);
                    task
                }
                None => NodeSnapshot::pending(&child.name, &path, NodeKind::Task, after),
            };
            node.children.push(child);
        }
    }

    /// Builds the node of a group that is or was registered, and of the tasks that were added to it.
    fn fill_group(&self, node: &mut NodeSnapshot, declared: &Declared) {
        node.paused = self.registry().is_group_paused(&node.path);
        let Some(group) = self.group_place(&node.path) else {
            if node.path.is_empty() {
                node.state = self.plain_state();
            } else if self.readiness_is_claimed() {
                node.state = TaskState::Ended;
            }
            return;
        };
        (node.state, node.restarts) = (group.state(), group.restarts());
        node.last_error = group.failed_with();
        let children = group.children();
        if declared.is_fresh {
            for child in &children.children {
                let after = child.after.iter().map(ToString::to_string).collect();
                if let Some(cell) = self.place(&join(&node.path, &child.name)) {
                    node.children.push(self.task_node(&cell, &child.name, after));
                    let _ = drop_caught(cell);
                }
            }
        }
        let first_added = declared.first_added();
        for (key, member) in group.members() {
            if let (true, Member::Task(cell)) = (key >= first_added, &member) {
                let name = last_segment(cell.name());
                // A task at the place of a declared child is shown there.
                if cell.status().state != TaskState::Ended && children.place(name).is_none() {
                    node.children.push(self.task_node(cell, name, Vec::new()));
                }
            }
            let _ = drop_caught(member);
        }
    }

    /// Returns the state of a root without a driver.
    pub(crate) fn plain_state(&self) -> TaskState {
        let registry = self.registry();
        match registry.admission {
            Admission::Open if !self.readiness_is_claimed() => TaskState::Pending,
            Admission::Open if registry.is_empty() => TaskState::Ended,
            Admission::Open => TaskState::Running,
            Admission::Closing | Admission::Stopping => TaskState::Stopping,
            Admission::Closed => TaskState::Ended,
        }
    }

    fn task_node(&self, cell: &Cell, name: &str, after: Vec<String>) -> NodeSnapshot {
        let (status, since) = (cell.status(), cell.since());
        NodeSnapshot {
            state: status.state,
            paused: status.paused,
            attempt: status.attempt,
            restarts: status.restarts,
            last_error: status.last_error.map(into_line),
            since: Some(self.clock.time(since)),
            next_run: status.next_run,
            ..NodeSnapshot::pending(name, cell.name(), NodeKind::Task, after)
        }
    }

    /// Returns the paths of the groups that make their children, in order.
    pub(super) fn making(&self) -> Vec<Arc<str>> {
        let groups: Vec<_> = self.registry().groups.values().cloned().collect();
        let making = groups.iter().filter(|group| group.is_making()).map(|group| Arc::clone(group.path()));
        let mut making: Vec<_> = making.collect();
        drop_each(groups);
        making.sort_unstable();
        making
    }

    /// Returns the unhealthy tasks and groups, of the whole tree or of one group.
    pub(crate) fn health(&self, within: &str) -> Health {
        let mut health = Health::default();
        let registry = self.registry();
        let (admission, mut cells) = (registry.admission, registry.cells());
        let is_over = admission == Admission::Closed;
        let is_listed = |path: &str| !is_over && is_within(path, within) && registry.check_free(path).is_ok();
        let (failures, more) = self.failures.list(is_listed);
        let mut groups: Vec<_> = registry.groups.values().cloned().collect();
        drop(registry);
        let overdue = self.limits.overdue(groups.iter());
        groups.retain(|group| is_within(group.path(), within));
        groups.sort_unstable_by(|a, b| a.path().cmp(b.path()));
        cells.retain(|cell| is_within(cell.name(), within));
        sort_by_id(&mut cells);
        let waiting: Vec<_> = groups.iter().filter_map(|group| Some((group, group.waits_for_run()?))).collect();
        health.tasks = cells.len() + failures.len() + waiting.len();
        health.more = if within.is_empty() { more } else { 0 };
        for (path, Failure { error, since, counts, .. }) in failures {
            let (path, since) = (path.to_string(), self.clock.time(since));
            let error = Some(into_line(error.into_inner()));
            health.add(counts, Unhealthy { path, problem: Problem::Failed, since, awaits: Vec::new(), error });
        }
        for (group, (problem, since)) in waiting {
            let (path, error) = (group.path().to_string(), group.failed_with());
            let since = self.clock.time(since);
            let is_pending = problem == Problem::NotReady(TaskState::Pending);
            let awaits = if is_pending { group.awaits() } else { Vec::new() };
            health.add(group.counts_for_readiness(), Unhealthy { path, problem, since, awaits, error });
        }
        drop_each(groups);
        let awaited = |cell: &Cell| {
            let (limit, name) = overdue.get(&cell.id())?;
            Some(Problem::AwaitsPermit { limit: *limit, name: Arc::clone(name) })
        };
        for cell in cells {
            let since = || self.clock.time(cell.since());
            let unhealthy = |problem| {
                let (path, awaits) = (cell.name().to_string(), Vec::new());
                Unhealthy { path, problem, since: since(), awaits, error: None }
            };
            if let Some(problem) = cell.overdue() {
                health.not_live.push(unhealthy(problem));
            }
            if let Some(problem) = awaited(&cell) {
                health.add(cell.counts_for_readiness(), unhealthy(problem));
            } else if !cell.is_well() {
                let state = cell.status().state;
                let awaits = if state == TaskState::Pending { cell.awaits() } else { Vec::new() };
                health.add(cell.counts_for_readiness(), Unhealthy { awaits, ..unhealthy(Problem::NotReady(state)) });
            } else if let Some(problem @ Problem::Quiet { silence, .. }) = cell.quiet() {
                let since = now().checked_sub(silence).unwrap_or(SystemTime::UNIX_EPOCH);
                health.add(cell.counts_for_readiness(), Unhealthy { since, ..unhealthy(problem) });
            }
        }
        health.phase = match admission {
            Admission::Open if !self.readiness_is_claimed() => Phase::NotStarted,
            Admission::Open => Phase::Open,
            Admission::Closing | Admission::Stopping => Phase::ShuttingDown,
            Admission::Closed => Phase::Stopped,
        };
        health.failure = self.stop.failure().map(str::to_owned);
        health
    }
}

/// Builds the node of a group that was never registered.
fn group_node(group: &Declared, path: &str) -> NodeSnapshot {
    let after = group.after.iter().map(ToString::to_string).collect();
    let node = NodeSnapshot::pending(&group.name, path, NodeKind::Group(group.strategy), after);
    NodeSnapshot { fresh: group.is_fresh, ..node }
}

impl Cell {
    /// Returns `true` if the current attempt is ready, or the task waits for its next start.
    fn is_well(&self) -> bool {
        let state = self.lock();
        match state.machine().state() {
            // In its backoff, only a task that was ready by its first success is.
            TaskState::Running | TaskState::Pending | TaskState::Backoff => state.machine().ready,
            // What its attempts have made it, the pause does not change. Any other task would run.
            TaskState::Paused => state.machine().ready && self.policy().ready == Ready::FirstSuccess,
            TaskState::Ended => true,
            #[cfg(feature = "fleet")]
            TaskState::Standby => self.seat().is_none_or(|seat| seat.stands_by_ready()),
            _ => state.machine().waits_for_its_time(),
        }
    }
}
