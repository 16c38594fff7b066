//! The table of keys, one row for each key.

use proc_macro2::TokenStream;
use syn::Expr;

use super::group::IN_LIMIT;
use super::{Declaration, Group, entry};
use crate::argument::{self, peel};
use crate::options::{OF_FLEET, OF_FUNCTION, Options, Place, in_defaults, parse_crate};
use crate::reader::{Purpose, Reader};
use crate::table::{self, Key, Read, Table};

const KEYS: Table<Declaration> = Table {
    list: "tree",
    noun: table::KEY,
    keys: &[
        &Key::TASKS,
        &Key::STRATEGY,
        &Key::SUBSCRIBERS,
        &Key::new(
            "config",
            "config = SupervisorConfig::default()",
            Read::Value(|declaration, _, value, reader| {
                if !reader.is_unreadable(value) {
                    declaration.config = Some((reader.bind(Purpose::Config, value), reader.key_cfgs.clone()));
                }
            }),
        ),
        &Key::new(
            "controller",
            "controller = ControllerConfig::default()",
            Read::Value(|declaration, key, value, reader| {
                if !reader.is_unreadable(value) {
                    let local = reader.bind(Purpose::Controller, value);
                    declaration.controller = Some((key.clone(), local, reader.key_cfgs.clone()));
                }
            }),
        ),
        &Key::FLEET,
        &Key::LIMITS,
        &Key::SLOTS,
        &Key::new("grace", "grace = \"30s\"", Read::Duration(|declaration| &mut declaration.grace)),
        &Key::new("drain", "drain = \"5s\"", Read::Duration(|declaration| &mut declaration.drain)),
        &Key::new("max_concurrent", "max_concurrent = 4", Read::Usize(|declaration| &mut declaration.max_concurrent)),
        &Key::new("max_starting", "max_starting = 8", Read::Usize(|declaration| &mut declaration.max_starting)),
        &Key::new(
            "signals",
            "signals = false` or `signals(force_after = \"2s\")",
            Read::Held(|declaration| &mut declaration.signals),
        ),
        &Key::new(
            "defaults",
            "defaults(restart = \"always\", timeout = \"5s\")",
            Read::List(|declaration, _, list, reader| {
                declaration.defaults = Some((Options::parse(Place::Defaults, list, reader), reader.key_cfgs.clone()));
            }),
        ),
        &Key::new(
            "overrides",
            "overrides = Overrides::env(\"APP\")",
            Read::Value(|declaration, key, value, reader| {
                if let Expr::Lit(_) | Expr::Array(_) = peel(value) {
                    let message = format!(
                        "`{key}` is a value of the type `Overrides`: write `{key} = Overrides::env(\"APP\")`, or \
                         `Overrides::file(..)`"
                    );
                    reader.errors.push(value, message);
                } else if !reader.is_unreadable(value) {
                    declaration.overrides = Some((reader.bind(Purpose::Overrides, value), reader.key_cfgs.clone()));
                }
            }),
        ),
        &Key::new("name", "name = \"..\"", Read::Text(|declaration| &mut declaration.name)),
        &Key::new(
            "crate",
            "crate = path::to::taskvisor",
            Read::Value(|declaration, _, value, reader| declaration.krate = parse_crate(value, reader)),
        ),
    ],
    misplaced: &[
        IN_LIMIT,
        OF_FLEET,
        &[
            ("backoff", "write `defaults(backoff(..))`"),
            (
                "limit",
                "a limit with a name stands in `limits = [limit(db, 4)]`, and one of failures after the strategy, as in \
                 `strategy = one_for_one(max_restarts = 5, within = \"60s\")`",
            ),
            ("slot", "slots stand in `slots = [..]`"),
            (
                "queue_capacity",
                "write `controller = ControllerConfig { queue_capacity: .., ..ControllerConfig::default() }`",
            ),
            (
                "slot_capacity",
                "write `controller = ControllerConfig { slot_capacity: .., ..ControllerConfig::default() }`",
            ),
            ("task", "tasks stand in `tasks = [..]`"),
            ("group", "groups stand in `tasks = [..]`, as `label = group(..)`"),
            ("groups", "groups stand in `tasks = [..]`, as `label = group(..)`"),
            ("after", "it is an option of `task(..)` and `group(..)`"),
            (
                "singleton",
                "it is an option of `#[task(..)]`, `task(..)` and `group(..)`, and the fleet is `fleet = ..`",
            ),
            ("dynamic", "it is an option of `group(..)`"),
            ("fresh", "it is an option of `group(..)`"),
        ],
        OF_FUNCTION,
    ],
};

impl Declaration {
    pub(super) fn parse(input: TokenStream, reader: &mut Reader) -> Self {
        let list = argument::parse_list(input, reader);
        let mut declaration = Self::default();
        let in_defaults = in_defaults();
        let misplaced = [KEYS.misplaced, &[&*in_defaults]].concat();
        table::read((KEYS.list, KEYS.noun), KEYS.keys, &misplaced, &list, &mut declaration, reader);
        // Entries without `tasks = [..]`, which was reported.
        for entry in list.iter().filter(|argument| KEYS.is_entry(argument)) {
            declaration.root.children.extend(entry::read(entry, reader));
        }
        declaration.is_partial = reader.recovered;
        declaration
    }
}

impl AsMut<Group> for Declaration {
    fn as_mut(&mut self) -> &mut Group {
        &mut self.root
    }
}

#[cfg(test)]
pub(super) fn names() -> Vec<&'static str> {
    KEYS.names()
}
