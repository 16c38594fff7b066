//! The table of keys, one row a key.

use proc_macro2::TokenStream;
use syn::Expr;

use super::{Declaration, Subscriber, entry};
use crate::argument::{self, List, peel};
use crate::options::{Options, Place, parse_crate};
use crate::reader::{Given, Purpose, Reader};
use crate::table::{Key, Read, Table};

const KEYS: Table<Declaration> = Table {
    noun: "key",
    keys: &[
        &Key {
            name: "tasks",
            usage: "tasks = [..]",
            read: Read::Value(|declaration, _, value, reader| {
                for expr in elements("tasks", value, reader) {
                    declaration.children.extend(entry::read(expr, reader));
                }
            }),
        },
        &Key {
            name: "subscribers",
            usage: "subscribers = [..]",
            read: Read::Value(|declaration, _, value, reader| {
                for expr in elements("subscribers", value, reader) {
                    declaration.subscribers.extend(subscriber(expr, reader));
                }
            }),
        },
        &Key {
            name: "config",
            usage: "config = SupervisorConfig::default()",
            read: Read::Value(|declaration, _, value, reader| {
                if !reader.is_unreadable(value) {
                    declaration.config = Some(reader.bind(Purpose::Config, value));
                }
            }),
        },
        &Key {
            name: "grace",
            usage: "grace = \"30s\"",
            read: Read::Value(|declaration, key, value, reader| {
                declaration.grace = Some(Given::new(key, reader.duration(key, value)));
            }),
        },
        &Key {
            name: "drain",
            usage: "drain = \"5s\"",
            read: Read::Value(|declaration, key, value, reader| {
                declaration.drain = Some(Given::new(key, reader.duration(key, value)));
            }),
        },
        &Key {
            name: "max_concurrent",
            usage: "max_concurrent = 4",
            read: Read::Value(|declaration, key, value, reader| {
                declaration.max_concurrent = Some(Given::new(key, reader.usize(key, value)));
            }),
        },
        &Key {
            name: "signals",
            usage: "signals = false",
            read: Read::Value(|declaration, key, value, reader| {
                declaration.signals = Some(Given::new(key, reader.switch(key, value)));
            }),
        },
        &Key {
            name: "defaults",
            usage: "defaults(restart = \"always\", timeout = \"5s\")",
            read: Read::List(|declaration, _, list, reader| {
                declaration.defaults = Some(Options::parse(Place::Defaults, list, reader));
            }),
        },
        &Key {
            name: "name",
            usage: "name = \"..\"",
            read: Read::Value(|declaration, key, value, reader| {
                declaration.name = Some(Given::new(key, reader.text(key, value)));
            }),
        },
        &Key {
            name: "crate",
            usage: "crate = path::to::taskvisor",
            read: Read::Value(|declaration, _, value, reader| {
                declaration.krate = parse_crate(value, reader);
            }),
        },
    ],
    misplaced: &[&[
        ("restart", "write `defaults(restart = ..)`"),
        ("interval", "write `defaults(interval = ..)`"),
        ("timeout", "write `defaults(timeout = ..)`"),
        ("stop_timeout", "write `defaults(stop_timeout = ..)`"),
        ("max_retries", "write `defaults(max_retries = ..)`"),
        ("backoff", "write `defaults(backoff(..))`"),
        ("task", "tasks stand in `tasks = [..]`"),
        ("every", "each task has its own, in `#[task(..)]` or `task(..)`"),
        ("initial_delay", "each task has its own, in `#[task(..)]` or `task(..)`"),
    ]],
};

impl Declaration {
    pub(super) fn parse(input: TokenStream, reader: &mut Reader) -> Self {
        let list = argument::parse_list(input, reader);
        let mut declaration = Self::default();
        KEYS.read(&list, &mut declaration, reader);
        declaration
    }
}

/// The elements of a list in brackets.
fn elements<'a>(key: &str, value: &'a Expr, reader: &mut Reader) -> impl Iterator<Item = &'a Expr> + use<'a> {
    const EMPTY: &List = &List::new();
    let elements = match peel(value) {
        Expr::Array(array) => &array.elems,
        _ if reader.is_unreadable(value) => EMPTY,
        _ => {
            reader.errors.push(value, format!("`{key}` is a list: write `{key} = [..]`"));
            EMPTY
        }
    };
    elements.iter()
}

fn subscriber(expr: &Expr, reader: &mut Reader) -> Option<Subscriber> {
    if reader.is_unreadable(expr) {
        return None;
    }
    let (expr, cfgs) = entry::split_cfgs(expr, reader);
    if let Expr::Range(range) = peel(&expr) {
        reader.errors.push(range, "a spread stands in `tasks` only: write each subscriber");
        return None;
    }
    reader.cfgs.clone_from(&cfgs);
    let value = reader.bind(Purpose::Subscriber, &expr);
    reader.cfgs.clear();
    Some(Subscriber { value, cfgs })
}
