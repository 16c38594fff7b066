//! Mends the punctuation of other languages in a list that does not parse, for a message that says what to write.

mod entries;
mod fields;
mod labels;
mod lists;
mod values;

use std::iter::Peekable;

use proc_macro2::token_stream::IntoIter;
use proc_macro2::{Delimiter, Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::quote_spanned;

use self::labels::{Elements, separator};
use self::lists::{declared_in_braces, is_type};
use crate::options::Place;
use crate::path::is_name;
use crate::suggest;

/// Mends the punctuation of other languages: `key: value`, `key => value`, `key "value"`, `group { .. }`,
/// `tasks = { .. }` and `ping { argument = value }`, keywords in place of names, and cron patterns without quotes.
#[derive(Default)]
pub(crate) struct Punctuation {
    /// `true` if the tokens are others than those that were written.
    pub(crate) is_mended: bool,
    /// The places, and what to write there.
    pub(crate) found: Vec<(Span, String)>,
}

impl Punctuation {
    /// The words that take a list in parentheses, and those that take one in brackets.
    const CALLS: [&'static str; 9] =
        ["task", "group", "slot", "backoff", "defaults", "signals", "one_for_one", "one_for_all", "rest_for_one"];
    const LISTS: [&'static str; 5] = ["tasks", "subscribers", "slots", "limits", "after"];

    /// Returns the tokens of a list with the right punctuation.
    pub(crate) fn mend(&mut self, list: TokenStream) -> TokenStream {
        let list = list.into_iter().map(|tree| self.with_comma(tree)).collect();
        let mended = self.mend_list(list, None);
        self.is_mended |= !self.found.is_empty();
        mended
    }

    /// Returns a `,` for a `;`. Only for the list of the macro itself and those in parentheses: a list in brackets can be the
    /// `[value; count]` of an expression.
    fn with_comma(&mut self, tree: TokenTree) -> TokenTree {
        match tree {
            TokenTree::Punct(mark) if mark.as_char() == ';' => {
                self.found.push((mark.span(), "write `,` in place of `;`".to_owned()));
                let mut comma = Punct::new(',', Spacing::Alone);
                comma.set_span(mark.span());
                comma.into()
            }
            tree => tree,
        }
    }

    /// `of` is there for a list in brackets.
    fn mend_list(&mut self, list: TokenStream, of: Option<Elements>) -> TokenStream {
        let mut mended: Vec<TokenTree> = Vec::new();
        let list = of.map_or(list.clone(), |of| self.mend_elements(list, of));
        let mut trees = list.into_iter().peekable();
        while let Some(tree) = trees.next() {
            let is_comma = |tree: &TokenTree| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ',');
            let starts = before_attributes(&mended).last().is_none_or(is_comma);
            if let Some(word) = self.dashed_strategy(&mended, &tree, &mut trees) {
                mended.push(word);
                continue;
            }
            let ahead: Vec<TokenTree> = trees.clone().take(3).collect();
            match (&tree, ahead.first()) {
                (TokenTree::Ident(key), Some(TokenTree::Punct(_))) if starts => {
                    self.mend_key(key, &ahead, of, &mut trees, &mut mended);
                }
                (TokenTree::Ident(key), Some(TokenTree::Literal(value))) if starts => {
                    self.found.push((value.span(), format!("write `=` after `{key}`: `{key} = {value}`")));
                    let equals = equals(value.span());
                    mended.extend([tree, equals]);
                }
                (TokenTree::Ident(key), Some(TokenTree::Group(list)))
                    if starts
                        && list.delimiter() == Delimiter::Bracket
                        && Self::LISTS.iter().any(|list| key == list) =>
                {
                    self.found.push((list.span_open(), format!("write `=` after `{key}`: `{key} = ..`")));
                    let equals = equals(list.span_open());
                    mended.extend([tree, equals]);
                }
                // What is wrong with the braces is told below.
                (TokenTree::Ident(key), Some(TokenTree::Group(list)))
                    if starts && list.delimiter() == Delimiter::Brace && Self::LISTS.iter().any(|list| key == list) =>
                {
                    let equals = equals(list.span_open());
                    mended.extend([tree, equals]);
                }
                (TokenTree::Group(group), _) => self.mend_group(group, of, &mut mended),
                _ => mended.push(tree),
            }
        }
        mended.into_iter().collect()
    }

    /// Adds the key at the start of an argument and a `=` for other marks behind it.
    fn mend_key(
        &mut self,
        key: &Ident,
        ahead: &[TokenTree],
        of: Option<Elements>,
        trees: &mut Peekable<IntoIter>,
        mended: &mut Vec<TokenTree>,
    ) {
        let Some(TokenTree::Punct(next)) = ahead.first() else { return };
        let is_assigned = next.as_char() == '=' && next.spacing() == Spacing::Alone;
        if is_assigned && is_keyword(key) {
            self.is_mended = true;
            if of.is_some() {
                let message = format!("`{key}` is a keyword: write `r#{key}`, or another name");
                self.found.push((key.span(), message));
            }
            mended.push(Ident::new_raw(&key.to_string(), key.span()).into());
            return;
        }
        mended.push(key.clone().into());
        if is_assigned && key == "cron" {
            mended.extend(trees.next());
            mended.extend(self.quoted(trees));
        }
        let separator = separator(ahead).filter(|_| next.as_char() != '@' || of.is_some());
        let Some(length) = separator else { return };
        trees.by_ref().take(length).for_each(drop);
        self.is_mended = true;
        // What is refused with its label gets no other message.
        let is_refused = match of {
            None => false,
            Some(Elements::Entries) => ahead.get(length).is_some_and(is_type),
            Some(_) => true,
        };
        if !is_refused {
            self.found.push((next.span(), format!("write `=` after `{key}`: `{key} = ..`")));
        }
        mended.push(equals(next.span()));
    }

    /// Adds the group, in the right brackets.
    fn mend_group(&mut self, group: &Group, of: Option<Elements>, mended: &mut Vec<TokenTree>) {
        if is_config_in_braces(mended, group) {
            let message = "the fields of the config are keys: write them beside this, as in `grace = \"5s\"`";
            self.found.push((group.span_open(), message.to_owned()));
            mended.extend(quote_spanned!(group.span()=> ::core::default::Default::default()));
            return;
        }
        if let Some((message, list)) = declared_in_braces(mended, group) {
            self.found.push((group.span_open(), message));
            let mut list = Group::new(Delimiter::Bracket, list);
            list.set_span(group.span());
            mended.push(list.into());
            return;
        }
        // `backoff = { first: "1s" }`
        if is_call_in_braces(mended, group) {
            mended.pop();
        }
        let before = (self.found.len(), std::mem::take(&mut self.is_mended));
        let delimiter = self.delimiter(group, mended);
        let stream = match delimiter {
            Delimiter::Parenthesis => {
                let is_list = matches!(mended.last(), Some(TokenTree::Ident(word)) if !is_unknown_word(word));
                let stream = group.stream().into_iter();
                let stream = stream.map(|tree| if is_list { self.with_comma(tree) } else { tree }).collect();
                self.mend_list(stream, None)
            }
            Delimiter::Bracket => {
                let key = match mended.as_slice() {
                    [.., TokenTree::Ident(key), TokenTree::Punct(_)] => Some(key),
                    _ => None,
                };
                self.mend_list(group.stream(), Some(key.map_or(Elements::Entries, Elements::of)))
            }
            Delimiter::Brace if ends_with_path(mended) => match mended.last() {
                Some(TokenTree::Ident(task)) => self.mend_fields(task, group.stream(), of),
                _ => group.stream(),
            },
            _ => group.stream(),
        };
        // What is written as a map is one mistake.
        if group.delimiter() == Delimiter::Brace && delimiter == Delimiter::Bracket {
            self.found.truncate(before.0 + 1);
        }
        let is_changed = self.found.len() > before.0 || self.is_mended;
        // `limit(db: 4)` is refused when it is read.
        if of == Some(Elements::Limits) && delimiter == Delimiter::Parenthesis {
            self.found.truncate(before.0);
        }
        // An entry that is a call of a function gets another message, for the call.
        if of.is_some() && delimiter == Delimiter::Parenthesis && is_unknown_call(mended) {
            self.found.truncate(before.0);
        }
        // A new group has lost the places of its delimiters.
        let group_mended = if is_changed {
            let mut group_mended = Group::new(delimiter, stream);
            group_mended.set_span(group.span());
            group_mended
        } else {
            group.clone()
        };
        mended.push(group_mended.into());
        self.is_mended = is_changed || before.1;
    }

    /// Returns the right delimiter of a group, by the words before it.
    fn delimiter(&mut self, group: &Group, before: &[TokenTree]) -> Delimiter {
        let is_braced = group.delimiter() == Delimiter::Brace;
        match before {
            [.., TokenTree::Ident(word)] if is_braced && Self::CALLS.iter().any(|call| word == call) => {
                self.found.push((group.span_open(), format!("write `{word}(..)`, with parentheses")));
                Delimiter::Parenthesis
            }
            [.., TokenTree::Ident(key), TokenTree::Punct(equals)]
                if is_braced && equals.as_char() == '=' && Self::LISTS.iter().any(|list| key == list) =>
            {
                self.found.push((group.span_open(), format!("`{key}` is a list: write `{key} = [..]`, with brackets")));
                Delimiter::Bracket
            }
            _ => group.delimiter(),
        }
    }
}

fn equals(at: Span) -> TokenTree {
    let mut equals = Punct::new('=', Spacing::Alone);
    equals.set_span(at);
    equals.into()
}

/// Returns the tokens without attributes at their end.
fn before_attributes(tokens: &[TokenTree]) -> &[TokenTree] {
    match tokens {
        [before @ .., TokenTree::Punct(hash), TokenTree::Group(list)]
            if hash.as_char() == '#' && list.delimiter() == Delimiter::Bracket =>
        {
            before_attributes(before)
        }
        tokens => tokens,
    }
}

/// Returns `true` for `config = { grace: .. }`.
fn is_config_in_braces(before: &[TokenTree], group: &Group) -> bool {
    matches!(before, [.., TokenTree::Ident(key), TokenTree::Punct(_)] if key == "config") && has_fields(before, group)
}

/// Returns `true` for `backoff = { first: .. }` and other words that take a list in parentheses.
fn is_call_in_braces(before: &[TokenTree], group: &Group) -> bool {
    let is_call = |key: &Ident| Punctuation::CALLS.iter().any(|call| key == call);
    matches!(before, [.., TokenTree::Ident(key), TokenTree::Punct(_)] if is_call(key)) && has_fields(before, group)
}

/// Returns `true` for `= { name: .. }`.
fn has_fields(before: &[TokenTree], group: &Group) -> bool {
    let is_mark =
        |tree: Option<&TokenTree>, mark: char| matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == mark);
    let fields: Vec<TokenTree> = group.stream().into_iter().take(3).collect();
    let is_named = matches!(fields.first(), Some(TokenTree::Ident(_))) && is_mark(fields.get(1), ':');
    group.delimiter() == Delimiter::Brace && is_mark(before.last(), '=') && is_named && !is_mark(fields.get(2), ':')
}

/// Returns `true` if the tokens end with a word that is not like that of a list.
fn is_unknown_call(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [.., TokenTree::Ident(word)] if is_unknown_word(word))
}

