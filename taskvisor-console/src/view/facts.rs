//! The part of a snapshot from which the reason for the state of a node follows.

use std::sync::Arc;
use std::time::SystemTime;

use taskvisor::{NodeKind, NodeSnapshot, OutcomeKind, Problem, TaskState, WaitingFor};

/// The facts about a node.
#[expect(clippy::struct_excessive_bools, reason = "they are those of a snapshot")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) path: Arc<str>,
    pub(crate) is_group: bool,
    pub(crate) state: TaskState,
    pub(crate) attempt: u32,
    pub(crate) failures: u32,
    pub(crate) ready: bool,
    pub(crate) paused: bool,
    /// `false` before the first registration of a task.
    pub(crate) has_started: bool,
    pub(crate) outcome: Option<OutcomeKind>,
    pub(crate) problem: Option<Problem>,
    pub(crate) next_at: Option<SystemTime>,
    pub(crate) waiting_for: Option<WaitingFor>,
}

impl Facts {
    pub(crate) fn of(node: &NodeSnapshot, path: &Arc<str>) -> Self {
        Self {
            path: Arc::clone(path),
            is_group: node.kind != NodeKind::Task,
            state: node.state,
            attempt: node.attempt,
            failures: node.failures,
            ready: node.ready,
            paused: node.paused,
            has_started: node.id.is_some(),
            outcome: node.outcome,
            problem: node.problem.clone(),
            next_at: node.next_at.or(node.next_run),
            waiting_for: node.waiting_for.clone(),
        }
    }
}

/// Finds nodes of the tree by their paths.
pub(crate) trait Look {
    fn find(&self, path: &str) -> Option<&Facts>;

    fn find_parent(&self, path: &str) -> Option<&Facts>;

    /// Returns the first child for which this holds.
    fn find_child(&self, path: &str, which: impl Fn(&Facts) -> bool) -> Option<&Facts>;
}
