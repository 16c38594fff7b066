//! One child of a declared group.

use std::sync::Arc;

use super::super::group::ChildSpec;
use super::Declared;
use super::order::short;
use crate::policy::{Critical, Overrides, Ready};
use crate::runtime::Driven;
use crate::supervisor::InvalidOption;
use crate::task::TaskSpec;

/// A child of a group, without its task.
#[derive(Clone)]
pub(crate) struct DeclaredChild {
    pub(crate) name: Arc<str>,
    pub(crate) after: Vec<Arc<str>>,
    pub(crate) role: Role,
    /// The driver that the group needs for this child. `None` if it is independent of its siblings and ready when its
    /// first attempt begins.
    pub(super) driven: Option<Driven>,
    /// `true` if it is a singleton of the fleet.
    #[cfg(feature = "fleet")]
    pub(super) is_singleton: bool,
    pub(crate) group: Option<Arc<Declared>>,
}

/// The role of a child in its group.
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Role {
    /// `true` if its end in failure fails the group.
    pub(crate) critical: bool,
    /// `true` if its end in success ends the group.
    pub(crate) significant: bool,
    /// The number of layers of its stop, minus one.
    pub(crate) layers: u32,
    /// `true` if its state does not count for the readiness of its group.
    pub(crate) uncounted: bool,
    /// `true` if it is a task that may have a final attempt while it is down.
    pub(crate) has_last: bool,
}

/// Returns the children sorted by name, without the later ones of equal names.
pub(super) fn by_name(children: &[DeclaredChild]) -> Vec<u32> {
    let name = |place: &u32| &children[*place as usize].name;
    let mut places: Vec<u32> = (0..short(children.len())).collect();
    places.sort_by(|a, b| name(a).cmp(name(b)));
    places.dedup_by(|later, earlier| name(later) == name(earlier));
    places
}

pub(super) fn find(children: &[DeclaredChild], by_name: &[u32], name: &str) -> Option<u32> {
    let found = by_name.binary_search_by(|place| (*children[*place as usize].name).cmp(name));
    found.ok().map(|found| by_name[found])
}

impl DeclaredChild {
    pub(super) fn new(spec: ChildSpec) -> (Self, Option<TaskSpec>) {
        match spec {
            ChildSpec::Task(mut spec) => {
                let name = spec.take_name();
                let driven = spec.driven();
                let child = Self::of(&name, spec.after(), spec.overrides(), None, driven);
                (child, Some(spec.with_name(name)))
            }
            ChildSpec::Group(group, driven) => {
                let Declared { name, after, overrides, .. } = &*group;
                (Self::of(name, after, overrides, Some(Arc::clone(&group)), Some(driven)), None)
            }
        }
    }

    /// Returns the child that a group is which is added at run time.
    pub(crate) fn of_added(group: &Arc<Declared>) -> Self {
        Self::of(&group.name, &[], &group.overrides, Some(Arc::clone(group)), Some(Driven::here()))
    }

    pub(super) fn of(
        name: &Arc<str>,
        after: &[Arc<str>],
        overrides: &Overrides,
        group: Option<Arc<Declared>>,
        driven: Option<Driven>,
    ) -> Self {
        let role = Role {
            critical: overrides.critical.is_some_and(Critical::is_set),
            significant: overrides.significant == Some(true),
            layers: group.as_ref().map_or(1, |group| group.layers),
            uncounted: overrides.readiness == Some(false),
            has_last: overrides.final_attempt == Some(true) && group.is_none(),
        };
        let is_plain = || {
            let ready_at_start = overrides.ready.is_none_or(|ready| ready == Ready::Start);
            ready_at_start && after.is_empty() && !role.critical && !role.significant && group.is_none()
        };
        debug_assert!(driven.is_some() || is_plain(), "an option of a task that needs a driver brings it along");
        let driven = driven.filter(|_| !is_plain());
        Self {
            name: Arc::clone(name),
            after: after.to_vec(),
            role,
            driven,
            #[cfg(feature = "fleet")]
            is_singleton: matches!(overrides.singleton, Some(Some(_))),
            group,
        }
    }

    pub(super) fn unknown(&self, after: &str, in_root: bool) -> InvalidOption {
        let expected = if in_root && cfg!(feature = "controller") {
            "the name of a sibling that is declared before it, or of a declared slot"
        } else {
            "the name of a sibling that is declared before it"
        };
        InvalidOption {
            subject: format!("`{}`", self.name),
            option: "after",
            value: format!("`{after}`"),
            expected: expected.into(),
        }
    }
}
