//! Looking at a tree: its health, and the tree as data.

use std::sync::Arc;

use super::cell::Cell;
use super::core::Core;
use super::group::{Key, Member};
use super::registry::Admission;
use crate::declaration::Declared;
use crate::error::TaskError;
use crate::health::{Health, Phase, Problem, Unwell};
use crate::panics::{catch, drop_caught};
use crate::snapshot::{NodeKind, NodeSnapshot, TreeSnapshot};
use crate::status::TaskState;

impl Core {
    /// The declared tree as it is now, with what was added beside it.
    pub(crate) fn snapshot(&self, root: &Arc<Declared>) -> TreeSnapshot {
        let mut node = self.declared_node(root);
        let mut cells = self.cells();
        {
            let registry = self.registry();
            let places = registry.places.as_deref();
            let is_declared = |cell: &Cell| places.is_some_and(|places| places.tasks.contains_key(cell.name()));
            cells.retain(|cell| cell.member().is_none() && !is_declared(cell));
        }
        node.children.extend(cells.iter().map(|cell| self.task_node(cell, cell.name(), Vec::new())));
        cells.into_iter().for_each(|cell| drop(drop_caught(cell)));
        TreeSnapshot { root: node }
    }

    /// What was declared, group by group, without recursion.
    fn declared_node(&self, root: &Arc<Declared>) -> NodeSnapshot {
        let mut open: Vec<(NodeSnapshot, &Arc<Declared>, usize)> = Vec::new();
        let mut next = Some((root, self.group_node(root, "")));
        loop {
            if let Some((group, node)) = next.take() {
                open.push((node, group, 0));
            }
            let Some((node, group, place)) = open.last_mut() else { return self.group_node(root, "") };
            let Some(child) = group.children.get(*place) else {
                let Some((mut node, group, _)) = open.pop() else { continue };
                self.fill_group(&mut node, group);
                match open.last_mut() {
                    Some((parent, ..)) => parent.children.push(node),
                    None => return node,
                }
                continue;
            };
            *place += 1;
            let path =
                if node.path.is_empty() { child.name.to_string() } else { format!("{}/{}", node.path, child.name) };
            match &child.group {
                Some(group) => next = Some((group, self.group_node(group, &path))),
                None => {
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
        }
    }

    fn group_node(&self, group: &Declared, path: &str) -> NodeSnapshot {
        let after = group.after.iter().map(ToString::to_string).collect();
        NodeSnapshot::pending(&group.name, path, NodeKind::Group(group.strategy), after)
    }

    /// What is known of a group that is registered, or was, and what was added to it.
    fn fill_group(&self, node: &mut NodeSnapshot, declared: &Declared) {
        let Some(group) = self.group_place(&node.path) else {
            if node.path.is_empty() {
                node.state = self.plain_state();
            } else if self.readiness_is_claimed() {
                node.state = TaskState::Ended;
            }
            return;
        };
        (node.state, node.restarts) = (group.state(), group.restarts());
        node.last_error = group.failed_with().map(|text| text.to_string());
        let first_added = declared.children.len() as Key;
        for (key, member) in group.members() {
            if let (true, Member::Task(cell)) = (key >= first_added, &member) {
                let name = cell.name().rsplit('/').next().unwrap_or_default();
                // One that has the place of a declared child is shown there.
                if cell.status().state != TaskState::Ended && declared.place(name).is_none() {
                    node.children.push(self.task_node(cell, name, Vec::new()));
                }
            }
            let _ = drop_caught(member);
        }
    }

    /// What a root does that has no driver.
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
            name: name.to_owned(),
            path: cell.name().to_string(),
            kind: NodeKind::Task,
            state: status.state,
            attempt: status.attempt,
            restarts: status.restarts,
            last_error: status.last_error.map(text_of),
            since: Some(self.clock.time(since)),
            after,
            children: Vec::new(),
        }
    }

    /// Who is not well.
    pub(crate) fn health(&self, within: &str) -> Health {
        let mut health = Health::default();
        let (admission, started) = (self.registry().admission, self.readiness_is_claimed());
        let mut cells = self.cells();
        cells.retain(|cell| within.is_empty() || cell.name().starts_with(within));
        health.tasks = cells.len();
        let permits = self.permits.as_ref().map(|permits| (permits.limit(), permits.overdue()));
        let awaited = |cell: &Cell| match &permits {
            Some((limit, overdue)) if overdue.contains(&cell.id()) => Some(Problem::AwaitsPermit { limit: *limit }),
            _ => None,
        };
        for cell in cells {
            let unwell =
                |problem| Unwell { path: cell.name().to_string(), problem, since: self.clock.time(cell.since()) };
            if let Some(problem) = cell.overdue() {
                health.not_live.push(unwell(problem));
            }
            if let Some(problem) = awaited(&cell) {
                health.not_ready.push(unwell(problem));
            } else if !cell.is_well() {
                health.not_ready.push(unwell(Problem::NotReady(cell.status().state)));
            }
        }
        health.phase = match admission {
            Admission::Open if !started => Phase::NotStarted,
            Admission::Open => Phase::Open,
            Admission::Closing | Admission::Stopping => Phase::ShuttingDown,
            Admission::Closed => Phase::Stopped,
        };
        health
    }
}

/// An error of the user's in words: its text and its drop are the user's.
fn text_of(error: Arc<TaskError>) -> String {
    let text = catch(|| error.to_string()).unwrap_or_else(|panic| panic.to_string());
    let _ = drop_caught(error);
    text
}

impl Cell {
    /// Whether the present attempt is ready, or the task does nothing but wait after one that was.
    fn is_well(&self) -> bool {
        let state = self.lock();
        match state.machine().state() {
            TaskState::Running | TaskState::Interval | TaskState::Pending => state.machine().is_ready(),
            TaskState::Ended => true,
            _ => false,
        }
    }
}
