//! Tables of what an argument list may hold, and the one reader of such lists.
//!
//! `#[task(..)]`, `task(..)`, `defaults(..)`, `backoff(..)` and `supervise!(..)` itself are all read
//! by [`Table::read`]. A new option is a row.

use proc_macro2::Ident;
use syn::Expr;

use crate::argument::{self, Form, List};
use crate::reader::Reader;
use crate::suggest;

/// How the value of a key is read into `T`.
pub(crate) enum Read<T> {
    /// `key = value`
    Value(fn(&mut T, &Ident, &Expr, &mut Reader)),
    /// `key(..)`
    List(fn(&mut T, &Ident, &List, &mut Reader)),
}

/// One row: a key, how to write it, and how it is read.
pub(crate) struct Key<T> {
    pub(crate) name: &'static str,
    /// What the user should have written, for messages.
    pub(crate) usage: &'static str,
    pub(crate) read: Read<T>,
}

/// What one kind of list may hold.
pub(crate) struct Table<T: 'static> {
    /// What a key is called in messages: `option`, `key`, `field`.
    pub(crate) noun: &'static str,
    pub(crate) keys: &'static [&'static Key<T>],
    /// Keys of other lists that people write here, each with what to do instead.
    pub(crate) misplaced: &'static [&'static [(&'static str, &'static str)]],
}

impl<T> Table<T> {
    /// Reads every argument of `list` into `target`. What is wrong with one leaves the others be.
    pub(crate) fn read<'a>(&self, list: impl IntoIterator<Item = &'a Expr>, target: &mut T, reader: &mut Reader) {
        let mut seen: Vec<Ident> = Vec::new();
        for argument in list {
            if reader.is_unreadable(argument) {
                continue;
            }
            if let Some(attribute) = argument::attributes(argument).first() {
                let message = format!("no attribute can stand before {} {}", self.article(), self.noun);
                reader.errors.push(attribute, message);
                continue;
            }
            let Some((key, form)) = argument::form(argument) else {
                reader.errors.push(argument, self.expected());
                continue;
            };
            let Some(row) = self.keys.iter().find(|row| key == row.name) else {
                reader.errors.push(&key, self.unknown(&key.to_string()));
                continue;
            };
            if let Some(first) = seen.iter().find(|first| **first == key) {
                let message = format!("`{key}` is given twice, keep one");
                reader.errors.push_repeated(first, &key, message);
                continue;
            }
            read_row(row, &key, &form, target, reader);
            seen.push(key);
        }
    }

    fn expected(&self) -> String {
        let usage = self.keys.first().map_or("key = value", |row| row.usage);
        format!("expected {} {}, for example `{usage}`", self.article(), self.noun)
    }

    fn unknown(&self, key: &str) -> String {
        let noun = self.noun;
        if let Some((_, instead)) = self.misplaced.iter().copied().flatten().find(|(name, _)| *name == key) {
            return format!("`{key}` cannot be given here: {instead}");
        }
        let known = || self.keys.iter().map(|row| row.name);
        match suggest::closest(key, known()) {
            Some(meant) => format!("unknown {noun} `{key}`, did you mean `{meant}`?"),
            None => format!("unknown {noun} `{key}`, expected {}", suggest::list(known(), '`')),
        }
    }

    fn article(&self) -> &'static str {
        match self.noun.chars().next() {
            Some('a' | 'e' | 'i' | 'o' | 'u') => "an",
            _ => "a",
        }
    }
}

fn read_row<T>(row: &Key<T>, key: &Ident, form: &Form<'_>, target: &mut T, reader: &mut Reader) {
    match (&row.read, form) {
        (Read::Value(read), Form::Value(value)) => read(target, key, value, reader),
        (Read::List(read), Form::List(list)) => read(target, key, list, reader),
        (Read::Value(_), _) => {
            let message = format!("`{key}` takes a value: `{}`", row.usage);
            reader.errors.push(key, message);
        }
        (Read::List(_), _) => {
            let message = format!("`{key}` takes a list: `{}`", row.usage);
            reader.errors.push(key, message);
        }
    }
}
