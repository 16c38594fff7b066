//! Looking at a tree: its health, and the tree as data.

use std::sync::Arc;

use super::cell::Cell;
use super::core::Core;
use super::failures::{Failure, is_within};
use super::group::{GroupCell, Member};
use super::registry::Admission;
use crate::causes::into_line;
use crate::group::{ChildSpec, Group};
use crate::health::{Health, Phase, Problem, Unwell};
use crate::snapshot::{NodeKind, NodeSnapshot, TreeSnapshot};
use crate::status::TaskState;

impl Core {
    /// The declared tree as it is now, with what was added beside it.
    pub(crate) fn snapshot(&self, root: &Group) -> TreeSnapshot {
        let mut node = self.group_node(root, "");
        let added = self.cells().into_iter().filter(|cell| !self.is_declared(cell));
        node.children.extend(added.map(|cell| self.task_node(&cell, cell.name(), Vec::new())));
        TreeSnapshot { root: node }
    }

    fn is_declared(&self, cell: &Arc<Cell>) -> bool {
        let registry = self.registry();
        let declared = registry.places.as_ref().is_some_and(|places| places.tasks.contains_key(cell.name()));
        cell.member().is_some() || declared
    }

    fn group_node(&self, spec: &Group, path: &str) -> NodeSnapshot {
        let group = self.group_place(path);
        let children = spec.children.iter().map(|child| {
            let path = if path.is_empty() { child.name().to_owned() } else { format!("{path}/{}", child.name()) };
            match child {
                ChildSpec::Group(group) => self.group_node(group, &path),
                ChildSpec::Task(task) => {
                    let after = task.after().iter().map(ToString::to_string).collect();
                    match self.place(&path) {
                        Some(cell) => self.task_node(&cell, task.name(), after),
                        None => NodeSnapshot::pending(task.name(), &path, NodeKind::Task, after),
                    }
                }
            }
        });
        let mut node = NodeSnapshot::pending(
            &spec.name,
            path,
            NodeKind::Group(spec.strategy),
            spec.after.iter().map(ToString::to_string).collect(),
        );
        node.children = children.collect();
        if let Some(group) = group {
            self.fill_group(&mut node, spec, &group);
        } else if path.is_empty() {
            node.state = self.plain_state();
        } else if self.readiness_is_claimed() {
            node.state = TaskState::Ended;
        }
        node
    }

    fn fill_group(&self, node: &mut NodeSnapshot, spec: &Group, group: &GroupCell) {
        (node.state, node.restarts) = (group.state(), group.restarts());
        node.last_error = group.failed_with();
        let added = group.members().into_iter().skip(spec.children.len());
        node.children.extend(added.filter_map(|member| match member {
            Member::Task(cell) if cell.status().state != TaskState::Ended => {
                let name = cell.name().rsplit('/').next().unwrap_or_default().to_owned();
                Some(self.task_node(&cell, &name, Vec::new()))
            }
            _ => None,
        }));
    }

    /// What a root does that nobody looks after.
    fn plain_state(&self) -> TaskState {
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
            name: name.to_owned(),
            path: cell.name().to_string(),
            kind: NodeKind::Task,
            state: status.state,
            attempt: status.attempt,
            restarts: status.restarts,
            last_error: status.last_error.map(into_line),
            since: Some(self.clock.time(since)),
            after,
            children: Vec::new(),
        }
    }

    /// Who is not well, of all or of what is in a group.
    pub(crate) fn health(&self, within: &str) -> Health {
        let mut health = Health::default();
        let registry = self.registry();
        let (admission, mut cells) = (registry.admission, registry.cells());
        let is_over = admission == Admission::Closed;
        let is_listed = |path: &str| !is_over && is_within(path, within) && !registry.is_taken(path);
        let (failures, more) = self.failures.list(is_listed);
        drop(registry);
        cells.retain(|cell| is_within(cell.name(), within));
        health.tasks = cells.len() + failures.len();
        health.more = if within.is_empty() { more } else { 0 };
        for (path, Failure { error, since, counts, .. }) in failures {
            let (path, since) = (path.to_string(), self.clock.time(since));
            health.add(counts, Unwell { path, problem: Problem::Failed, since, error: Some(into_line(error)) });
        }
        for cell in cells {
            let since = || self.clock.time(cell.since());
            let unwell = |problem| Unwell { path: cell.name().to_string(), problem, since: since(), error: None };
            if let Some(problem) = cell.overdue() {
                health.not_live.push(unwell(problem));
            }
            if !cell.is_well() {
                health.add(cell.counts_for_readiness(), unwell(Problem::NotReady(cell.status().state)));
            }
        }
        health.phase = match admission {
            Admission::Open if !self.readiness_is_claimed() => Phase::NotStarted,
            Admission::Open => Phase::Open,
            Admission::Closing | Admission::Stopping => Phase::ShuttingDown,
            Admission::Closed => Phase::Stopped,
        };
        health
    }
}

impl Cell {
    /// Whether the present attempt is ready, or the task waits for its time.
    fn is_well(&self) -> bool {
        let state = self.lock();
        match state.phase() {
            TaskState::Running | TaskState::Pending => state.is_ready(),
            TaskState::Ended => true,
            _ => state.waits_for_its_time(),
        }
    }
}
