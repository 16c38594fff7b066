//! An option or a condition beside an entry, without the punctuation for it: `ping {} after [store]`.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

use crate::options::Place;
use crate::{path, synonyms};

/// Returns the place of `after` in `ping {} after [store]`, of `if` in `ping {} if flag` and of `critical` in
/// `critical ping {}`, and what to write instead.
pub(crate) fn instead(trees: &[TokenTree]) -> Option<(Span, String)> {
    match trees {
        [TokenTree::Ident(word), TokenTree::Ident(call), TokenTree::Group(list)]
            if call == "task" && list.delimiter() == Delimiter::Parenthesis =>
        {
            let option = option(word)?;
            Some((word.span(), format!("`{option}` is an option of an entry: write it in the list of `task(..)`")))
        }
        [TokenTree::Ident(word), TokenTree::Ident(_), ..] => {
            let [option, entry] = [option(word)?, entry_at_start(trees.get(1..)?)?.0];
            Some((
                word.span(),
                format!("`{option}` is an option of an entry: write `task({entry} {{ .. }}, {option})`"),
            ))
        }
        _ => {
            let (entry, rest) = entry_at_start(trees)?;
            let rest = match rest {
                [TokenTree::Ident(with), rest @ ..] if ["with", "where", "using"].iter().any(|word| with == word) => {
                    rest
                }
                rest => rest,
            };
            if let [TokenTree::Group(options)] = rest {
                return in_braces(&entry, options);
            }
            let [TokenTree::Ident(word), value @ ..] = rest else { return None };
            let message = if ["if", "when", "unless"].iter().any(|condition| word == condition) {
                format!("an entry under a condition is `..flag.then(|| {entry} {{ .. }})`")
            } else {
                let option = option(word)?;
                let value = match value {
                    [] => "",
                    _ if option == "after" => " = [..]",
                    _ => " = ..",
                };
                format!("`{option}` is an option of an entry: write `task({entry} {{ .. }}, {option}{value})`")
            };
            Some((word.span(), message))
        }
    }
}

/// Returns what to write for `ping {} { critical: true }`.
fn in_braces(entry: &str, options: &Group) -> Option<(Span, String)> {
    let Some(TokenTree::Ident(word)) = options.stream().into_iter().next() else { return None };
    let option = option(&word).filter(|_| options.delimiter() == Delimiter::Brace)?;
    let message = format!("`{option}` is an option of an entry: write `task({entry} {{ .. }}, {option} = ..)`");
    Some((word.span(), message))
}

/// Returns the option of `task(..)`, or that for a word of others.
pub(crate) fn option(word: &Ident) -> Option<String> {
    let (names, written) = (Place::Entry.names(), word.to_string());
    let ours = names.iter().find(|name| written == **name).copied();
    let ours = ours.or_else(|| synonyms::ours(&["option"], &written).find(|ours| names.contains(ours)));
    ours.map(str::to_owned)
}

/// Returns the path of the struct literal at the start, and what stands behind it.
pub(crate) fn entry_at_start(trees: &[TokenTree]) -> Option<(String, &[TokenTree])> {
    let is_of_path = |at: usize, tree: &TokenTree| match tree {
        // Two names are no path.
        TokenTree::Ident(_) => !matches!(at.checked_sub(1).and_then(|at| trees.get(at)), Some(TokenTree::Ident(_))),
        TokenTree::Punct(mark) => mark.as_char() == ':',
        _ => false,
    };
    let end = trees.iter().enumerate().position(|(at, tree)| !is_of_path(at, tree)).filter(|end| *end > 0)?;
    let (entry, rest) = trees.split_at_checked(end)?;
    match rest {
        [TokenTree::Group(fields), rest @ ..] if fields.delimiter() == Delimiter::Brace => {
            Some((path::text(&entry.iter().cloned().collect::<TokenStream>()), rest))
        }
        _ => None,
    }
}
