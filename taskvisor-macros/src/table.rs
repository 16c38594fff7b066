//! The tables of argument lists, and their reader.
//!
//! [`Table::read`] reads `#[task(..)]`, `task(..)`, `group(..)`, `defaults(..)`, `backoff(..)`, the limit of a strategy
//! and `supervise!(..)` itself. A new key is a row.

use std::time::Duration;

use proc_macro2::Ident;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Attribute, BinOp, Expr, LitStr};

use crate::argument::{self, Form, List, peel};
use crate::options::Held;
use crate::reader::{Given, Reader, Value};
use crate::{meant, suggest, synonyms};

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
    let mut rows = Rows { list: name.0, noun: name.1, all, misplaced, seen: Vec::new(), has_literal: false };
    let mut list = list.into_iter().peekable();
    while let Some(argument) = list.next() {
        if let Some((at, message)) = meant::with_point(argument, list.peek().copied()) {
            reader.errors.push(at, message);
            list.next();
            continue;
        }
        let Some((at, key, form)) = rows.find(argument, reader) else { continue };
        let Some(row) = keys.get(at) else { continue };
        let cfgs: Vec<_> = argument::attributes(argument)
            .iter()
            .filter(|attribute| attribute.path().is_ident("cfg"))
            .cloned()
            .collect();
        let outer = (reader.key.replace(key.clone()), reader.cfgs.len());
        reader.cfgs.extend(cfgs.iter().cloned());
        let outer_cfgs = std::mem::replace(&mut reader.key_cfgs, cfgs);
        row.read(&key, &form, target, reader);
        reader.key_cfgs = outer_cfgs;
        reader.cfgs.truncate(outer.1);
        reader.key = outer.0;
    }
}

/// The noun for a key of `supervise!`, which can be conditional.
pub(crate) const KEY: &str = "key";

/// The rows of a table, and the keys that the list has given already, each with whether it was a list.
struct Rows<'a> {
    list: &'static str,
    noun: &'static str,
    all: Vec<Row>,
    misplaced: &'a [&'a Misplaced],
    seen: Vec<(Ident, bool)>,
    /// `true` after a value without its key. Others are the same mistake, as in `backoff("1s", "10s")`.
    has_literal: bool,
}

