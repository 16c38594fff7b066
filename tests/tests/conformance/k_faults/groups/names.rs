//! Names, and the declared positions in a tree.

use taskvisor::{ControllerError, ControllerSpec, Group, RuntimeError, SupervisorConfig, TaskState, Tree};
use tests::{OK, Script, cooperative, settle, supervisor};

use super::{Result, tree};

#[tokio::test]
async fn k2g_what_means_something_in_a_group_only_is_refused_elsewhere() -> Result {
    let supervisor = supervisor();
    let text = "task `x`: `critical` is set, expected a task in a group: declare it in a tree, or add it with \
                `GroupHandle::add_task`";
    let refused = supervisor.add_task(cooperative("x").critical()).await.unwrap_err();
    assert_eq!((refused.as_label(), refused.to_string().as_str()), ("runtime_invalid_option", text));
    let refused = supervisor.add_task(cooperative("x").significant()).await.unwrap_err();
    assert!(refused.to_string().starts_with("task `x`: `significant` is set"), "{refused}");
    for spec in [cooperative("x").critical(), cooperative("x").significant()] {
        let refused = supervisor.try_submit(ControllerSpec::queue(spec.clone())).unwrap_err();
        assert!(matches!(refused, ControllerError::InvalidOption(_)), "{refused}");
        let refused = supervisor.submit(ControllerSpec::queue(spec)).await.unwrap_err();
        assert!(matches!(refused, ControllerError::InvalidOption(_)), "{refused}");
    }
    assert_eq!(supervisor.list_tasks().await, [""; 0]);
    // In a group, `significant` and `critical` are valid.
    let tree = tree(Group::one_for_one("g").task(cooperative("a")));
    tree.start().await?;
    let last = tree.group("g").add_task(Script::new([OK]).spec("x").significant()).await?;
    assert!(last.outcome().await.is_completed());
    assert!(tree.group("g").outcome().await.unwrap().is_completed());
    tree.shutdown().await
}

#[tokio::test]
async fn k5b_a_place_speaks_of_the_newest_registration_at_its_path() -> Result {
    let group = Group::one_for_one("g").task(Script::new([OK]).spec("a")).task(cooperative("b"));
    let tree = Tree::builder(SupervisorConfig::default()).task(Script::new([OK]).spec("a")).group(group).build();
    tree.start().await?;
    settle().await;
    for path in ["a", "g/a"] {
        assert_eq!(tree.child(path).status().unwrap().state, TaskState::Ended);
    }
    let added =
        [tree.supervisor().add_task(cooperative("a")).await?, tree.group("g").add_task(cooperative("a")).await?];
    settle().await;
    for (path, added) in ["a", "g/a"].into_iter().zip(&added) {
        assert_eq!(tree.child(path).current().unwrap().id(), added.id());
        assert_eq!(tree.child(path).status().unwrap().state, TaskState::Running);
    }
    let snapshot = tree.snapshot();
    let states = |snapshot: &taskvisor::TreeSnapshot| {
        let root = &snapshot.root.children;
        [root[0].state, root[1].children[0].state]
    };
    assert_eq!(states(&snapshot), [TaskState::Running; 2], "{snapshot}");
    let names =
        |node: &taskvisor::NodeSnapshot| node.children.iter().map(|child| child.name.clone()).collect::<Vec<_>>();
    assert_eq!(
        (names(&snapshot.root), names(&snapshot.root.children[1])),
        (vec!["a".into(), "g".into()], vec!["a".into(), "b".into()])
    );
    // The position keeps its newest registration after that has ended.
    for handle in &added {
        assert!(handle.cancel().await?);
    }
    settle().await;
    for (path, added) in ["a", "g/a"].into_iter().zip(&added) {
        assert_eq!(tree.child(path).current().unwrap().id(), added.id());
        assert!(matches!(tree.child(path).outcome().await, Some(taskvisor::TaskOutcome::Canceled { .. })));
    }
    assert_eq!(states(&tree.snapshot()), [TaskState::Ended; 2]);
    tree.shutdown().await
}

#[tokio::test]
async fn k5f_the_name_of_a_group_is_called_that() -> Result {
    let tree = tree(Group::one_for_one("g").group(Group::one_for_one("inner").task(cooperative("a"))));
    tree.start().await?;
    let supervisor = tree.supervisor();
    let taken = supervisor.add_task(cooperative("g")).await.unwrap_err();
    assert_eq!(taken.to_string(), "a group named `g` is already registered");
    let taken = tree.group("g").add_task(cooperative("inner")).await.unwrap_err();
    assert_eq!(taken.to_string(), "a group named `g/inner` is already registered");
    let text = "`g/inner` is a group and no task: call `group(\"g/inner\").cancel()` on the tree";
    for refused in [
        supervisor.remove_task("g/inner").await.unwrap_err(),
        supervisor.cancel("g/inner").await.unwrap_err(),
        supervisor.cancel_with_timeout("g/inner", tests::secs(1)).await.unwrap_err(),
    ] {
        assert_eq!((refused.as_label(), refused.to_string().as_str()), ("runtime_is_group", text));
    }
    assert!(matches!(supervisor.remove_task("no").await.unwrap_err(), RuntimeError::TaskNotFound { .. }));
    assert!(!supervisor.cancel("no").await?);
    tree.shutdown().await
}

#[tokio::test]
async fn k5f_the_empty_path_is_the_root() -> Result {
    let flat = Tree::builder(SupervisorConfig::default()).task(cooperative("a")).build();
    let ordered = Tree::builder(SupervisorConfig::default())
        .task(cooperative("a"))
        .task(cooperative("b").with_after(["a"]))
        .build();
    for tree in [flat, ordered] {
        let root = tree.group("");
        assert_eq!((root.path(), root.name(), root.status()), ("", "", None));
        let refused = root.add_task(cooperative("x")).await.unwrap_err();
        assert_eq!(refused.to_string(), "the tree is not running: it has not started, or has ended");
        assert!(matches!(refused, RuntimeError::GroupNotRunning { .. }));
        tree.start().await?;
        settle().await;
        assert_eq!(root.status(), Some(TaskState::Running));
        assert_eq!((root.child("a").path(), root.group("g").path()), ("a", "g"));
        assert_eq!(root.child("a").status().unwrap().state, TaskState::Running);
        assert!(root.health().is_ready() && root.health().is_live());
        let x = root.add_task(cooperative("x")).await?;
        assert_eq!(x.name(), "x");
        settle().await;
        assert_eq!(x.status().state, TaskState::Running);
        assert!(!root.restart() && !root.cancel().await?, "that is a shutdown");
        tree.shutdown().await?;
        assert_eq!(root.status(), Some(TaskState::Ended));
    }
    Ok(())
}
