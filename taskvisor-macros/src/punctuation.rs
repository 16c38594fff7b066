//! Mends the punctuation of other languages in a list that does not parse, for a message that says what to write.

use proc_macro2::{Delimiter, Group, Punct, Spacing, Span, TokenStream, TokenTree};

/// Mends the punctuation of other languages: `key: value`, `key => value`, `key "value"`, `group { .. }` and
/// `tasks = { .. }`.
#[derive(Default)]
pub(crate) struct Punctuation {
    /// The places, and what to write there.
    pub(crate) found: Vec<(Span, String)>,
}

impl Punctuation {
    /// The words that take a list in parentheses, and those that take one in brackets.
    const CALLS: [&'static str; 8] =
        ["task", "group", "slot", "backoff", "defaults", "one_for_one", "one_for_all", "rest_for_one"];
    const LISTS: [&'static str; 4] = ["tasks", "subscribers", "slots", "after"];

    /// Returns the tokens of a list with the right punctuation.
    pub(crate) fn mend(&mut self, list: TokenStream) -> TokenStream {
        let mut mended: Vec<TokenTree> = Vec::new();
        let mut trees = list.into_iter().peekable();
        while let Some(tree) = trees.next() {
            let is_comma = |tree: &TokenTree| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ',');
            let starts = mended.last().is_none_or(is_comma);
            match (&tree, trees.peek()) {
                (TokenTree::Ident(key), Some(TokenTree::Punct(next))) if starts => {
                    let is_colon = next.as_char() == ':' && next.spacing() == Spacing::Alone;
                    let is_equals = next.as_char() == '=' && next.spacing() == Spacing::Joint;
                    let (key, at) = (key.clone(), next.span());
                    mended.push(tree);
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
                (TokenTree::Group(group), _) => {
                    let delimiter = self.delimiter(group, &mended);
                    let stream = match delimiter {
                        Delimiter::Parenthesis | Delimiter::Bracket => self.mend(group.stream()),
                        _ => group.stream(),
                    };
                    let mut group_mended = Group::new(delimiter, stream);
                    group_mended.set_span(group.span());
                    mended.push(group_mended.into());
                }
                _ => mended.push(tree),
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
