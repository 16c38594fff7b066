//! The declared options of a tree, without its tasks.

use std::sync::Arc;
use std::time::Duration;

use crate::policy;
use crate::policy::ResolvedPolicy;
use crate::runtime::GroupLimit;
#[cfg(feature = "controller")]
use crate::slots::{ControllerConfig, SlotSpec};
use crate::supervisor::SupervisorConfig;
use crate::task::Said;
use crate::tree::{Declared, join};

/// The declared options of a tree. It keeps no task alive.
#[derive(Debug, Clone)]
pub(crate) struct Sheet {
    pub(super) config: SupervisorConfig,
    pub(super) root: GroupOptions,
    pub(super) limits: Vec<(Arc<str>, usize)>,
    #[cfg(feature = "controller")]
    pub(super) controller: ControllerConfig,
    #[cfg(feature = "controller")]
    pub(super) slots: Vec<SlotSpec>,
    /// The tasks and groups, each after its group.
    pub(super) children: Vec<Child>,
}

#[derive(Debug, Clone)]
pub(super) struct Child {
    pub(super) path: Arc<str>,
    /// The index of its group in the list. `None` for a child of the root.
    pub(super) parent: Option<usize>,
    /// Its place in its group.
    pub(super) place: usize,
    pub(super) options: ChildOptions,
}

#[derive(Debug, Clone)]
pub(super) enum ChildOptions {
    /// The options that its spec sets.
    Task(Option<Arc<Said>>),
    /// The policy of a task that has started, whose spec was dropped.
    Started(Arc<ResolvedPolicy>),
    Group(Box<GroupOptions>),
}

/// The options of a group that overrides can change, and those that are checked with them.
#[derive(Debug, Clone)]
pub(super) struct GroupOptions {
    pub(super) name: Arc<str>,
    pub(super) limit: Option<(u32, Duration)>,
    pub(super) max_starting: Option<usize>,
    pub(super) max_concurrent: Option<usize>,
    pub(super) is_fresh: bool,
    pub(super) set: policy::Overrides,
}

/// The parts of a supervisor that have settings.
pub(crate) struct OfSupervisor {
    pub(crate) config: SupervisorConfig,
    pub(crate) limits: Vec<(Arc<str>, usize)>,
    #[cfg(feature = "controller")]
    pub(crate) controller: ControllerConfig,
    #[cfg(feature = "controller")]
    pub(crate) slots: Vec<SlotSpec>,
}

impl Sheet {
    /// Lists the declared options of a tree. `started` returns the policy of a started task by its path.
    pub(crate) fn new(
        of: OfSupervisor,
        root: &Declared,
        started: impl Fn(&str) -> Option<Arc<ResolvedPolicy>>,
    ) -> Self {
        let mut children = Vec::new();
        // The start refuses a tree that is too deep. Its paths could be long.
        let mut walk: Vec<(&Declared, Option<usize>, usize)> = Vec::new();
        walk.extend((!root.is_too_deep()).then_some((root, None, 0)));
        // Without recursion, in the order of declaration.
        while let Some((group, parent, place)) = walk.pop() {
            let Some(child) = group.children.get(place) else { continue };
            walk.push((group, parent, place + 1));
            // The start of the tree refuses empty names, names with `/`, and equal names.
            let is_named = !child.name.is_empty() && !child.name.contains('/');
            if !is_named || group.place(&child.name) != Some(place) {
                continue;
            }
            let above = parent.map_or("", |parent: usize| {
                let parent: &Child = &children[parent];
                &parent.path
            });
            let path = join(above, &child.name);
            let options = match &child.group {
                Some(inner) => {
                    walk.push((inner, Some(children.len()), 0));
                    ChildOptions::Group(Box::new(GroupOptions::of(inner)))
                }
                None => match (group.task(place), started(&path)) {
                    (Some(spec), _) => ChildOptions::Task(spec.said().cloned()),
                    (None, Some(policy)) => ChildOptions::Started(policy),
                    (None, None) => continue,
                },
            };
            children.push(Child { path, parent, place, options });
        }
        Self {
            config: of.config,
            root: GroupOptions::of(root),
            limits: of.limits,
            #[cfg(feature = "controller")]
            controller: of.controller,
            #[cfg(feature = "controller")]
            slots: of.slots,
            children,
        }
    }
}

impl GroupOptions {
    pub(super) fn of(group: &Declared) -> Self {
        Self {
            name: Arc::clone(&group.name),
            limit: group.limit(),
            max_starting: group.max_starting(),
            max_concurrent: group.max_concurrent.map(GroupLimit::limit),
            is_fresh: group.is_fresh,
            set: group.overrides.clone(),
        }
    }
}
