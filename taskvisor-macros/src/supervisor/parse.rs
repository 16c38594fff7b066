//! Parses the only option.

use syn::{Expr, Path};

use crate::options::{IN_SUPERVISE, parse_crate};
use crate::reader::Reader;
use crate::table::{Key, Read, Table};

const OPTIONS: Table<Option<Path>> = Table {
    list: "supervisor",
    noun: "option",
    keys: &[&Key::new(
        "crate",
        "crate = \"path::to::taskvisor\"",
        Read::Value(|krate, _, value, reader| *krate = parse_crate(value, reader)),
    )],
    misplaced: &[IN_SUPERVISE, IN_CALL],
};

/// The parts that belong to the tree.
const IN_CALL: &crate::table::Misplaced = &[
    ("name", "it is a key of `supervise!`"),
    ("strategy", "it is a key of `supervise!`"),
    ("tasks", "it is a key of `supervise!`"),
];

/// The path of taskvisor, if it is given.
pub(super) fn read<'a>(list: impl IntoIterator<Item = &'a Expr>, reader: &mut Reader) -> Option<Path> {
    let mut krate = None;
    OPTIONS.read(list, &mut krate, reader);
    krate
}

#[cfg(test)]
pub(crate) fn names() -> Vec<&'static str> {
    OPTIONS.names()
}
