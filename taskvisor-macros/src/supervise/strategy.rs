//! `strategy = rest_for_one(max_restarts = 5, within = "60s")`: the restart strategy and the limit.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Expr, Lit};

use super::Group;
use crate::argument::{self, Form, List, peel};
use crate::errors::Errors;
use crate::options::{duration, plain, zero};
use crate::reader::{Given, Reader};
use crate::suggest;
use crate::table::{Key, Read, Table};

/// A given strategy.
pub(super) struct Strategy {
    kind: Kind,
    limit: Limit,
}

#[derive(Clone, Copy)]
enum Kind {
    OneForOne,
    OneForAll,
    RestForOne,
}

const WORDS: [(&str, Kind); 3] =
    [("one_for_one", Kind::OneForOne), ("one_for_all", Kind::OneForAll), ("rest_for_one", Kind::RestForOne)];

/// The list after the word.
#[derive(Default)]
struct Limit {
    max_restarts: Option<Given<u32>>,
    within: Option<Given<Duration>>,
}

const LIMIT: Table<Limit> = Table {
    noun: "limit",
    keys: &[
        &Key::new("max_restarts", "max_restarts = 5", Read::U32(|limit| &mut limit.max_restarts)),
        &Key::new("within", "within = \"60s\"", Read::Duration(|limit| &mut limit.within)),
    ],
    misplaced: &[],
};

impl<T: AsMut<Group>> Key<T> {
    pub(super) const STRATEGY: Self = Self::new(
        "strategy",
        "strategy = rest_for_one",
        Read::Value(|target, _, value, reader| target.as_mut().strategy = Strategy::parse(value, reader)),
    );
}

impl Strategy {
    fn parse(value: &Expr, reader: &mut Reader) -> Option<Self> {
        if reader.is_unread(value) {
            return None;
        }
        let (word, list) = match argument::form(value) {
            Some((word, Form::Word)) => (word, None),
            Some((word, Form::List(list))) => (word, Some(list)),
            _ => {
                reader.errors.push(value, expected(value));
                return None;
            }
        };
        let mut limit = Limit::default();
        if let Some(list) = list {
            LIMIT.read(list, &mut limit, reader);
            limit.check(&mut reader.errors);
            // An unreadable argument may be the missing one.
            if !reader.recovered {
                limit.check_both(&word, list, &mut reader.errors);
            }
        }
        let kind = WORDS.iter().find(|(name, _)| word == name);
        if kind.is_none() {
            reader.errors.push(&word, unknown(&word));
        }
        kind.map(|(_, kind)| Self { kind: *kind, limit })
    }

    /// Returns the variant of the public enum; `one_for_one` if none is given.
    pub(super) fn variant(given: Option<&Self>, private: &TokenStream) -> TokenStream {
        match given.map(|strategy| strategy.kind) {
            None | Some(Kind::OneForOne) => quote!(#private::Strategy::OneForOne),
            Some(Kind::OneForAll) => quote!(#private::Strategy::OneForAll),
            Some(Kind::RestForOne) => quote!(#private::Strategy::RestForOne),
        }
    }

    /// Returns `.with_limit(5, ..)`, if there is a limit.
    pub(super) fn limit(&self, private: &TokenStream) -> Option<TokenStream> {
        let max_restarts = plain(self.limit.max_restarts.as_ref())?;
        let within = duration(self.limit.within.as_ref(), private)?;
        Some(quote!(.with_limit(#max_restarts, #within)))
    }
}

impl Limit {
    fn check(&self, errors: &mut Errors) {
        if let Some(at) = zero(self.within.as_ref()) {
            errors.push(at, "`within` must be longer than zero: it is the time in which failures are counted");
        }
    }

    fn check_both(&self, word: &Ident, list: &List, errors: &mut Errors) {
        let lacks = |key: &Ident, other: &str| {
            format!("`{key}` needs `{other}` beside it, as in `{word}(max_restarts = 5, within = \"60s\")`")
        };
        match (&self.max_restarts, &self.within) {
            (None, None) if list.is_empty() => {
                let message =
                    format!("a limit is missing: write `{word}(max_restarts = 5, within = \"60s\")`, or `{word}`");
                errors.push(word, message);
            }
            // The other argument was reported.
            (Some(given), None) if list.len() == 1 => errors.push(&given.key, lacks(&given.key, "within")),
            (None, Some(given)) if list.len() == 1 => errors.push(&given.key, lacks(&given.key, "max_restarts")),
            _ => {}
        }
    }
}

fn known() -> impl Iterator<Item = &'static str> {
    WORDS.into_iter().map(|(word, _)| word)
}

fn unknown(word: &Ident) -> String {
    match suggest::closest(&word.to_string(), known()) {
        Some(meant) => format!("unknown strategy `{word}`, did you mean `{meant}`?"),
        None => format!("unknown strategy `{word}`, expected {}", suggest::list(known(), '`')),
    }
}

/// Returns the advice for a string, a path or another expression.
fn expected(value: &Expr) -> String {
    let written = match peel(value) {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => text.value(),
            _ => String::new(),
        },
        Expr::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default(),
        _ => String::new(),
    };
    match suggest::closest(&written, known()) {
        Some(meant) => format!("`strategy` is a bare word: write `strategy = {meant}`"),
        None => format!("`strategy` is {}, without quotes", suggest::list(known(), '`')),
    }
}

#[cfg(test)]
pub(super) fn names() -> Vec<&'static str> {
    LIMIT.names()
}
