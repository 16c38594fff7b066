//! `label = group(..)`: an entry that holds entries of its own.

use super::{ChildKind, Group, entry};
use crate::argument::List;
use crate::options::{IN_BACKOFF, IN_SUPERVISE, OF_EACH_TASK, OF_FUNCTION, Options};
use crate::reader::Reader;
use crate::table::{Key, Read, Table};

const OF_GROUP: Table<Declared> = Table {
    noun: "option",
    keys: &[
        &Key::TASKS,
        &Key::STRATEGY,
        &Key::AFTER,
        &Key::RESTART,
        &Key::MAX_RETRIES,
        &Key::BACKOFF,
        &Key::CRITICAL,
        &Key::SIGNIFICANT,
        &Key::READINESS,
    ],
    misplaced: &[
        IN_LIMIT,
        IN_BACKOFF,
        IN_SUPERVISE,
        &[
            ("name", "the label is the name of the group"),
            ("groups", "groups stand in `tasks = [..]`, as `label = group(..)`"),
            ("interval", "a group that restarts does so at once, or after its `backoff`"),
            ("timeout", "each task has its own, in `#[task(..)]` or `task(..)`"),
            ("start_timeout", "each task has its own, in `#[task(..)]` or `task(..)`"),
            ("cleanup", "each task has its own, in `#[task(..)]` or `task(..)`"),
            ("stop_timeout", "each task has its own, in `#[task(..)]` or `task(..)`"),
        ],
        OF_EACH_TASK,
        OF_FUNCTION,
    ],
};

/// Options that belong to the strategy.
pub(super) const IN_LIMIT: &crate::table::Misplaced = &[
    ("max_restarts", "write `strategy = one_for_one(max_restarts = .., within = ..)`"),
    ("within", "write `strategy = one_for_one(max_restarts = .., within = ..)`"),
];

impl<T: AsMut<Group>> Key<T> {
    pub(super) const TASKS: Self = Self::new(
        "tasks",
        "tasks = [..]",
        Read::Value(|target, key, value, reader| {
            for expr in reader.elements(key, value) {
                target.as_mut().children.extend(entry::read(expr, reader));
            }
        }),
    );
}

/// What the list of a `group(..)` says.
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
    OF_GROUP.read(list, &mut declared, reader);
    (ChildKind::Group(declared.group), declared.options)
}

#[cfg(test)]
pub(super) fn names() -> Vec<&'static str> {
    OF_GROUP.names()
}
