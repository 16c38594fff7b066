//! T2: pauses of tasks, groups and slots.

mod groups;
mod initial;
mod races;
mod seen;
mod slots;
mod stops;
mod tasks;
mod waits;

use std::sync::Arc;

use taskvisor::{RuntimeError, SupervisorConfig, TaskState, Tree, TreeBuilder};
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

/// The state of a task.
fn state(tree: &Tree, path: &str) -> TaskState {
    tree.child(path).status().expect("it is registered").state
}

/// The paths that are not ready, with what health says about them.
fn not_ready(tree: &Tree) -> Vec<String> {
    tree.health().not_ready.iter().map(|it| format!("{}: {}", it.path, it.problem)).collect()
}
