//! Parses the lists of options.

use syn::{Expr, Ident, Lit, Path};

use super::limit::IN_LIMIT;
use super::table::{ROWS, Row, Use};
use super::{Backoff, Jitter, Options, Place};
use crate::argument::{as_ident, attributes, peel};
use crate::path::is_name;
use crate::reader::{Given, Purpose, Reader};
use crate::table::{self, Key, Misplaced, Read, Table};

impl<T: AsMut<Options>> Key<T> {
    pub(crate) const AFTER: Self = Self::new(
        "after",
        "after = [store]",
        Read::Value(|target, key, value, reader| target.as_mut().after = parse_after(key, value, reader)),
    );
}

const CRATE: Key<Options> = Key::new(
    "crate",
    "crate = \"path::to::taskvisor\"",
    Read::Value(|options, _, value, reader| options.krate = parse_crate(value, reader)),
);
const STRUCT: Key<Options> = Key::new(
    "struct",
    "struct = PingTask",
    Read::Value(|options, _, value, reader| {
        options.struct_name = as_ident(value).filter(is_name);
        if options.struct_name.is_none() && !reader.is_unreadable(value) {
            reader.errors.push(value, "`struct` is the name of the struct: write for example `struct = PingTask`");
        }
    }),
);
const CONSTANT_NAME: Key<Options> = Key::new(
    "name",
    "name = \"..\"",
    Read::Value(|options, key, value, reader| {
        options.name = Some(Given::new(key, reader.constant_text(key, value)));
    }),
);
const NAME: Key<Options> = Key::new("name", "name = \"..\"", Read::Text(|options| &mut options.name));

const OF_ATTRIBUTE: &Misplaced = &[
    ("after", "the tree says what comes after what, in `task(.., after = [..])`"),
    ("last_run", "it is known when the tree is made, in `task(.., last_run = ..)`"),
];

const IN_ORDER: &Misplaced = &[("before", "write `after = [..]` on the task that comes later")];

const OF_ENTRY: &Misplaced = &[
    ("task", "each entry of `tasks = [..]` is one task"),
    ("group", "a group is an entry of its own in `tasks = [..]`"),
    ("crate", "it is an option of `#[task]` and a key of `supervise!`"),
    ("struct", "it is an option of `#[task]`"),
];

const OF_DEFAULTS: &Misplaced = &[("name", "each task has its own"), ("after", "each task has its own, in `task(..)`")];

pub(crate) const IN_BACKOFF: &Misplaced = &[
    ("first", "write `backoff(first = ..)`"),
    ("max", "write `backoff(max = ..)`"),
    ("factor", "write `backoff(factor = ..)`"),
    ("jitter", "write `backoff(jitter = ..)`; what shifts a period is `splay = ..`"),
    ("reset_after", "write `backoff(reset_after = ..)`"),
];

pub(crate) const IN_SUPERVISE: &Misplaced = &[
    ("config", "it is a key of `supervise!`"),
    ("controller", "it is a key of `supervise!`"),
    ("defaults", "it is a key of `supervise!`"),
    ("drain", "it is a key of `supervise!`"),
    (
        "fleet",
        "it is a key of `supervise!` and an option of `slot(..)`, and what runs once in a fleet is a `singleton`",
    ),
    ("grace", "it is a key of `supervise!`"),
    ("limits", "it is a key of `supervise!`"),
    ("max_concurrent", "it is a key of `supervise!`, and an option of `group(..)`"),
    ("max_starting", "it is a key of `supervise!`, and an option of `group(..)`"),
    ("overrides", "it is a key of `supervise!`"),
    ("signals", "it is a key of `supervise!`"),
    ("slots", "it is a key of `supervise!`"),
    ("subscribers", "it is a key of `supervise!`"),
];

/// Returns `backoff(first = ..)` for a field of a list, and `timeout = ..` for an option.
pub(crate) fn in_its_list(key: &str) -> String {
    let advice = [IN_BACKOFF, IN_LIMIT].into_iter().flatten().find(|(name, _)| *name == key);
    let advice = advice.and_then(|(_, advice)| advice.split('`').nth(1));
    advice.map_or_else(|| format!("{key} = .."), ToOwned::to_owned)
}

/// Options of the leases of a fleet.
pub(crate) const OF_FLEET: &Misplaced = &[
    ("ttl", "a lease has that of its fleet, as in `Fleet::new(store).ttl(..)`, and an attempt has its `timeout`"),
    ("lease", "the leases are those of the fleet, as in `Fleet::new(store).ttl(..)`"),
];

