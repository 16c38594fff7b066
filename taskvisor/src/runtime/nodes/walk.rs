//! Builds the nodes of a group and of everything in it.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use super::super::core::Core;
use super::super::group::{GroupCell, Member};
use super::{View, names, pending_group};
use crate::inspect::{NodeKind, NodeSnapshot, TaskState};
use crate::panics::drop_caught;
use crate::tree::{Declared, join, last_segment};

/// A group whose node is being built.
struct Visit {
    node: NodeSnapshot,
    group: Arc<Declared>,
    /// The place of the next declared child.
    next: usize,
    /// The groups that were added to it and have no node yet. `None` before all declared children have one.
    added: Option<VecDeque<Arc<Declared>>>,
}

impl Core {
    /// Builds the nodes of the declared children, group by group, without recursion. `path` is the path of the group.
    pub(super) fn declared_node(&self, root: &Arc<Declared>, path: &str, view: &View) -> NodeSnapshot {
        let enter = |group: &Arc<Declared>, path: &str| Visit {
            node: pending_group(group, path),
            group: Arc::clone(group),
            next: 0,
            added: None,
        };
        let (mut open, mut current) = (Vec::new(), enter(root, path));
        loop {
            let Visit { node, group, next, added } = &mut current;
            let Some(child) = group.children.get(*next) else {
                // The groups that were added follow the declared children.
                let added = added.get_or_insert_with(|| self.groups_added_to(&node.path));
                if let Some(group) = added.pop_front() {
                    let path = join(&node.path, &group.name);
                    open.push(mem::replace(&mut current, enter(&group, &path)));
                    continue;
                }
                if let Some(cell) = self.fill_group(node) {
                    self.add_children(node, group, &cell, view);
                    self.show_comeback(node, &cell, view);
                }
                let Some(parent) = open.pop() else { return current.node };
                let Visit { node, .. } = mem::replace(&mut current, parent);
                current.node.children.push(node);
                continue;
            };
            *next += 1;
            let path = join(&node.path, &child.name);
            if let Some(group) = child.group.clone() {
                open.push(mem::replace(&mut current, enter(&group, &path)));
                continue;
            }
            let child = match self.place(&path) {
                Some(cell) => {
                    let task = self.task_node(&cell, &child.name, names(&child.after), view);
                    let _ = drop_caught(cell);
                    task
                }
                None => NodeSnapshot::pending(&child.name, &path, NodeKind::Task, names(&child.after)),
            };
            node.children.push(child);
        }
    }

    /// Returns the groups that were added to the group at the path, in the order in which they were.
    fn groups_added_to(&self, path: &str) -> VecDeque<Arc<Declared>> {
        let Some(group) = self.group_place(path) else { return VecDeque::new() };
        group.added_groups().into_values().map(|added| Arc::clone(&added.declared)).collect()
    }

    /// Adds the children of a fresh group, and the tasks that were added to a group.
    fn add_children(&self, node: &mut NodeSnapshot, declared: &Declared, group: &GroupCell, view: &View) {
        let children = group.children();
        if declared.is_fresh {
            for child in &children.children {
                if let Some(cell) = self.place(&join(&node.path, &child.name)) {
                    node.children.push(self.task_node(&cell, &child.name, names(&child.after), view));
                    let _ = drop_caught(cell);
                }
            }
        }
        let first_added = declared.first_added();
        for (key, member) in group.members() {
            if let (true, Member::Task(cell)) = (key >= first_added, &member) {
                let name = last_segment(cell.name());
                // A task at the place of a declared child is shown there.
                if cell.state() != TaskState::Ended && children.place(name).is_none() {
                    node.children.push(self.task_node(cell, name, Vec::new(), view));
                }
            }
            let _ = drop_caught(member);
        }
    }
}
