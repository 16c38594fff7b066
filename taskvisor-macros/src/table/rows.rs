//! Finds the row of an argument, and says what is meant by one without a row.

use proc_macro2::{Ident, Span};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Attribute, BinOp, Expr};

use super::{KEY, Misplaced, Row};
use crate::argument::{self, Form, as_ident, peel};
use crate::reader::Reader;
use crate::{meant, suggest, synonyms, unlisted};

/// The rows of a table, and the keys that the list has given already, each with whether it was a list.
pub(super) struct Rows<'a> {
    list: &'static str,
    noun: &'static str,
    all: Vec<Row>,
    misplaced: &'a [&'a Misplaced],
    seen: Vec<(Ident, bool)>,
    /// `true` after a value without its key. Others are the same mistake, as in `backoff("1s", "10s")`.
    has_literal: bool,
}

impl<'m> Rows<'m> {
    pub(super) fn new(
        (list, noun): (&'static str, &'static str),
        all: Vec<Row>,
        misplaced: &'m [&'m Misplaced],
    ) -> Self {
        Self { list, noun, all, misplaced, seen: Vec::new(), has_literal: false }
    }

    /// Returns the index of the row for the argument, or reports an error.
    ///
    /// A `limit` can be given as a name and as a list, side by side.
    pub(super) fn find<'a>(&mut self, argument: &'a Expr, reader: &mut Reader) -> Option<(usize, Ident, Form<'a>)> {
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
        if let Expr::Assign(assign) = peel(argument) {
            if let Some(attribute) = argument::attributes(&assign.right).first() {
                let message = format!("no attribute can stand before the value of {} {}", self.article(), self.noun);
                reader.errors.push(attribute, message);
                return None;
            }
        }
        let Some((key, form)) = argument::form(argument) else {
            let message = match peel(argument) {
                // `key == value`, `key += value`
                Expr::Binary(binary) if matches!(binary.op, BinOp::Eq(_) | BinOp::AddAssign(_)) => {
                    let key = binary.left.to_token_stream().to_string();
                    let value = if unlisted::is_list(&key) { "[..]".to_owned() } else { shown(&binary.right) };
                    format!("a value is given by one `=`: write `{key} = {value}`")
                }
                // `max-retries = 5`, `"timeout" = "5s"`
                Expr::Assign(assign) if self.meant_by(&assign.left).is_some() => {
                    let (key, value) = (self.meant_by(&assign.left).unwrap_or_default(), shown(&assign.right));
                    format!("{} {} is one word, without quotes: write `{key} = {value}`", self.article(), self.noun)
                }
                // `tasks [..]`
                Expr::Index(index)
                    if self.all.iter().any(|row| index.expr.to_token_stream().to_string() == row.name) =>
                {
                    let key = index.expr.to_token_stream();
                    reader.errors.push(&key, format!("write `=` after `{key}`: `{key} = ..`"));
                    return None;
                }
                // `task[ping {}]`
                Expr::Index(index) if as_ident(&index.expr).is_some_and(|key| self.list_of(&key).is_some()) => {
                    let key = index.expr.to_token_stream();
                    reader.errors.push(&key, self.unknown(&key.to_string(), &Form::Word));
                    return None;
                }
                // `tasks![ping {}]`
                Expr::Macro(call) if call.mac.path.get_ident().is_some_and(|key| self.list_of(key).is_some()) => {
                    let key = call.mac.path.require_ident().ok()?;
                    let list = self.list_of(key).unwrap_or_default();
                    reader.errors.push(key, format!("`{key}` is no macro: write `{list} = [..]`"));
                    return None;
                }
                Expr::Array(_) if self.row("tasks").is_some() => {
                    reader.errors.push(argument, "a list has its key before it: write `tasks = [..]`");
                    return None;
                }
                // `backoff { first: "1s" }`
                Expr::Struct(literal) if self.row_of(&literal.path).is_some() => {
                    let usage = self.row_of(&literal.path).map_or("", |row| row.usage);
                    format!("no braces stand after `{}`: write for example `{usage}`", literal.path.to_token_stream())
                }
                Expr::Struct(_) | Expr::Range(_) if self.noun == KEY => "entries stand in `tasks = [..]`".to_owned(),
                // One for all values without names.
                Expr::Lit(_) if std::mem::replace(&mut self.has_literal, true) => return None,
                _ => self.expected(),
            };
            reader.errors.push(argument, message);
            return None;
        };
        let row = self.all.iter().position(|row| key.unraw() == row.name);
        reader.echo.push(self.list, &key, row.is_some());
        let Some(row) = row else {
            let has_entries = self.row("tasks").is_some();
            let is_entry = has_entries && unlisted::is_entry(&form) && self.instead_of(&key).is_none();
            let written = key.unraw().to_string();
            let message = match self.unknown(&written, &form) {
                _ if is_entry => {
                    let noun = self.noun;
                    format!("`{key}` is no {noun}: an entry stands in a list, as in `tasks = [{key} = ..]`")
                }
                message => message,
            };
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
            Expr::Binary(binary) => binary.to_token_stream().to_string(),
            _ => return None,
        };
        let word = written.replace(' ', "").replace('-', "_");
        self.all.iter().any(|row| row.name == word).then_some(word)
    }

    /// Returns the list that an argument was certainly meant as, after it was refused: its row, its key and its elements. So
    /// the handles of these are there.
    pub(super) fn meant(&self, argument: &Expr) -> Option<(usize, Ident, Expr)> {
        let (key, elements) = unlisted::argument(argument)?;
        let (name, at) = match key {
            None => ("tasks", Span::call_site()),
            Some(key) => match (self.list_of(&key), peel(argument)) {
                (Some(name), _) => (name, key.span()),
                (None, Expr::Assign(assign)) if self.instead_of(&key).is_none() => {
                    let row = self.row("tasks").filter(|_| unlisted::is_entry(&Form::Value(&assign.right)));
                    return row.map(|row| (row, key, unlisted::array(vec![argument.clone()])));
                }
                _ => return None,
            },
        };
        let row = self.row(name).filter(|_| !elements.is_empty())?;
        Some((row, Ident::new(name, at), unlisted::array(elements)))
    }

    fn row(&self, name: &str) -> Option<usize> {
        self.all.iter().position(|row| row.name == name)
    }

    /// Returns the key of a list that the word stands for.
    fn list_of(&self, key: &Ident) -> Option<&'static str> {
        let meant = match &*key.unraw().to_string() {
            "group" | "groups" => Some("tasks"),
            _ => self.instead_of(key),
        };
        meant.filter(|name| unlisted::is_list(name) && self.row(name).is_some())
    }

    /// Returns the key that the word is, or that it stands for.
    fn instead_of(&self, key: &Ident) -> Option<&'static str> {
        let key = key.unraw().to_string();
        let known = || self.all.iter().map(|row| row.name);
        let ours = known().find(|name| *name == key);
        let ours = ours.or_else(|| synonyms::ours(&["option"], &key).find(|ours| known().any(|name| name == *ours)));
        ours.or_else(|| suggest::closest(&key, known()))
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

/// Returns the value as text for a message, and a list in short.
fn shown(value: &Expr) -> String {
    match peel(value) {
        Expr::Array(_) => "[..]".to_owned(),
        value => value.to_token_stream().to_string(),
    }
}
