//! `max_restarts = 5, within = "60s"`: the limit of failures of a task, and of a strategy.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::Expr;

use super::check::zero;
use super::expand::{duration, plain};
use crate::argument::{List, peel};
use crate::errors::Errors;
use crate::reader::{Given, Reader};
use crate::table::{Key, Misplaced, Read, Table};

/// The list of a limit.
#[derive(Default)]
pub(crate) struct Limit {
    /// The key of the option of a task.
    pub(crate) key: Option<Ident>,
    pub(crate) max_restarts: Option<Given<u32>>,
    pub(crate) within: Option<Given<Duration>>,
}

const FIELDS: Table<Limit> = Table {
    list: "limit",
    noun: "limit",
    keys: &[
        &Key::new("max_restarts", "max_restarts = 5", Read::U32(|limit| &mut limit.max_restarts)),
        &Key::new("within", "within = \"60s\"", Read::Duration(|limit| &mut limit.within)),
    ],
    misplaced: &[],
};

/// Fields that stand beside the options of a task.
pub(super) const IN_LIMIT: &Misplaced = &[
    ("max_restarts", "write `limit(max_restarts = .., within = ..)`"),
    ("within", "write `limit(max_restarts = .., within = ..)`"),
];

impl Limit {
    /// Reads the list after `word`, and reports what is wrong with it.
    pub(crate) fn read(word: &Ident, list: &List, reader: &mut Reader) -> Self {
        let mut limit = Self::default();
        if Self::refuse_literals(word, list, reader) {
            return limit;
        }
        FIELDS.read(list, &mut limit, reader);
        if let Some(at) = zero(limit.within.as_ref()) {
            reader.errors.push(at, "`within` must be longer than zero: it is the time in which failures are counted");
        }
        // An unreadable argument may be the missing one.
        if !reader.recovered {
            limit.check_both(word, list, &mut reader.errors);
        }
        limit
    }

    /// Returns `true` for a limit without names, such as `limit(5, "60s")`, and reports its first number or text.
    pub(crate) fn refuse_literals(word: &Ident, list: &List, reader: &mut Reader) -> bool {
        let literals = || list.iter().filter(|argument| matches!(peel(argument), Expr::Lit(_)));
        let Some(first) = literals().next() else { return false };
        let text = |is_text: bool, default: &str| {
            let is_meant = |literal: &&Expr| literal.to_token_stream().to_string().starts_with('"') == is_text;
            let meant = literals().find(is_meant).filter(|_| literals().count() < 3);
            meant.map_or_else(|| default.to_owned(), |literal| literal.to_token_stream().to_string())
        };
        let (max_restarts, within) = (text(false, "5"), text(true, "\"60s\""));
        let message = format!("a limit has names: write `{word}(max_restarts = {max_restarts}, within = {within})`");
        reader.errors.push(first, message);
        true
    }

    fn check_both(&self, word: &Ident, list: &List, errors: &mut Errors) {
        let lacks = |key: &Ident, other: &str| {
            format!("`{key}` needs `{other}` beside it, as in `{word}(max_restarts = 5, within = \"60s\")`")
        };
        match (&self.max_restarts, &self.within) {
            (None, None) if list.is_empty() => {
                let without = if word == "limit" { String::new() } else { format!(", or `{word}`") };
                let message =
                    format!("a limit is missing: write `{word}(max_restarts = 5, within = \"60s\")`{without}");
                errors.push(word, message);
            }
            // The other argument was reported.
            (Some(given), None) if list.len() == 1 => errors.push(&given.key, lacks(&given.key, "within")),
            (None, Some(given)) if list.len() == 1 => errors.push(&given.key, lacks(&given.key, "max_restarts")),
            _ => {}
        }
    }

    /// Returns the arguments of `with_limit`.
    pub(crate) fn arguments(&self, private: &TokenStream) -> Option<TokenStream> {
        let max_restarts = plain(self.max_restarts.as_ref())?;
        let within = duration(self.within.as_ref(), private)?;
        Some(quote!(#max_restarts, #within))
    }

    #[cfg(test)]
    pub(crate) fn names() -> Vec<&'static str> {
        FIELDS.names()
    }
}
