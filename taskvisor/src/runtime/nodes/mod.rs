//! Builds snapshots of the tree and of single nodes from its cells.

mod walk;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::core::Core;
use super::group::{GroupCell, GroupRef, SeenGroup};
use super::permits::Awaited;
use super::registry::Admission;
use super::task::{Cell, Seen, Stage, shown};
use crate::inspect::{
    NodeKind, NodeSnapshot, Problem, TaskId, TaskState, TreeSnapshot, WaitingFor, into_line, one_line,
};
use crate::panics::{drop_caught, drop_each};
use crate::tree::{Declared, DeclaredChild, Group, last_segment};

/// The state that a snapshot reads once for all its nodes.
pub(super) struct View {
    /// The permits that tasks wait for. `None` if they are looked up for each task.
    permits: Option<HashMap<TaskId, Awaited>>,
}

impl Core {
    /// Builds a snapshot of the declared tree, including the tasks that were added beside it.
    pub(crate) fn snapshot(&self, root: &Arc<Declared>) -> TreeSnapshot {
        let view = self.view();
        let mut node = self.declared_node(root, "", &view);
        let cells = self.cells();
        // A cell can hold a user error, so its last reference must not be dropped under the lock.
        let (beside, shown): (Vec<_>, Vec<_>) = {
            let registry = self.registry();
            let places = registry.places.as_deref();
            let is_declared = |cell: &Cell| places.is_some_and(|places| places.tasks.contains_key(cell.name()));
            cells.into_iter().partition(|cell| cell.member().is_none() && !is_declared(cell))
        };
        node.children.extend(beside.iter().map(|cell| self.task_node(cell, cell.name(), Vec::new(), &view)));
        drop_each(beside.into_iter().chain(shown));
        self.date_pauses(&mut node);
        TreeSnapshot { root: node }
    }

    /// Builds a snapshot of the declared group at the path. `None` if the tree declares none there, or is dropped.
    pub(crate) fn group_snapshot(&self, path: &str) -> Option<TreeSnapshot> {
        let root = self.declared_root()?;
        if path.is_empty() {
            return Some(self.snapshot(&root));
        }
        let group = self.declared(&root, path)?.group?;
        let mut root = self.declared_node(&group, path, &self.view());
        self.date_pauses(&mut root);
        Some(TreeSnapshot { root })
    }

    /// Builds the node of the task or group at the path, without the children of a group. `None` if a snapshot of the
    /// tree has none there.
    pub(crate) fn node(&self, path: &str) -> Option<NodeSnapshot> {
        let mut node = self.undated_node(path)?;
        self.show_own_comeback(&mut node);
        self.date_pauses(&mut node);
        Some(node)
    }

    fn undated_node(&self, path: &str) -> Option<NodeSnapshot> {
        let view = View { permits: None };
        if path.is_empty() {
            return Some(self.group_node(&self.root_or_none(), path));
        }
        let declared = self.declared_root().and_then(|root| self.declared(&root, path));
        if let Some(group) = declared.as_ref().and_then(|child| child.group.as_ref()) {
            return Some(self.group_node(group, path));
        }
        let Some(cell) = self.place(path).or_else(|| self.returning_at(path)) else {
            return declared.map(|child| NodeSnapshot::pending(&child.name, path, NodeKind::Task, names(&child.after)));
        };
        let node = self.node_of(&cell, declared.as_ref(), &view);
        let _ = drop_caught(cell);
        Some(node)
    }

    /// Builds the node of a registration. A wait to start again is not shown.
    pub(crate) fn node_of_cell(&self, cell: &Cell) -> NodeSnapshot {
        let view = View { permits: None };
        let declared = self.declared_root().and_then(|root| self.declared(&root, cell.name()));
        let mut node = self.node_of(cell, declared.as_ref(), &view);
        self.date_pauses(&mut node);
        node
    }

    fn node_of(&self, cell: &Cell, declared: Option<&DeclaredChild>, view: &View) -> NodeSnapshot {
        match declared {
            Some(child) => self.task_node(cell, &child.name, names(&child.after), view),
            None if cell.member().is_some() => self.task_node(cell, last_segment(cell.name()), Vec::new(), view),
            None => self.task_node(cell, cell.name(), Vec::new(), view),
        }
    }

    /// Returns the declared tree, or an empty tree if there is none.
    pub(crate) fn root_or_none(&self) -> Arc<Declared> {
        self.declared_root().unwrap_or_else(|| Arc::new(Declared::new(Group::one_for_one("root"))))
    }

