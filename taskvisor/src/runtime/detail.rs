//! Builds the details of one task or group.

use super::core::Core;
use crate::inspect::{NodeDetail, NodeError, NodeKind, WaitingFor, messages};
use crate::panics::drop_caught;
use crate::policy::ResolvedPolicy;
use crate::settings::{Shown, of_group, of_task, of_tree};

impl Core {
    /// Returns the details of the task or group at the path. `None` if there is none.
    pub(crate) fn detail(&self, path: &str) -> Option<NodeDetail> {
        let node = self.node(path)?;
        let (options, error) = match node.kind {
            NodeKind::Task => self.detail_of_task(path)?,
            NodeKind::Group(_) => self.detail_of_group(path)?,
        };
        let awaits = match &node.waiting_for {
            Some(WaitingFor::After(paths)) => paths.clone(),
            Some(WaitingFor::Permit | WaitingFor::Limit(_)) => self.holders(path),
            _ => Vec::new(),
        };
        Some(NodeDetail { node, options, error, awaits })
    }

    /// Returns the tasks that hold the permits of the limit that the task waits for.
    fn holders(&self, path: &str) -> Vec<String> {
        let Some(cell) = self.place(path) else { return Vec::new() };
        let holders = self.limits.holders(&cell);
        let _ = drop_caught(cell);
        holders.iter().map(ToString::to_string).collect()
    }

    fn detail_of_task(&self, path: &str) -> Option<(Shown, Option<NodeError>)> {
        let Some(cell) = self.place(path) else {
            return Some((of_task(self.declared_policy(path)?), None));
        };
        let options = of_task(ResolvedPolicy::clone(cell.policy()));
        let error = cell.status().last_error.and_then(|error| {
            let messages = messages(&*error);
            let _ = drop_caught(error);
            NodeError::of_messages(messages)
        });
        let _ = drop_caught(cell);
        Some((options, error))
    }

    /// Returns the policy of a task that has not started.
    fn declared_policy(&self, path: &str) -> Option<ResolvedPolicy> {
        let root = self.declared_root()?;
        let (group, name) = match path.rsplit_once('/') {
            Some((group, name)) => (self.declared(&root, group)?.group?, name),
            None => (root, path),
        };
        let spec = group.task(group.place(name)?)?;
        let policy = spec.overrides().resolve(&self.config);
        let _ = drop_caught(spec);
        Some(policy)
    }

    fn detail_of_group(&self, path: &str) -> Option<(Shown, Option<NodeError>)> {
        let root = self.root_or_none();
        let error = self.group_place(path).and_then(|group| group.failure());
        let error = error.and_then(|failure| NodeError::of_messages(messages(&failure)));
        if path.is_empty() {
            return Some((of_tree(self.config.clone(), &root), error));
        }
        let group = self.declared(&root, path)?.group?;
        Some((of_group(&group, group.overrides.resolve_group(&self.config)), error))
    }
}
