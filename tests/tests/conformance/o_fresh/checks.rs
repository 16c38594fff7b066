//! What is refused when the tree starts, and what a declaration shows.

use std::convert::Infallible;

use taskvisor::{Group, Problem, RuntimeError, SupervisorConfig, TaskSpec, TaskState, Tree};
use tests::{cooperative, secs};

use super::{Result, group, tree};

async fn make() -> std::result::Result<Vec<TaskSpec>, Infallible> {
    Ok(vec![cooperative("a").with_after(Vec::<&str>::new()), cooperative("b").with_after(["a"])])
}

#[tokio::test]
async fn o52_contradictions_are_refused_before_anything_starts() {
    let inner = Group::one_for_one("inner").task(cooperative("a"));
    for (group, expected) in [
        (
            group("g").task(cooperative("a")).fresh(make),
            "group `g`: `fresh` is set beside `a`, expected no declared children: the function makes all children",
        ),
        (
            group("g").fresh(make).group(inner),
            "group `g`: `fresh` is set beside `inner`, expected no declared children: the function makes all \
             children",
        ),
        (
            group("g").fresh(make).with_start_timeout(secs(0)),
            "group `g`: `start_timeout` is 0ns, expected a time longer than zero",
        ),
        (
            group("g").with_start_timeout(secs(3)),
            "group `g`: `start_timeout` is 3s, expected a group with `fresh`: it limits that function",
        ),
    ] {
        let (tree, _) = tree(Group::one_for_one("outer").group(group));
        let error = tree.start().await.unwrap_err();
        assert!(matches!(error, RuntimeError::InvalidOption(_)));
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn o52_it_is_shown_as_fresh_before_and_after_its_start() -> Result {
    let declared = group("g").fresh(make);
    assert!(format!("{declared:?}").contains("fresh: Some(Maker(..))"), "{declared:?}");
    let tree = Tree::builder(SupervisorConfig::default()).group(declared).build();
    let node = tree.snapshot().root.children.remove(0);
    assert_eq!((node.fresh, node.state, node.children.len()), (true, TaskState::Pending, 0));
    tree.start().await?;
    // The first call of the function has not been made: the group waits for its parent.
    assert_eq!(tree.health().not_ready[0].problem, Problem::NotReady(TaskState::Pending));
    assert!(!tree.health().is_ready());
    tree.wait_ready().await;
    let node = tree.snapshot().root.children.remove(0);
    let names: Vec<_> = node.children.iter().map(|child| (child.name.as_str(), child.after.clone())).collect();
    assert_eq!(names, [("a", vec![]), ("b", vec!["a".to_owned()])]);
    assert!(tree.snapshot().to_string().contains("one_for_all fresh\n"), "{}", tree.snapshot());
    assert!(tree.snapshot().to_mermaid().contains("-.->"), "{}", tree.snapshot().to_mermaid());
    tree.shutdown().await
}
