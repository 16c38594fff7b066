//! The tables of argument lists, and their reader.
//!
//! [`Table::read`] reads `#[task(..)]`, `task(..)`, `group(..)`, `defaults(..)`, `backoff(..)`, the limit of a strategy
//! and `supervise!(..)` itself. A new key is a row.

mod rows;

use std::time::Duration;

use proc_macro2::Ident;
use syn::{Expr, LitStr};

use self::rows::Rows;
use crate::argument::{self, Form, List, peel};
use crate::options::Held;
use crate::reader::{Given, Reader, Value};
use crate::{meant, unlisted};

/// The field that stores a value.
type Slot<T, V> = fn(&mut T) -> &mut Option<Given<V>>;

/// The way in which a key is read into `T`.
pub(crate) enum Read<T> {
    /// `key = ".."`, or an expression of type `Duration`
    Duration(Slot<T, Duration>),
    /// `key = 5`, or an expression of type `u32`
    U32(Slot<T, u32>),
    /// `key = 5`, or an expression of type `usize`
    Usize(Slot<T, usize>),
    /// `key = 2.0`, or an expression of type `f64`
    Factor(Slot<T, f64>),
    /// `key = ".."`, or an expression
    Text(Slot<T, LitStr>),
    /// Read by the option itself
    Held(fn(&mut T) -> &mut dyn Held),
    /// `key = value`, with its own reader
    Value(fn(&mut T, &Ident, &Expr, &mut Reader)),
    /// `key(..)`
    List(fn(&mut T, &Ident, &List, &mut Reader)),
}

/// A row: a key, its usage, and its reader.
pub(crate) struct Key<T> {
    row: Row,
    read: Read<T>,
}

/// The part of a row that does not depend on `T`.
#[derive(Clone, Copy)]
struct Row {
    name: &'static str,
    /// The correct usage, for messages.
    usage: &'static str,
}

/// Keys of other lists, each with the advice for this list.
pub(crate) type Misplaced = [(&'static str, &'static str)];

/// The table of one kind of list.
pub(crate) struct Table<T: 'static> {
    /// The name of its module in the docs of the keys.
    pub(crate) list: &'static str,
    /// The word for a key in messages: `option`, `key`, `field`.
    pub(crate) noun: &'static str,
    pub(crate) keys: &'static [&'static Key<T>],
    pub(crate) misplaced: &'static [&'static Misplaced],
}

impl<T> Key<T> {
    pub(crate) const fn new(name: &'static str, usage: &'static str, read: Read<T>) -> Self {
        Self { row: Row { name, usage }, read }
    }

    fn read(&self, key: &Ident, form: &Form<'_>, target: &mut T, reader: &mut Reader) {
        match (&self.read, form) {
            (Read::Duration(slot), Form::Value(value)) => keep(slot(target), key, reader.duration(key, value), reader),
            (Read::U32(slot), Form::Value(value)) => keep(slot(target), key, reader.u32(key, value), reader),
            (Read::Usize(slot), Form::Value(value)) => keep(slot(target), key, reader.usize(key, value), reader),
            (Read::Factor(slot), Form::Value(value)) => keep(slot(target), key, reader.factor(key, value), reader),
            (Read::Text(slot), Form::Value(value)) => keep(slot(target), key, reader.text(key, value), reader),
            (Read::Held(slot), form) => {
                if let Err(kind) = slot(target).read(key, form, reader) {
                    self.refuse(key, kind, reader);
                }
            }
            (Read::Value(read), Form::Value(value)) => read(target, key, value, reader),
            (Read::List(read), Form::List(list)) => read(target, key, list, reader),
            (Read::Value(read), Form::List(list)) if unlisted::is_list(self.row.name) => {
                let name = self.row.name;
                reader.errors.push(key, format!("`{name}` is a list in brackets: write `{}`", self.row.usage));
                let (before, was_guess) = (reader.errors.count(), std::mem::replace(&mut reader.is_guess, true));
                read(target, key, &unlisted::array(list.iter().cloned().collect()), reader);
                reader.is_guess = was_guess;
                reader.errors.truncate(before);
            }
            (Read::List(_), _) => self.refuse(key, "takes a list", reader),
            _ => self.refuse(key, "takes a value", reader),
        }
    }

    fn refuse(&self, key: &Ident, kind: &str, reader: &mut Reader) {
        reader.errors.push(key, format!("`{}` {kind}: `{}`", self.row.name, self.row.usage));
    }
}

fn keep<V>(slot: &mut Option<Given<V>>, key: &Ident, value: Value<V>, reader: &Reader) {
    *slot = Some(Given { cfgs: reader.key_cfgs.clone(), ..Given::new(key, value) });
}

impl<T> Table<T> {
    /// Reads every argument of `list` into `target`. An error in one does not affect the others.
    pub(crate) fn read<'a>(&self, list: impl IntoIterator<Item = &'a Expr>, target: &mut T, reader: &mut Reader) {
        read((self.list, self.noun), self.keys, self.misplaced, list, target, reader);
    }

    /// Returns `true` for a struct literal that is not a key with braces.
    pub(crate) fn is_entry(&self, argument: &Expr) -> bool {
        let is_key = |path: &syn::Path| self.keys.iter().any(|key| path.is_ident(key.row.name));
        matches!(peel(argument), Expr::Struct(literal) if !is_key(&literal.path))
    }

    /// Returns the keys, for the tests of the documentation.
    #[cfg(test)]
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.keys.iter().map(|key| key.row.name).collect()
    }
}

/// Reads a list of these keys, like [`Table::read`]. `name` is that of the list, and its noun.
pub(crate) fn read<'a, T>(
    name: (&'static str, &'static str),
    keys: &[&Key<T>],
    misplaced: &[&Misplaced],
    list: impl IntoIterator<Item = &'a Expr>,
    target: &mut T,
    reader: &mut Reader,
) {
    let all = keys.iter().map(|key| key.row).collect();
    let mut rows = Rows::new(name, all, misplaced);
    let mut list = list.into_iter().peekable();
    while let Some(argument) = list.next() {
        if let Some((at, message)) = meant::with_point(argument, list.peek().copied()) {
            reader.errors.push(at, message);
            list.next();
            continue;
        }
        let found = rows.find(argument, reader);
        let meant = found.is_none().then(|| rows.meant(argument)).flatten();
        let is_meant = meant.is_some();
        let meant = meant.as_ref().map(|(at, key, list)| (*at, key.clone(), Form::Value(list)));
        let Some((at, key, form)) = found.or(meant) else { continue };
        let Some(row) = keys.get(at) else { continue };
        let cfgs: Vec<_> = argument::attributes(argument)
            .iter()
            .filter(|attribute| attribute.path().is_ident("cfg"))
            .cloned()
            .collect();
        let outer = (reader.key.replace(key.clone()), reader.cfgs.len());
        reader.cfgs.extend(cfgs.iter().cloned());
        let outer_cfgs = std::mem::replace(&mut reader.key_cfgs, cfgs);
        let was_guess = reader.is_guess;
        reader.is_guess |= is_meant;
        row.read(&key, &form, target, reader);
        reader.is_guess = was_guess;
        reader.key_cfgs = outer_cfgs;
        reader.cfgs.truncate(outer.1);
        reader.key = outer.0;
    }
}

/// The noun for a key of `supervise!`, which can be conditional.
pub(crate) const KEY: &str = "key";
