//! The values of one owner as texts, for [`NodeDetail`](crate::NodeDetail).

use super::owner::{Group, Owner, Task, Tree};
use super::sheet::GroupOptions;
use crate::policy::{Critical, Ready, ResolvedPolicy, RestartPolicy};
use crate::supervisor::SupervisorConfig;
use crate::tree::Declared;

/// Options with their texts.
pub(crate) type Shown = Vec<(&'static str, String)>;

/// Returns the options of a task.
pub(crate) fn of_task(policy: ResolvedPolicy) -> Shown {
    let mut shown = structure(&policy);
    let ready = match policy.ready {
        Ready::Start => "start",
        Ready::Signal => "signal",
        Ready::Completed => "completed",
        Ready::FirstSuccess => "first_success",
    };
    shown.push(("ready", ready.to_owned()));
    shown.extend(all(Owner::Task(Box::new(Task { name: "".into(), policy, changed: Vec::new() }))));
    shown
}

/// Returns the options of a group. `policy` is that of the group as a child.
pub(crate) fn of_group(group: &Declared, policy: ResolvedPolicy) -> Shown {
    let mut shown = structure(&policy);
    let options = GroupOptions::of(group);
    shown.extend(all(Owner::Group(Box::new(Group { options, policy, changed: Vec::new() }))));
    shown
}

/// Returns the options of a tree.
pub(crate) fn of_tree(config: SupervisorConfig, root: &Declared) -> Shown {
    all(Owner::Tree(Box::new(Tree { config, root: GroupOptions::of(root) })))
}

/// Returns the options of the program's structure.
fn structure(policy: &ResolvedPolicy) -> Shown {
    let restart = match policy.restart {
        RestartPolicy::Never => "never",
        RestartPolicy::OnFailure => "on_failure",
        RestartPolicy::Always { .. } => "always",
    };
    let critical = match policy.critical {
        Critical::No => "false",
        Critical::Failure => "true",
        Critical::AnyEnd => "any_end",
    };
    vec![("restart", restart.to_owned()), ("critical", critical.to_owned())]
}

/// Returns the options that overrides can change.
fn all(mut owner: Owner) -> Shown {
    let mut shown = Vec::new();
    for row in 0..owner.rows() {
        let Some(field) = owner.field(row) else { continue };
        for name in field.value.names(field.row) {
            shown.extend(owner.show(row, name).map(|text| (name, text)));
        }
    }
    shown
}