impl Rows<'_> {
    /// Returns the index of the row for the argument, or reports an error.
    ///
    /// A `limit` can be given as a name and as a list, side by side.
    fn find<'a>(&mut self, argument: &'a Expr, reader: &mut Reader) -> Option<(usize, Ident, Form<'a>)> {
        if reader.is_unread(argument) {
            return None;
        }
        let is_allowed = |attribute: &Attribute| {
            let path = attribute.path();
            path.is_ident("doc") || (path.is_ident("cfg") && self.noun == KEY)
        };
        if let Some(attribute) = argument::attributes(argument).iter().find(|attribute| !is_allowed(attribute)) {
            let message = match self.noun {
                KEY => "only `#[cfg(..)]` and doc comments can stand before a key".to_owned(),
                noun if attribute.path().is_ident("cfg") => {
                    format!(
                        "`#[cfg(..)]` stands before a key of `supervise!` or an entry, not before {} {noun}",
                        self.article()
                    )
                }
                noun => format!("no attribute can stand before {} {noun}", self.article()),
            };
            reader.errors.push(attribute, message);
            return None;
        }
        let Some((key, form)) = argument::form(argument) else {
            let is_literal = matches!(peel(argument), Expr::Lit(_));
            if is_literal && std::mem::replace(&mut self.has_literal, true) {
                return None;
            }
            let message = match peel(argument) {
                // `key == value`
                Expr::Binary(binary) if matches!(binary.op, BinOp::Eq(_)) => {
                    let (key, value) = (binary.left.to_token_stream(), binary.right.to_token_stream());
                    format!("a value is given by one `=`: write `{key} = {value}`")
                }
                // `max-retries = 5`, `"timeout" = "5s"`
                Expr::Assign(assign) if self.meant_by(&assign.left).is_some() => {
                    let (key, value) =
                        (self.meant_by(&assign.left).unwrap_or_default(), assign.right.to_token_stream());
                    format!("{} {} is one word, without quotes: write `{key} = {value}`", self.article(), self.noun)
                }
                // `tasks [..]`
                Expr::Index(index)
                    if self.all.iter().any(|row| index.expr.to_token_stream().to_string() == row.name) =>
                {
                    let key = index.expr.to_token_stream();
                    format!("write `=` after `{key}`: `{key} = ..`")
                }
                // `backoff { first: "1s" }`
                Expr::Struct(literal) if self.row_of(&literal.path).is_some() => {
                    let usage = self.row_of(&literal.path).map_or("", |row| row.usage);
                    format!("no braces stand after `{}`: write for example `{usage}`", literal.path.to_token_stream())
                }
                Expr::Struct(_) | Expr::Range(_) if self.noun == KEY => "entries stand in `tasks = [..]`".to_owned(),
                _ => self.expected(),
            };
            reader.errors.push(argument, message);
            return None;
        };
        let row = self.all.iter().position(|row| key.unraw() == row.name);
        reader.echo.push(self.list, &key, row.is_some());
        let Some(row) = row else {
            let written = key.unraw().to_string();
            let message = self.unknown(&written, &form);
            reader.errors.push(&key, meant::with_value(message, &written, &form));
            return None;
        };
        let is_list = matches!(form, Form::List(_));
        let is_twice = |first: &(Ident, bool)| first.0 == key && (first.1 == is_list || key != "limit");
        if let Some((first, _)) = self.seen.iter().find(|first| is_twice(first)) {
            let is_list = matches!(argument::form(argument), Some((_, Form::Value(Expr::Array(_)))));
            let instead = if is_list { "put all of it in one list" } else { "keep one" };
            let message = format!("`{}` is given twice, {instead}", key.unraw());
            reader.errors.push_repeated(first, &key, message);
            return None;
        }
        self.seen.push((key.clone(), is_list));
        Some((row, key, form))
    }

    /// Returns the key that was written in quotes or with hyphens.
    fn meant_by(&self, key: &Expr) -> Option<String> {
        let written = match peel(key) {
            Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => text.value(),
            Expr::Binary(binary) if matches!(binary.op, BinOp::Sub(_)) => binary.to_token_stream().to_string(),
            _ => return None,
        };
        let word = written.replace(' ', "").replace('-', "_");
        self.all.iter().any(|row| row.name == word).then_some(word)
    }

    /// Returns the row of a key, which is written as a path.
    fn row_of(&self, path: &syn::Path) -> Option<&Row> {
        self.all.iter().find(|row| path.is_ident(row.name))
    }

    fn expected(&self) -> String {
        let usage = self.all.first().map_or("key = value", |row| row.usage);
        format!("expected {} {}, for example `{usage}`", self.article(), self.noun)
    }

    fn unknown(&self, key: &str, form: &Form<'_>) -> String {
        let noun = self.noun;
        let snake_case = synonyms::snake_case(key);
        let is_key = |name: &str| name == key || name == snake_case;
        if let Some((_, instead)) = self.misplaced.iter().copied().flatten().find(|(name, _)| is_key(name)) {
            return format!("`{key}` cannot be given here: {instead}");
        }
        let known = || self.all.iter().map(|row| row.name);
        let of_value = meant::option_of_word(self.lists(), key, form);
        if let Some((option, value)) = of_value.filter(|(option, _)| known().any(|known| known == *option)) {
            return format!("unknown {noun} `{key}`: write `{option} = {value}`");
        }
        if let Some(message) = self.in_our_words(key) {
            return message;
        }
        // An option is not a mistyped `crate`, such as `rate`.
        match suggest::closest(key, known().filter(|name| *name != "crate" || key.starts_with("cr"))) {
            Some(meant) => format!("unknown {noun} `{key}`, did you mean `{meant}`?"),
            None if self.is_begun(key) => {
                let begun = suggest::list(known().filter(|name| name.starts_with(key)), '`');
                format!("unknown {noun} `{key}`, did you mean {begun}?")
            }
            None => format!("unknown {noun} `{key}`, expected {}", suggest::list(known(), '`')),
        }
    }

    /// Returns `true` for the first letters of a few keys.
    fn is_begun(&self, key: &str) -> bool {
        let begun = self.all.iter().filter(|row| row.name.starts_with(key)).count();
        key.len() > 1 && (1..=4).contains(&begun)
    }

    /// Returns the message for a word of another library, or for the value of an option without the option.
    fn in_our_words(&self, key: &str) -> Option<String> {
        let noun = self.noun;
        let lists = self.lists();
        let known = |word: &str| self.all.iter().any(|row| row.name == word);
        let misplaced = |word: &str| self.misplaced.iter().copied().flatten().find(|(name, _)| *name == word);
        let write = |word: &str| {
            let word = if word == "backoff" { "backoff(first = .., max = ..)" } else { word };
            Some(format!("unknown {noun} `{key}`: write `{word}`"))
        };
        let word = synonyms::snake_case(key);
        if word != key && known(&word) {
            return write(&word);
        }
        if let Some(ours) = synonyms::ours(lists, key).find(|ours| known(ours)) {
            return write(ours);
        }
        if let Some(word) = synonyms::without_unit(key).filter(|_| synonyms::ours(lists, key).next().is_none()) {
            let ours = synonyms::ours(lists, &word).find(|ours| known(ours));
            if let Some(word) = Some(&*word).filter(|word| known(word)).or(ours) {
                return write(word);
            }
        }
        let strategy = ["one_for_one", "one_for_all", "rest_for_one"].into_iter().find(|word| *word == key);
        if let Some(strategy) = strategy.filter(|_| known("strategy")) {
            return Some(format!("unknown {noun} `{key}`: write `strategy = {strategy}`"));
        }
        if known("restart") {
            let value = ["always", "on_failure", "never"].into_iter().find(|word| *word == key);
            if let Some(value) = value.or_else(|| synonyms::ours(&["`restart`"], key).next()) {
                return Some(format!("unknown {noun} `{key}`: write `restart = \"{value}\"`"));
            }
        }
        let word = synonyms::without_unit(key).unwrap_or_default();
        let (ours, instead) = synonyms::ours(lists, key).chain(synonyms::ours(lists, &word)).find_map(misplaced)?;
        Some(format!("unknown {noun} `{key}`: the word is `{ours}`, which cannot be given here: {instead}"))
    }

    /// Returns the lists of synonyms that are searched here.
    fn lists(&self) -> &'static [&'static str] {
        if self.noun == "slot option" { &["slot"] } else { &["option", "`backoff`", "limit", "slot", "`signals`"] }
    }

    fn article(&self) -> &'static str {
        match self.noun.chars().next() {
            Some('a' | 'e' | 'i' | 'o' | 'u') => "an",
            _ => "a",
        }
    }
}
