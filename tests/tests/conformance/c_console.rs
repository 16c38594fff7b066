//! What a console reads: what each task and group waits for and until when, single nodes, details, and the events of
//! groups and of readiness.

mod comeback;
mod detail;
mod events;
mod groups;
mod races;
mod states;
mod waits;

use std::sync::Arc;
use std::time::Duration;

use taskvisor::{Event, EventKind, NodeSnapshot, RuntimeError, SupervisorConfig, Tree, TreeBuilder, TreeSnapshot};
use tests::{Recorder, settle};

type Result = std::result::Result<(), RuntimeError>;

/// Starts a tree, and lets it settle.
async fn started(
    add: impl FnOnce(TreeBuilder) -> TreeBuilder,
) -> std::result::Result<(Tree, Arc<Recorder>), RuntimeError> {
    let recorder = Recorder::new();
    let tree = add(Tree::builder(SupervisorConfig::default()).with_subscriber(recorder.clone())).build();
    tree.start().await?;
    settle().await;
    Ok((tree, recorder))
}

fn node(tree: &Tree, path: &str) -> NodeSnapshot {
    tree.supervisor().node(path).unwrap_or_else(|| panic!("no node at {path}"))
}

/// The time until the next attempt, in milliseconds, rounded to the resolution of the clock.
fn left(node: &NodeSnapshot) -> Option<u128> {
    let left = node.next_at?.duration_since(Event::new(EventKind::Warning).at).unwrap_or(Duration::ZERO);
    Some((left.as_millis() + 10) / 20 * 20)
}

/// The nodes of a tree, without their children.
fn flat(tree: TreeSnapshot) -> Vec<NodeSnapshot> {
    let (mut open, mut nodes) = (vec![tree.root], Vec::new());
    while let Some(mut node) = open.pop() {
        open.append(&mut node.children);
        nodes.push(node);
    }
    nodes
}

/// Checks that a node says nothing that cannot be at once.
fn check(node: &NodeSnapshot) {
    use taskvisor::{NodeKind, Problem, TaskState, WaitingFor};
    let waits = &node.waiting_for;
    let is_over = matches!(node.state, TaskState::Running | TaskState::Stopping | TaskState::Ended);
    assert!(!is_over || (waits.is_none() && node.next_at.is_none()), "{node:?}");
    assert!(node.next_at.is_none() || *waits == Some(WaitingFor::Delay), "{node:?}");
    assert!(node.outcome.is_none() || node.state == TaskState::Ended, "{node:?}");
    assert_eq!(matches!(waits, Some(WaitingFor::Lease(_))), node.state == TaskState::Standby, "{node:?}");
    if node.kind == NodeKind::Task && node.id.is_some() {
        assert_eq!(node.ready, node.problem.is_none(), "{node:?}");
        assert_eq!(node.outcome.is_some(), node.state == TaskState::Ended, "{node:?}");
        assert_eq!(*waits == Some(WaitingFor::Paused), node.state == TaskState::Paused, "{node:?}");
        let waits_for_a_time = matches!(
            node.state,
            TaskState::Delayed | TaskState::Interval | TaskState::Throttled | TaskState::Scheduled | TaskState::Backoff
        );
        assert!(!waits_for_a_time || waits.is_some(), "{node:?}");
        if let Some(Problem::NotReady(state)) = &node.problem {
            assert_eq!(*state, node.state, "{node:?}");
        }
    }
}