    /// Returns the declared task or group at the path. The children of a fresh group are those of its current or last
    /// run.
    pub(crate) fn declared(&self, root: &Arc<Declared>, path: &str) -> Option<DeclaredChild> {
        let (mut group, mut above) = (Arc::clone(root), 0);
        loop {
            let rest = &path[above..];
            let name = rest.split_once('/').map_or(rest, |(name, _)| name);
            if group.is_fresh {
                group = self.group_place(path[..above].trim_end_matches('/'))?.children();
            }
            let declared = group.place(name).and_then(|place| group.children.get(place)).cloned();
            let child = declared.or_else(|| self.added_group(&path[..above + name.len()]))?;
            if name.len() == rest.len() {
                return Some(child);
            }
            let inner = child.group?;
            (group, above) = (inner, above + name.len() + 1);
        }
    }

    /// Returns the group at the path, if it was added at run time, as a child of its group.
    fn added_group(&self, path: &str) -> Option<DeclaredChild> {
        let group = self.group_place(path).filter(|group| group.was_added())?;
        Some(DeclaredChild::of_added(&group.declared))
    }

    fn view(&self) -> View {
        let groups: Vec<_> = self.registry().groups.values().cloned().collect();
        let permits = Some(self.limits.waiting(groups.iter()));
        drop_each(groups);
        View { permits }
    }

    fn group_node(&self, group: &Declared, path: &str) -> NodeSnapshot {
        let mut node = pending_group(group, path);
        drop(self.fill_group(&mut node));
        node
    }

    /// Fills in the node of a group. Returns the group, if it is or was registered.
    fn fill_group(&self, node: &mut NodeSnapshot) -> Option<GroupRef> {
        node.paused = self.registry().is_group_paused(&node.path);
        let Some(group) = self.group_place(&node.path) else {
            if node.path.is_empty() {
                node.state = self.plain_state();
                node.ready = node.state == TaskState::Running && self.was_ready();
            } else if self.readiness_is_claimed() {
                node.state = TaskState::Ended;
            }
            return None;
        };
        let seen = group.seen();
        (node.state, node.restarts, node.failures) = (group.shown(seen.state), seen.restarts, seen.failures);
        node.problem = self.problem_of_group(&group, &seen);
        node.ready = match node.state {
            TaskState::Ended => node.problem.is_none(),
            TaskState::Interval => true,
            #[cfg(feature = "fleet")]
            TaskState::Standby => group.seat_around().is_none_or(|seat| seat.stands_by_ready()),
            _ => seen.is_ready,
        };
        node.outcome = seen.outcome;
        (node.waiting_for, node.next_at) = self.group_waits(&group, node.state, &seen);
        node.last_error = seen.failure.map(|failure| one_line(&failure));
        Some(group)
    }

    /// Returns the reason of the wait of a group, and the end of the wait.
    fn group_waits(
        &self,
        group: &GroupCell,
        state: TaskState,
        seen: &SeenGroup,
    ) -> (Option<WaitingFor>, Option<SystemTime>) {
        let at = |due| Some(self.clock.time(due));
        let parent = group.position.as_ref().map(|position| &position.parent);
        match state {
            TaskState::Paused => (Some(WaitingFor::Paused), None),
            #[cfg(feature = "fleet")]
            TaskState::Standby => {
                let owner = group.seat_around().and_then(|seat| seat.owner());
                (Some(WaitingFor::Lease(owner.map(|owner| owner.to_string()))), None)
            }
            TaskState::Backoff | TaskState::Interval if seen.due.is_some() => {
                (Some(WaitingFor::Delay), seen.due.and_then(at))
            }
            TaskState::Backoff | TaskState::Interval | TaskState::Pending => match parent {
                Some(parent) => self.awaits_group(group.awaits(), parent),
                None => (None, None),
            },
            _ => (None, None),
        }
    }

    /// Returns the reason of the wait of a child that its group has not started, and the end of the wait. `awaits` are
    /// the siblings that it waits for.
    pub(super) fn awaits_group(
        &self,
        awaits: Vec<String>,
        group: &GroupCell,
    ) -> (Option<WaitingFor>, Option<SystemTime>) {
        if !awaits.is_empty() {
            return (Some(WaitingFor::After(awaits)), None);
        }
        match group.due() {
            Some(due) => (Some(WaitingFor::Delay), Some(self.clock.time(due))),
            None => (Some(WaitingFor::Group), None),
        }
    }

