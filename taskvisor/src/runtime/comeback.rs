//! The snapshot nodes of tasks and groups that ended with their group, and start again with it.
//!
//! A group that is down has no registrations: its children have ended. A snapshot shows them as waiting for the group.

use std::sync::Arc;
use std::time::SystemTime;

use super::core::Core;
use super::group::GroupCell;
use super::nodes::View;
use super::task::Cell;
use crate::inspect::{NodeKind, NodeSnapshot, Problem, TaskState, WaitingFor};
use crate::panics::drop_caught;
use crate::tree::last_segment;

/// The reason why the children of a group that is down wait, and the end of the wait.
type Wait = (Option<WaitingFor>, Option<SystemTime>);

impl Core {
    /// Returns the wait of the children of the group; `None` if the group does not start them again.
    fn restart_of(&self, group: &GroupCell) -> Option<Wait> {
        group.starts_children_again().then(|| self.awaits_group(group.awaits(), group))
    }

    /// Adds the returning tasks of the group to the node. Shows its children as waiting, if the group is down and starts
    /// them again.
    pub(super) fn show_comeback(&self, node: &mut NodeSnapshot, group: &GroupCell, view: &View) {
        for cell in group.all_returning() {
            if node.children.iter().all(|child| child.path != **cell.name()) {
                node.children.push(self.task_node(&cell, last_segment(cell.name()), Vec::new(), view));
            }
            let _ = drop_caught(cell);
        }
        let Some(wait) = self.restart_of(group) else { return };
        let rests = group.rests_between_runs();
        for child in &mut node.children {
            come_back(child, &wait, rests);
        }
    }

    /// Shows one node as waiting, if its group or a group above it is down and starts it again.
    pub(super) fn show_own_comeback(&self, node: &mut NodeSnapshot) {
        let mut above = &*node.path;
        let mut is_inner = false;
        while node.state == TaskState::Ended && !above.is_empty() {
            above = above.rsplit_once('/').map_or("", |(group, _)| group);
            let Some(group) = self.group_place(above) else { continue };
            if let Some(wait) = self.restart_of(&group) {
                return come_back(node, &if is_inner { INNER } else { wait }, group.rests_between_runs());
            }
            // What ended in the run of a group stays as it is while that run goes on.
            if !matches!(group.state(), TaskState::Ended | TaskState::Stopping) {
                return;
            }
            is_inner = true;
        }
    }

    /// Returns the returning task of that path.
    pub(super) fn returning_at(&self, path: &str) -> Option<Arc<Cell>> {
        let (above, _) = path.rsplit_once('/')?;
        let group = self.group_place(above)?;
        // They can also return with a group above this one.
        let returns = group.with_parents().any(GroupCell::starts_children_again);
        if returns { group.returning(path) } else { None }
    }
}

const PENDING: Option<Problem> = Some(Problem::NotReady(TaskState::Pending));

/// The wait of the children of an inner group, which starts with the group around it.
const INNER: Wait = (Some(WaitingFor::Group), None);

/// Shows a node that has ended, and all nodes in it, as waiting. They are ready if their group `rests` between two runs.
fn come_back(node: &mut NodeSnapshot, wait: &Wait, rests: bool) {
    let problem = if rests { None } else { PENDING };
    let mut open = vec![(node, wait)];
    while let Some((node, wait)) = open.pop() {
        if node.state == TaskState::Ended {
            (node.waiting_for, node.next_at) = wait.clone();
            (node.state, node.ready, node.outcome, node.problem) = (TaskState::Pending, rests, None, problem.clone());
        } else if node.kind == NodeKind::Task || node.state != TaskState::Stopping {
            continue;
        }
        open.extend(node.children.iter_mut().map(|child| (child, &INNER)));
    }
}