const IN_GROUP: &Misplaced = &[
    ("dynamic", "it is an option of `group(..)`"),
    ("fresh", "it is an option of `group(..)`"),
    ("strategy", "it is a key of `supervise!`, and an option of `group(..)`"),
    ("tasks", "it is a key of `supervise!`, and an option of `group(..)`"),
];

/// What is given to the function as arguments.
const OF_ARGUMENTS: &Misplaced = &[
    ("state", ARGUMENT),
    ("args", ARGUMENT),
    ("arguments", ARGUMENT),
    ("params", ARGUMENT),
    ("input", ARGUMENT),
    ("data", ARGUMENT),
];

const ARGUMENT: &str =
    "what a task uses are arguments of its function, which its entry gives as fields, as in `ping { client }`";

/// What is about jobs, of which many can arrive at a time.
const OF_JOBS: &Misplaced = &[
    (
        "concurrency_policy",
        "attempts of a task never overlap, and what arrives while one runs is for a slot, as in `slot(deploy, admission = \"queue\")`",
    ),
    ("rate_limit", "the jobs of a slot have one, as in `slot(deploy, rate = \"10/1m\")`"),
];

/// Options about the function.
pub(crate) const OF_FUNCTION: &Misplaced = &[
    ("blocking", "it is an option of `#[task]`, for a function that is not async"),
    ("retry_if", "it is an option of `#[task]`, where the type of the error is known"),
];

pub(super) const BACKOFF_FIELDS: Table<Backoff> = Table {
    list: "backoff",
    noun: "`backoff` field",
    keys: &[
        &Key::new("first", "first = \"100ms\"", Read::Duration(|backoff| &mut backoff.first)),
        &Key::new("max", "max = \"30s\"", Read::Duration(|backoff| &mut backoff.max)),
        &Key::new("factor", "factor = 2.0", Read::Factor(|backoff| &mut backoff.factor)),
        &Key::new(
            "jitter",
            "jitter = \"equal\"",
            Read::Value(|backoff, key, value, reader| {
                backoff.jitter = Some(Given::new(key, reader.word(key, value, &Jitter::WORDS, Purpose::Jitter)));
            }),
        ),
        &Key::new("reset_after", "reset_after = \"60s\"", Read::Duration(|backoff| &mut backoff.reset_after)),
    ],
    misplaced: &[&[("max_retries", "it is an option of its own, beside `backoff(..)`")]],
};

impl Options {
    /// Reads the options of one list.
    pub(crate) fn parse<'a>(place: Place, list: impl IntoIterator<Item = &'a Expr>, reader: &mut Reader) -> Self {
        let mut options = Self { is_partial: reader.recovered, ..Self::default() };
        let (noun, own, misplaced): (_, &[_], _) = match place {
            Place::Attribute => ("option", &[&CONSTANT_NAME, &STRUCT, &CRATE], OF_ATTRIBUTE),
            Place::Entry => ("option", &[&Key::AFTER, &NAME], OF_ENTRY),
            Place::Group => ("option", &[&Key::AFTER, &Key::MAX_CONCURRENT], &[]),
            Place::Defaults => ("default", &[], OF_DEFAULTS),
        };
        let keys = [&place.keys(), own].concat();
        place.read(noun, &keys, &[misplaced], list, &mut options, reader);
        options
    }
}