fn is_unknown_word(word: &Ident) -> bool {
    let known = Punctuation::CALLS.into_iter().chain(["limit", "signals"]).chain(Place::Entry.names());
    suggest::closest(&word.to_string(), known).is_none()
}

/// Returns `true` for a keyword that is a name with `r#` before it.
fn is_keyword(word: &Ident) -> bool {
    let is_path = ["self", "Self", "super", "crate", "_"].iter().any(|part| word == part);
    !is_path && !is_name(word)
}

/// Returns `true` if the tokens end with the path of a struct literal: at the start, or after a `,`, `=` or `..`.
fn ends_with_path(tokens: &[TokenTree]) -> bool {
    let is_punct = |tree: Option<&TokenTree>, marks: &str| matches!(tree, Some(TokenTree::Punct(mark)) if marks.contains(mark.as_char()));
    let mut rest = tokens;
    while let [before @ .., TokenTree::Ident(segment)] = rest {
        if !is_name(segment) {
            return false;
        }
        let is_part = matches!(before, [.., TokenTree::Punct(_), last] if is_punct(Some(last), ":"));
        rest = if is_part { before.split_at(before.len() - 2).0 } else { before };
        if !is_part || !matches!(rest.last(), Some(TokenTree::Ident(_))) {
            return rest.is_empty() || is_punct(rest.last(), ",=.");
        }
    }
    false
}
