//! `label = group(..)`: an entry that contains entries.

use syn::Expr;

use super::{Child, ChildKind, Group, entry};
use crate::argument::{List, peel};
use crate::options::{Options, Place};
use crate::reader::Reader;
use crate::table::{Key, Misplaced, Read};

const MISPLACED: &Misplaced = &[
    ("name", "the label is the name of the group"),
    ("groups", "groups stand in `tasks = [..]`, as `label = group(..)`"),
    ("interval", "a group that restarts does so at once, or after its `backoff`"),
];

/// Options that belong to the strategy.
pub(super) const IN_LIMIT: &Misplaced = &[
    ("max_restarts", "write it with the strategy, as in `strategy = one_for_one(max_restarts = .., within = ..)`"),
    ("within", "write it with the strategy, as in `strategy = one_for_one(max_restarts = .., within = ..)`"),
];

impl<T: AsMut<Group>> Key<T> {
    pub(super) const TASKS: Self = Self::new(
        "tasks",
        "tasks = [..]",
        Read::Value(|target, key, value, reader| {
            for expr in reader.elements(key, value) {
                let child = entry::read(expr, reader);
                let children = child.map(|child| Child { cfgs: [&*reader.key_cfgs, &child.cfgs].concat(), ..child });
                target.as_mut().children.extend(children);
            }
        }),
    );
}

/// The list of a `group(..)`.
#[derive(Default)]
struct Declared {
    group: Group,
    options: Options,
}

impl AsMut<Group> for Declared {
    fn as_mut(&mut self) -> &mut Group {
        &mut self.group
    }
}

impl AsMut<Options> for Declared {
    fn as_mut(&mut self) -> &mut Options {
        &mut self.options
    }
}

/// Reads the list of a `group(..)`.
pub(super) fn read(list: &List, reader: &mut Reader) -> (ChildKind, Options) {
    let mut declared = Declared::default();
    let is_member = |argument: &&Expr| matches!(peel(argument), Expr::Struct(_) | Expr::Range(_) | Expr::Array(_));
    if let Some(member) = list.iter().find(is_member) {
        reader.errors.push(member, "the members of a group stand in `tasks = [..]`");
    }
    let list = list.iter().filter(|argument| !is_member(argument));
    let keys = [&[&Key::TASKS, &Key::STRATEGY, &Key::AFTER], &*Place::Group.keys()].concat();
    Place::Group.read("option", &keys, &[IN_LIMIT, MISPLACED], list, &mut declared, reader);
    (ChildKind::Group(Box::new(declared.group)), declared.options)
}

#[cfg(test)]
pub(super) fn names() -> Vec<&'static str> {
    [&["tasks", "strategy"], &*Place::Group.names()].concat()
}