impl Place {
    /// Returns the keys of the table that are valid here.
    pub(crate) fn keys<T: AsMut<Options>>(self) -> Vec<&'static Key<T>> {
        let rows = ROWS.iter().zip(Key::OF_ROWS);
        rows.filter(|(row, _)| self.has(row)).map(|(_, key)| key).collect()
    }

    /// Reads a list of these keys. An option that is invalid here is an error that names the valid place.
    pub(crate) fn read<'a, T>(
        self,
        noun: &'static str,
        keys: &[&Key<T>],
        misplaced: &[&Misplaced],
        list: impl IntoIterator<Item = &'a Expr>,
        target: &mut T,
        reader: &mut Reader,
    ) {
        let elsewhere = self.elsewhere();
        let misplaced = [
            misplaced,
            &[
                IN_BACKOFF,
                IN_SUPERVISE,
                IN_GROUP,
                IN_ORDER,
                IN_LIMIT,
                OF_FLEET,
                OF_ARGUMENTS,
                OF_JOBS,
                &elsewhere,
                OF_FUNCTION,
            ],
        ]
        .concat();
        table::read((self.list(), noun), keys, &misplaced, list, target, reader);
    }

    /// Returns the names of all options in the table.
    pub(crate) fn all() -> impl Iterator<Item = &'static str> {
        ROWS.iter().map(|row| row.name)
    }

    /// Returns the name of the module with the docs of its keys.
    fn list(self) -> &'static str {
        match self {
            Self::Attribute => "attribute",
            Self::Entry => "entry",
            Self::Group => "group",
            Self::Defaults => "defaults",
        }
    }

    fn has(self, row: &Row) -> bool {
        match self {
            Self::Attribute => !matches!(row.task, Use::No | Use::OfEntry(_)),
            Self::Entry => !matches!(row.task, Use::No | Use::OfFunction),
            Self::Group => row.group != Use::No,
            Self::Defaults => row.defaults != Use::No,
        }
    }

    /// Returns the options that are invalid here because each task has its own.
    fn elsewhere(self) -> Vec<(&'static str, &'static str)> {
        let rows = ROWS.iter().filter(|row| Self::Entry.has(row) && !self.has(row));
        let advice = |row: &Row| match row.task {
            Use::OfEntry(_) => "each task has its own, in `task(..)`",
            _ => "each task has its own, in `#[task(..)]` or `task(..)`",
        };
        rows.map(|row| (row.name, advice(row))).collect()
    }

    /// Returns the names of the options that are valid here.
    pub(crate) fn names(self) -> Vec<&'static str> {
        let own: &[&str] = match self {
            Self::Attribute => &["name", "struct", "crate"],
            Self::Entry => &["after", "name"],
            Self::Group => &["after", "max_concurrent", "max_starting", "dynamic", "fresh"],
            Self::Defaults => &[],
        };
        ROWS.iter().filter(|row| self.has(row)).map(|row| row.name).chain(own.iter().copied()).collect()
    }
}

/// Returns the advice for options of tasks beside `defaults(..)`.
pub(crate) fn in_defaults() -> Vec<(&'static str, &'static str)> {
    let defaults = ROWS.iter().filter(|row| Place::Defaults.has(row)).map(|row| (row.name, row.write_default));
    defaults.chain(Place::Defaults.elsewhere()).collect()
}

#[cfg(test)]
impl Backoff {
    pub(crate) fn names() -> Vec<&'static str> {
        BACKOFF_FIELDS.names()
    }
}

impl AsMut<Self> for Options {
    fn as_mut(&mut self) -> &mut Self {
        self
    }
}

/// Parses the names in `after = [..]`.
fn parse_after(key: &Ident, value: &Expr, reader: &mut Reader) -> Vec<Ident> {
    let mut names = Vec::new();
    for element in reader.elements(key, value) {
        if let Some(attribute) = attributes(&element).first() {
            let message = "an attribute stands before an entry: a name is left out with the entry that has it";
            reader.errors.push(attribute, message);
        }
        match as_ident(&element) {
            Some(name) => names.push(name),
            None if reader.is_unreadable(&element) => {}
            None => {
                let message = match as_member(&element) {
                    Some(group) => {
                        format!("`after` cannot name an entry of a group: write `after = [{group}]` for all of it")
                    }
                    None => "`after` names entries by their label, as in `after = [store]`".into(),
                };
                reader.errors.push(&element, message);
            }
        }
    }
    names
}

/// Returns `store` for `store.pool` and `store.inner.pool`.
fn as_member(value: &Expr) -> Option<String> {
    let Expr::Field(field) = peel(value) else { return None };
    as_ident(&field.base).map(|group| group.to_string()).or_else(|| as_member(&field.base))
}

/// Parses the path to taskvisor, as a string or a path.
pub(crate) fn parse_crate(value: &Expr, reader: &mut Reader) -> Option<Path> {
    let written = match peel(value) {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => text.parse_with(Path::parse_mod_style).ok(),
            _ => None,
        },
        Expr::Path(path) if path.qself.is_none() => Some(path.path.clone()),
        _ => None,
    };
    if written.is_none() && !reader.is_unreadable(value) {
        let message = "`crate` is a path: write for example `crate = \"my_crate::taskvisor\"`";
        reader.errors.push(value, message);
    }
    written
}