    /// Returns the state of a root without a driver.
    pub(crate) fn plain_state(&self) -> TaskState {
        let registry = self.registry();
        match registry.admission {
            Admission::Open if !self.readiness_is_claimed() => TaskState::Pending,
            // A tree with declared slots does not end by itself.
            #[cfg(feature = "controller")]
            Admission::Open if self.controller.has_slots() => TaskState::Running,
            Admission::Open if registry.is_empty() => TaskState::Ended,
            Admission::Open => TaskState::Running,
            Admission::Closing | Admission::Stopping => TaskState::Stopping,
            Admission::Closed => TaskState::Ended,
        }
    }

    pub(super) fn task_node(&self, cell: &Cell, name: &str, after: Vec<String>, view: &View) -> NodeSnapshot {
        let seen = cell.seen();
        let machine = &seen.machine;
        let awaited = match (machine.state(), &view.permits) {
            (TaskState::Pending, None) => self.limits.awaited_by(cell),
            (TaskState::Pending, Some(permits)) => permits.get(&cell.id()).cloned(),
            _ => None,
        };
        let problem = self.problem_of_task(cell, &seen, awaited.as_ref());
        let (waiting_for, next_at) = self.task_waits(cell, &seen, awaited.as_ref());
        NodeSnapshot {
            id: Some(cell.id()),
            state: machine.state(),
            paused: machine.is_paused(),
            attempt: shown(machine.attempt),
            restarts: shown(machine.restarts(cell.policy())),
            failures: machine.streak,
            max_retries: cell.policy().max_retries,
            ready: problem.is_none(),
            outcome: seen.outcome,
            last_error: seen.last_error.map(into_line),
            problem,
            since: Some(self.clock.time(seen.since)),
            next_at,
            waiting_for,
            next_run: seen.next_run,
            ..NodeSnapshot::pending(name, cell.name(), NodeKind::Task, after)
        }
    }

    /// Returns the reason of the wait of a task, and the end of the wait.
    fn task_waits(
        &self,
        cell: &Cell,
        seen: &Seen,
        awaited: Option<&Awaited>,
    ) -> (Option<WaitingFor>, Option<SystemTime>) {
        let machine = &seen.machine;
        match machine.state() {
            #[cfg(feature = "controller")]
            TaskState::Queued => (self.slot_position(cell).map(WaitingFor::Slot), None),
            TaskState::Paused => (Some(WaitingFor::Paused), None),
            #[cfg(feature = "fleet")]
            TaskState::Standby => {
                let owner = cell.lease_owner().map(|owner| owner.to_string());
                (Some(WaitingFor::Lease(owner)), None)
            }
            TaskState::Running | TaskState::Stopping | TaskState::Ended => (None, None),
            _ if machine.is_parked() => match cell.member() {
                Some(member) => self.awaits_group(member.group.awaited_by(member.key), &member.group),
                None => (None, None),
            },
            TaskState::Pending if awaited.is_some() => (awaited.map(Awaited::waiting_for), None),
            TaskState::Pending => {
                let is_held_up = cell.member().is_some_and(|member| member.group.has_no_place());
                (is_held_up.then_some(WaitingFor::Group), None)
            }
            _ => {
                let due = seen.due.map(|due| self.clock.time(due));
                (Some(WaitingFor::Delay), due.into_iter().chain(seen.next_run).min())
            }
        }
    }

    fn problem_of_task(&self, cell: &Cell, seen: &Seen, awaited: Option<&Awaited>) -> Option<Problem> {
        let machine = &seen.machine;
        if machine.stage == Stage::Ended {
            let failed = self.failures.has(cell.name(), Some(cell.id()));
            return failed.then_some(Problem::Failed);
        }
        if let Some(problem) = cell.overdue() {
            return Some(problem);
        }
        if let Some(problem) = awaited.and_then(Awaited::problem) {
            return Some(problem);
        }
        if !cell.is_well_as(machine) {
            return Some(Problem::NotReady(machine.state()));
        }
        cell.quiet()
    }

    fn problem_of_group(&self, group: &GroupCell, seen: &SeenGroup) -> Option<Problem> {
        if seen.state == TaskState::Ended {
            let is_failed_root = group.position.is_none() && self.stop.failure().is_some();
            let failed = is_failed_root || self.failures.has(group.path(), None);
            return failed.then_some(Problem::Failed);
        }
        if seen.is_making {
            return Some(Problem::Making);
        }
        group.waits_for_run().map(|(problem, _)| problem)
    }
}

fn names(names: &[Arc<str>]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// Builds the node of a group that was never registered.
fn pending_group(group: &Declared, path: &str) -> NodeSnapshot {
    let node = NodeSnapshot::pending(&group.name, path, NodeKind::Group(group.strategy()), names(&group.after));
    NodeSnapshot { fresh: group.is_fresh, ..node }
}
