//! Deeply nested trees.

use std::thread;

use taskvisor::{Group, RuntimeError, SupervisorConfig, Tree};
use tests::{cooperative, secs};

fn nested(depth: usize) -> Group {
    let mut group = Group::one_for_one(format!("g{depth}")).task(cooperative("t"));
    for level in (1..depth).rev() {
        group = Group::one_for_one(format!("g{level}")).group(group);
    }
    group
}

/// Runs the test on a stack of this size.
fn on_stack(bytes: usize, test: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(bytes).spawn(test).unwrap().join().unwrap();
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future);
}

async fn lives(depth: usize) {
    let config = SupervisorConfig { grace: secs(10), ..SupervisorConfig::default() };
    let group = nested(depth);
    let copy = group.clone();
    assert!(format!("{copy:?}").len() < 100_000);
    drop(copy);
    let tree = Tree::builder(config).group(group).try_build().unwrap();
    assert!(format!("{tree:?}").len() < 100_000);
    tree.start().await.unwrap();
    tree.wait_ready().await;
    let snapshot = tree.snapshot();
    assert!(snapshot.to_string().lines().count() > depth);
    assert!(snapshot.to_mermaid().lines().count() > depth);
    assert!(!format!("{snapshot:?}").is_empty());
    drop(snapshot.clone());
    assert!(tree.health().is_ready());
    let path: Vec<_> = (1..=depth).map(|level| format!("g{level}")).collect();
    assert!(tree.group(&path.join("/")).status().is_some());
    let top = tree.group("g1");
    assert!(top.restart());
    tokio::time::sleep(secs(1)).await;
    assert!(tree.health().is_ready());
    tree.shutdown().await.unwrap();
}

#[test]
fn k1c_a_thousand_levels_work_on_two_megabytes() {
    on_stack(2 << 20, || block_on(lives(1_000)));
}

#[test]
fn k1c_sixty_levels_work_on_a_small_stack() {
    on_stack(256 << 10, || block_on(lives(60)));
}

#[test]
fn k1c_more_are_refused_with_the_depth_that_is_allowed() {
    on_stack(2 << 20, || {
        for depth in [1_024, 2_048, 100_000] {
            let group = nested(depth);
            assert!(format!("{group:?}").len() < 100_000);
            drop(group.clone());
            let refused = Tree::builder(SupervisorConfig::default()).group(group).try_build().unwrap_err();
            let RuntimeError::InvalidOption(invalid) = &refused else { panic!("{refused}") };
            // The depth includes the root.
            let text =
                format!("group `root`: `depth` is {} groups nested in each other, expected at most 1024", depth + 1);
            assert_eq!(invalid.to_string(), text);
        }
    });
}

/// All groups end with the runtime, each after its children.
#[test]
fn k1c_a_thousand_levels_end_with_their_runtime() {
    on_stack(2 << 20, || {
        let tree = Tree::builder(SupervisorConfig::default()).group(nested(1_000)).build();
        block_on(async {
            tree.start().await.unwrap();
            tree.wait_ready().await;
        });
        assert_eq!(tree.group("g1").status(), Some(taskvisor::TaskState::Ended));
    });
}
