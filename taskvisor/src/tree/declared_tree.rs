//! The types of declared trees and groups, with typed handles.

use std::ops::Deref;

use super::{GroupHandle, Tree};

/// A tree that `supervise!` declares, with a typed handle for each task, group and slot.
///
/// It dereferences to [`Tree`], for `run`, `run_until`, `start` and `shutdown`, and converts into it with `into()`.
/// The fields of `tasks`, `groups` and `slots` have the names of the entries. Without entries of a kind, its field is
/// `()`. The guide explains [groups](crate::guide::groups).
#[must_use = "the tasks of a tree run once it does, with `run`, `run_until` or `start`"]
#[derive(Debug)]
pub struct DeclaredTree<Tasks = (), Groups = (), Slots = ()> {
    /// A [`ChildHandle`](crate::ChildHandle) for each task.
    pub tasks: Tasks,
    /// A [`DeclaredGroup`] for each group.
    pub groups: Groups,
    /// A `SlotHandle` for each slot.
    pub slots: Slots,
    tree: Tree,
}

impl<Tasks, Groups, Slots> DeclaredTree<Tasks, Groups, Slots> {
    #[doc(hidden)]
    pub fn new(tasks: Tasks, groups: Groups, slots: Slots, tree: Tree) -> Self {
        Self { tasks, groups, slots, tree }
    }
}

impl<Tasks, Groups, Slots> Deref for DeclaredTree<Tasks, Groups, Slots> {
    type Target = Tree;

    fn deref(&self) -> &Tree {
        &self.tree
    }
}

impl<Tasks, Groups, Slots> From<DeclaredTree<Tasks, Groups, Slots>> for Tree {
    fn from(declared: DeclaredTree<Tasks, Groups, Slots>) -> Self {
        declared.tree
    }
}

/// A group in a [`DeclaredTree`], with a typed handle for each of its tasks and groups.
///
/// It dereferences to [`GroupHandle`]. Without entries of a kind, its field is `()`.
#[derive(Debug)]
pub struct DeclaredGroup<Tasks = (), Groups = ()> {
    /// A [`ChildHandle`](crate::ChildHandle) for each task.
    pub tasks: Tasks,
    /// A `DeclaredGroup` for each group.
    pub groups: Groups,
    group: GroupHandle,
}

impl<Tasks, Groups> DeclaredGroup<Tasks, Groups> {
    #[doc(hidden)]
    pub fn new(tasks: Tasks, groups: Groups, group: GroupHandle) -> Self {
        Self { tasks, groups, group }
    }
}

impl<Tasks, Groups> Deref for DeclaredGroup<Tasks, Groups> {
    type Target = GroupHandle;

    fn deref(&self) -> &GroupHandle {
        &self.group
    }
}
