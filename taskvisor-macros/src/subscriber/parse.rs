//! The table of options, one row for each option.

use syn::Expr;

use super::Options;
use crate::options::parse_crate;
use crate::reader::{Given, Reader};
use crate::table::{Key, Read, Table};

const OPTIONS: Table<Options> = Table {
    list: "subscriber",
    noun: "option",
    keys: &[
        &Key::new("queue", "queue = 1024", Read::Usize(|options| &mut options.queue)),
        &Key::new(
            "name",
            "name = \"..\"",
            Read::Value(|options, key, value, reader| {
                options.name = Some(Given::new(key, reader.constant_text(key, value)));
            }),
        ),
        &Key::new(
            "crate",
            "crate = \"path::to::taskvisor\"",
            Read::Value(|options, _, value, reader| options.krate = parse_crate(value, reader)),
        ),
    ],
    misplaced: &[&[("queue_capacity", "write `queue = ..`"), ("capacity", "write `queue = ..`")]],
};

#[cfg(test)]
pub(crate) fn names() -> Vec<&'static str> {
    OPTIONS.names()
}

impl Options {
    pub(super) fn parse<'a>(list: impl IntoIterator<Item = &'a Expr>, reader: &mut Reader) -> Self {
        let mut options = Self::default();
        OPTIONS.read(list, &mut options, reader);
        options
    }
}
