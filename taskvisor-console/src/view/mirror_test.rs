//! Tests of the mirror of a tree.

use super::*;

/// A node without a snapshot.
fn node(path: &Arc<str>, parent: Option<&Arc<str>>, index: u32) -> Node {
    let facts = Facts {
        path: Arc::clone(path),
        is_group: parent.is_none(),
        state: TaskState::Running,
        attempt: 1,
        failures: 0,
        ready: true,
        paused: false,
        has_started: true,
        outcome: None,
        problem: None,
        next_at: None,
        waiting_for: None,
    };
    Node { facts, name: path.to_string(), parent: parent.cloned(), index, children: BTreeMap::new(), json: "".into() }
}

/// With a search for each of them, this takes minutes.
#[test]
fn each_child_of_a_large_group_is_removed_without_a_search() {
    const CHILDREN: u32 = 100_000;
    let (root, first): (Arc<str>, Arc<str>) = ("".into(), "0".into());
    let mut mirror = Mirror::default();
    mirror.nodes.insert(Arc::clone(&root), node(&root, None, 0));
    let paths: Vec<Arc<str>> = (0..CHILDREN).map(|number| number.to_string().into()).collect();
    for (path, index) in paths.iter().zip(0..) {
        mirror.nodes.insert(Arc::clone(path), node(path, Some(&root), index));
        mirror.nodes.get_mut(&root).unwrap().children.insert(index, Arc::clone(path));
        if index > 0 {
            mirror.order.set(path, Some(""), &["0".to_owned()]);
        }
    }
    assert_eq!(mirror.order.dependents(&first).count(), paths.len() - 1);
    let mut delta = Delta::default();
    for path in paths.iter().rev() {
        mirror.remove(path, &mut delta);
    }
    assert_eq!(delta.removed.len(), paths.len());
    assert!(mirror.nodes[&root].children.is_empty());
    assert_eq!(mirror.order.dependents(&first).count(), 0);
}
