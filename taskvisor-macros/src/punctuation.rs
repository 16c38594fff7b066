//! Mends the punctuation of other languages in a list that does not parse, for a message that says what to write.

use std::iter::Peekable;

use proc_macro2::token_stream::IntoIter;
use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

use quote::quote_spanned;

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
        let mended = self.mend_list(list, false);
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

    /// `has_labels` for a list in brackets, whose names are labels.
    fn mend_list(&mut self, list: TokenStream, has_labels: bool) -> TokenStream {
        let mut mended: Vec<TokenTree> = Vec::new();
        let mut trees = list.into_iter().peekable();
        while let Some(tree) = trees.next() {
            let is_comma = |tree: &TokenTree| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ',');
            let starts = mended.last().is_none_or(is_comma);
            match (&tree, trees.peek()) {
                (TokenTree::Ident(key), Some(TokenTree::Punct(next))) if starts => {
                    let is_colon = next.as_char() == ':' && next.spacing() == Spacing::Alone;
                    let is_equals = next.as_char() == '=' && next.spacing() == Spacing::Joint;
                    let is_assigned = next.as_char() == '=' && next.spacing() == Spacing::Alone;
                    let (key, at) = (key.clone(), next.span());
                    if is_assigned && is_keyword(&key) {
                        self.is_mended = true;
                        if has_labels {
                            let message = format!("`{key}` is a keyword: write `r#{key}`, or another name");
                            self.found.push((key.span(), message));
                        }
                        mended.push(Ident::new_raw(&key.to_string(), key.span()).into());
                        continue;
                    }
                    mended.push(tree);
                    if is_assigned && key == "cron" {
                        mended.extend(trees.next());
                        mended.extend(self.quoted(&mut trees));
                    }
                    if !is_colon && !is_equals {
                        continue;
                    }
                    let punct = trees.next();
                    let is_end = |tree: &TokenTree| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == '>');
                    if is_colon || trees.next_if(is_end).is_some() {
                        self.found.push((at, format!("write `=` after `{key}`: `{key} = ..`")));
                        let mut equals = Punct::new('=', Spacing::Alone);
                        equals.set_span(at);
                        mended.push(equals.into());
                    } else {
                        mended.extend(punct);
                    }
                }
                (TokenTree::Ident(key), Some(TokenTree::Literal(value))) if starts => {
                    self.found.push((value.span(), format!("write `=` after `{key}`: `{key} = {value}`")));
                    let mut equals = Punct::new('=', Spacing::Alone);
                    equals.set_span(value.span());
                    mended.extend([tree, equals.into()]);
                }
                (TokenTree::Ident(key), Some(TokenTree::Group(list)))
                    if starts
                        && list.delimiter() == Delimiter::Bracket
                        && Self::LISTS.iter().any(|list| key == list) =>
                {
                    self.found.push((list.span_open(), format!("write `=` after `{key}`: `{key} = ..`")));
                    let mut equals = Punct::new('=', Spacing::Alone);
                    equals.set_span(list.span_open());
                    mended.extend([tree, equals.into()]);
                }
                (TokenTree::Group(group), _) if is_config_in_braces(&mended, group) => {
                    let message = "the fields of the config are keys: write them beside this, as in `grace = \"5s\"`";
                    self.found.push((group.span_open(), message.to_owned()));
                    mended.extend(quote_spanned!(group.span()=> ::core::default::Default::default()));
                }
                (TokenTree::Group(group), _) => {
                    // `backoff = { first: "1s" }`
                    if is_call_in_braces(&mended, group) {
                        mended.pop();
                    }
                    let before = (self.found.len(), std::mem::take(&mut self.is_mended));
                    let delimiter = self.delimiter(group, &mended);
                    let stream = match delimiter {
                        Delimiter::Parenthesis => {
                            let is_list =
                                matches!(mended.last(), Some(TokenTree::Ident(word)) if !is_unknown_word(word));
                            let stream = group.stream().into_iter();
                            let stream =
                                stream.map(|tree| if is_list { self.with_comma(tree) } else { tree }).collect();
                            self.mend_list(stream, false)
                        }
                        Delimiter::Bracket => self.mend_list(group.stream(), true),
                        Delimiter::Brace if ends_with_path(&mended) => match mended.last() {
                            Some(TokenTree::Ident(task)) => self.mend_fields(task, group.stream()),
                            _ => group.stream(),
                        },
                        _ => group.stream(),
                    };
                    let is_changed = self.found.len() > before.0 || self.is_mended;
                    // An entry that is a call of a function gets another message, for the call.
                    if has_labels && delimiter == Delimiter::Parenthesis && is_unknown_call(&mended) {
                        self.found.truncate(before.0);
                    }
                    // A new group has lost the places of its delimiters.
                    if is_changed {
                        let mut group_mended = Group::new(delimiter, stream);
                        group_mended.set_span(group.span());
                        mended.push(group_mended.into());
                    } else {
                        mended.push(tree);
                    }
                    self.is_mended = is_changed || before.1;
                }
                _ => mended.push(tree),
            }
        }
        mended.into_iter().collect()
    }

    /// Reports a cron pattern without quotes, up to a comma before a key. Returns a pattern in its place.
    fn quoted(&mut self, trees: &mut Peekable<IntoIter>) -> Option<TokenTree> {
        let is_comma = |tree: &TokenTree| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ',');
        let [first, second] = {
            let mut ahead = trees.clone();
            [ahead.next(), ahead.next()]
        };
        let first = first?;
        let is_pattern = match &first {
            TokenTree::Punct(mark) if mark.as_char() == '@' => true,
            // `*PATTERN` is an expression.
            TokenTree::Punct(mark) if mark.as_char() == '*' => {
                matches!(second, Some(TokenTree::Punct(_) | TokenTree::Literal(_)))
            }
            TokenTree::Literal(number) => {
                number.to_string().starts_with(|c: char| c.is_ascii_digit())
                    && second.is_some_and(|tree| !is_comma(&tree))
            }
            _ => false,
        };
        if !is_pattern {
            return None;
        }
        loop {
            while trees.next_if(|tree| !is_comma(tree)).is_some() {}
            // The comma of a list, as in `8,12`.
            if !matches!(trees.clone().nth(1), Some(TokenTree::Literal(_) | TokenTree::Punct(_))) {
                break;
            }
            trees.next();
        }
        let message = "a pattern stands in quotes: write for example `cron = \"30 2 * * *\"`";
        self.found.push((first.span(), message.to_owned()));
        let mut pattern = Literal::string("@daily");
        pattern.set_span(first.span());
        Some(pattern.into())
    }

    /// Returns the fields of a struct literal with `:` after their names, and without what is an option.
    fn mend_fields(&mut self, task: &Ident, fields: TokenStream) -> TokenStream {
        let is_mark = |tree: &TokenTree, mark: char| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == mark && punct.spacing() == Spacing::Alone);
        let mut mended: Vec<TokenTree> = Vec::new();
        let mut fields = fields.into_iter().peekable();
        while let Some(tree) = fields.next() {
            let starts = mended.last().is_none_or(|last| is_mark(last, ','));
            let (TokenTree::Ident(field), true) = (&tree, starts) else {
                mended.push(tree);
                continue;
            };
            if is_keyword(field) && fields.peek().is_some_and(|next| is_mark(next, ':')) {
                self.found.push((field.span(), format!("`{field}` is a keyword: write `r#{field}`")));
                mended.push(Ident::new_raw(&field.to_string(), field.span()).into());
                continue;
            }
            let Some(equals) = fields.next_if(|next| is_mark(next, '=')) else {
                mended.push(tree);
                continue;
            };
            let message = if field == "after" {
                format!("`after` is an option of an entry: write `task({task} {{ .. }}, after = [..])`")
            } else if Place::Entry.names().iter().any(|option| field == option) {
                format!(
                    "an argument stands in the braces, as `{field}: ..`, and an option beside them: \
                     `task({task} {{ .. }}, {field} = ..)`"
                )
            } else {
                format!("an argument is a field of the struct: write `{field}: ..`")
            };
            self.found.push((equals.span(), message));
            if field == "after" || is_option(field, fields.peek()) {
                while fields.next_if(|next| !is_mark(next, ',')).is_some() {}
                fields.next();
            } else {
                let mut colon = Punct::new(':', Spacing::Alone);
                colon.set_span(equals.span());
                mended.extend([tree, colon.into()]);
            }
        }
        mended.into_iter().collect()
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

/// Returns `true` for a field that is certainly meant as an option. Text can be an argument `name` as well, but hardly an
/// argument with the name of another option.
fn is_option(field: &Ident, value: Option<&TokenTree>) -> bool {
    let is_text = matches!(value, Some(TokenTree::Literal(text)) if text.to_string().starts_with('"'));
    is_text && field != "name" && Place::Entry.names().iter().any(|option| field == option)
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
