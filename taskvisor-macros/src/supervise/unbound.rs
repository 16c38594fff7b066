//! Finds out whether an expansion with errors leaves a variable of the user's out. Such a variable would be unused, and may
//! then have no type.

use std::collections::HashSet;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;

use crate::reader::Binding;

/// Returns `true` if a word of the input that may be a variable stands in no binding.
pub(super) fn may_leave_out(input: TokenStream, bindings: &[Binding]) -> bool {
    let mut bound = HashSet::new();
    for binding in bindings {
        add_words(binding.expr.to_token_stream(), &mut bound);
    }
    has_unbound(input, &bound)
}

fn add_words(tokens: TokenStream, words: &mut HashSet<String>) {
    for tree in tokens {
        match tree {
            TokenTree::Ident(word) => drop(words.insert(word.to_string())),
            TokenTree::Group(group) => add_words(group.stream(), words),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

fn has_unbound(tokens: TokenStream, bound: &HashSet<String>) -> bool {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let punct = |at: Option<usize>| match at.and_then(|at| trees.get(at)) {
        Some(TokenTree::Punct(punct)) => Some(punct.as_char()),
        _ => None,
    };
    // The names in `after = [..]` are labels.
    let is_after = |at: usize| {
        let key = at.checked_sub(2).and_then(|key| trees.get(key));
        matches!(key, Some(TokenTree::Ident(key)) if key == "after")
    };
    trees.iter().enumerate().any(|(at, tree)| match tree {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket && is_after(at) => false,
        TokenTree::Group(group) => has_unbound(group.stream(), bound),
        TokenTree::Ident(word) => {
            let is_name = match trees.get(at + 1) {
                // A key, a label, a field, or a part of a path.
                Some(TokenTree::Punct(next)) => matches!(next.as_char(), '=' | ':' | '!'),
                // A function or the type of a literal.
                Some(TokenTree::Group(group)) => group.delimiter() != Delimiter::Bracket,
                _ => false,
            };
            let before = [2, 1].map(|back| punct(at.checked_sub(back)));
            let is_part = matches!(before, [Some(':'), Some(':')]) || matches!(before, [None, Some('.')]);
            !is_name && !is_part && !bound.contains(&word.to_string())
        }
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}
