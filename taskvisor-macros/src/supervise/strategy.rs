//! `strategy = rest_for_one(max_restarts = 5, within = "60s")`: the restart strategy and the limit.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{Attribute, Expr, ExprPath};

use super::Group;
use crate::argument::{self, Form, List, peel};
use crate::options::Limit;
use crate::reader::{Purpose, Reader, Value, Words};
use crate::table::{Key, Read};

/// A given strategy.
pub(super) struct Strategy {
    kind: Value<Kind>,
    limit: Limit,
    /// The `#[cfg(..)]` of its key.
    pub(super) cfgs: Vec<Attribute>,
}

#[derive(Clone, Copy)]
enum Kind {
    OneForOne,
    OneForAll,
    RestForOne,
}

/// The words.
pub(crate) const STRATEGIES: [&str; 3] = ["one_for_one", "one_for_all", "rest_for_one"];

const WORDS: Words<Kind> = Words {
    module: "words_of_strategy",
    list: &["`strategy`"],
    known: &[("one_for_one", Kind::OneForOne), ("one_for_all", Kind::OneForAll), ("rest_for_one", Kind::RestForOne)],
    is_flag: false,
};

impl<T: AsMut<Group>> Key<T> {
    pub(super) const STRATEGY: Self = Self::new(
        "strategy",
        "strategy = rest_for_one",
        Read::Value(|target, key, value, reader| target.as_mut().strategy = Strategy::parse(key, value, reader)),
    );
}

impl Strategy {
    fn parse(key: &Ident, value: &Expr, reader: &mut Reader) -> Option<Self> {
        if reader.is_unread(value) {
            return None;
        }
        if let Some((at, word)) = variant_with_limit(value) {
            reader.errors.push(
                &at,
                format!("a limit stands after the word: write `strategy = {word}(max_restarts = 5, within = \"60s\")`"),
            );
            return None;
        }
        let (word, list) = match argument::form(value) {
            Some((word, Form::List(list))) if is_limit(&word, list) => (word, list),
            _ => {
                let kind = reader.word(key, value, &WORDS, Purpose::Strategy);
                return (!matches!(kind, Value::Refused)).then_some(Self {
                    kind,
                    limit: Limit::default(),
                    cfgs: reader.key_cfgs.clone(),
                });
            }
        };
        if Limit::refuse_literals(&word, list, reader) {
            return None;
        }
        let limit = Limit::read(&word, list, reader);
        let word = Expr::Path(ExprPath { attrs: Vec::new(), qself: None, path: word.into() });
        match reader.word(key, &word, &WORDS, Purpose::Strategy) {
            Value::Refused => None,
            kind => Some(Self { kind, limit, cfgs: reader.key_cfgs.clone() }),
        }
    }

    /// Returns the variant of the public enum; `one_for_one` if none is given.
    pub(super) fn variant(given: Option<&Self>, private: &TokenStream) -> TokenStream {
        match given.map(|strategy| &strategy.kind) {
            Some(Value::Bound(local)) => local.to_token_stream(),
            Some(Value::Known(Kind::OneForAll, _)) => quote!(#private::Strategy::OneForAll),
            Some(Value::Known(Kind::RestForOne, _)) => quote!(#private::Strategy::RestForOne),
            _ => quote!(#private::Strategy::OneForOne),
        }
    }

    /// Returns `.with_limit(5, ..)`, if there is a limit.
    pub(super) fn limit(&self, private: &TokenStream) -> Option<TokenStream> {
        self.limit.arguments(private).map(|limit| quote!(.with_limit(#limit)))
    }
}

/// Returns the path of the call in `Strategy::OneForAll(max_restarts = 5)`, and the word for it.
fn variant_with_limit(value: &Expr) -> Option<(TokenStream, &'static str)> {
    let Expr::Call(call) = peel(value) else { return None };
    let Expr::Path(path) = peel(&call.func) else { return None };
    let variant = path.path.segments.last().filter(|_| path.path.segments.len() > 1)?.ident.to_string();
    let (word, _) = WORDS.known.iter().find(|(word, _)| word.replace('_', "") == variant.to_lowercase())?;
    Some((path.to_token_stream(), word))
}

/// Returns `true` for a strategy with a limit. Any other call is a value.
fn is_limit(word: &Ident, list: &List) -> bool {
    let is_known = WORDS.known.iter().any(|(known, _)| word == known);
    is_known || list.iter().any(|argument| matches!(peel(argument), Expr::Assign(_)))
}

#[cfg(test)]
pub(super) fn names() -> Vec<&'static str> {
    Limit::names()
}
