//! Mends values that are not in quotes: cron patterns, and the words of a strategy with hyphens.

use std::iter::Peekable;

use proc_macro2::token_stream::IntoIter;
use proc_macro2::{Ident, Literal, TokenTree};

use super::Punctuation;
use crate::supervise;

impl Punctuation {
    /// Reports a cron pattern without quotes, up to a comma before a key. Returns a pattern in its place.
    pub(super) fn quoted(&mut self, trees: &mut Peekable<IntoIter>) -> Option<TokenTree> {
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

    /// Reports `one-for-all` after a `=`, and returns the word for it.
    pub(super) fn dashed_strategy(
        &mut self,
        before: &[TokenTree],
        first: &TokenTree,
        trees: &mut Peekable<IntoIter>,
    ) -> Option<TokenTree> {
        let is_value = matches!(before.last(), Some(TokenTree::Punct(mark)) if mark.as_char() == '=');
        let rest: Vec<TokenTree> = trees.clone().take(4).collect();
        let written: String = [first].into_iter().chain(&rest).map(ToString::to_string).collect();
        let word = written.replace('-', "_");
        let is_known = is_value && written.contains('-') && supervise::STRATEGIES.contains(&&*word);
        is_known.then(|| {
            trees.by_ref().take(4).for_each(drop);
            self.found.push((first.span(), format!("unknown `strategy` `{written}`: write `{word}`")));
            Ident::new(&word, first.span()).into()
        })
    }
}
