//! The declared order of nodes: which are after which.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The edges of the order, in both directions.
#[derive(Debug, Default)]
pub(crate) struct Order {
    after: HashMap<Arc<str>, Vec<Arc<str>>>,
    dependents: HashMap<Arc<str>, BTreeSet<Arc<str>>>,
}

impl Order {
    /// Enters the siblings that a node is after. They can change with a run of its group.
    pub(crate) fn set(&mut self, path: &Arc<str>, parent: Option<&str>, names: &[String]) {
        if names.is_empty() && !self.after.contains_key(path) {
            return;
        }
        let sibling = |name: &String| match parent {
            Some(parent) if !parent.is_empty() => format!("{parent}/{name}").into(),
            _ => name.as_str().into(),
        };
        let after: Vec<Arc<str>> = names.iter().map(sibling).collect();
        if self.after.get(path) == Some(&after) {
            return;
        }
        self.remove(path);
        for before in &after {
            self.dependents.entry(Arc::clone(before)).or_default().insert(Arc::clone(path));
        }
        if !after.is_empty() {
            self.after.insert(Arc::clone(path), after);
        }
    }

    pub(crate) fn remove(&mut self, path: &str) {
        for before in self.after.remove(path).unwrap_or_default() {
            if let Some(dependents) = self.dependents.get_mut(&before) {
                dependents.remove(path);
                if dependents.is_empty() {
                    self.dependents.remove(&before);
                }
            }
        }
    }

    /// Returns the nodes that are after one.
    pub(crate) fn dependents(&self, path: &str) -> impl Iterator<Item = Arc<str>> + use<'_> {
        self.dependents.get(path).into_iter().flatten().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_follow_what_is_declared_last_and_leave_nothing() {
        let mut order = Order::default();
        let (api, web): (Arc<str>, Arc<str>) = ("store/api".into(), "web".into());
        order.set(&api, Some("store"), &["pool".into(), "cache".into()]);
        order.set(&web, Some(""), &["store".into()]);
        assert_eq!(order.dependents("store/pool").collect::<Vec<_>>(), [Arc::clone(&api)]);
        assert_eq!(order.dependents("store").collect::<Vec<_>>(), [Arc::clone(&web)]);
        order.set(&api, Some("store"), &["cache".into()]);
        assert_eq!(order.dependents("store/pool").count(), 0);
        assert_eq!(order.dependents("store/cache").count(), 1);
        order.set(&api, Some("store"), &[]);
        order.remove("web");
        assert!(order.after.is_empty() && order.dependents.is_empty());
    }
}
