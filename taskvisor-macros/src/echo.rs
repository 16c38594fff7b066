//! Repeats the keys, words and names of an invocation, for editors.
//!
//! An editor answers for a token of the invocation with what that token is in the expansion. A key is an option to the
//! macro, and nothing in the expansion; so it stands there once more, as the path of an item that has the docs of the
//! key. To complete a key, an editor expands the macro with a name of its own at the cursor, and offers what the path
//! before that name contains.
//!
//! The compiler does not need any of that, so its expansion has none of it.

use std::sync::OnceLock;

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::quote;
use syn::ext::IdentExt;
use syn::{Expr, Path};

use crate::argument::{self, Form};
use crate::{keys, path};

/// The words of one invocation, each with the name of the module that has its docs.
#[derive(Default)]
pub(crate) struct Echo {
    known: Vec<(&'static str, Ident)>,
    unknown: Vec<(&'static str, Ident)>,
}

impl Echo {
    /// Adds a word of a list.
    pub(crate) fn push(&mut self, list: &'static str, word: &Ident, is_known: bool) {
        if is_editor() {
            let words = if is_known { &mut self.known } else { &mut self.unknown };
            words.push((list, word.clone()));
        }
    }

    /// Adds the word of `group(..)`, `task(..)` or `slot(..)`.
    pub(crate) fn push_call(&mut self, call: &Expr) {
        if let Some((word, Form::List(_))) = argument::form(call) {
            self.push("lists", &word, true);
        }
    }

    /// Returns an import of each word, which belongs before everything else in the expansion.
    ///
    /// An editor compares the expansions with and without the name that it completes, by offsets. So each list has an
    /// import for unknown words, even if it has none.
    pub(crate) fn expand(&self, krate: Option<&Path>) -> TokenStream {
        if !is_editor() {
            return TokenStream::new();
        }
        let private = path::private(krate);
        let import = |list: &str, words: &[&Ident]| {
            let list = Ident::new(list, Span::call_site());
            let words = words.iter().map(|word| {
                let mut name = keys::name(&word.unraw().to_string()).unwrap_or_else(|| (*word).clone());
                name.set_span(word.span());
                name
            });
            quote!(#[allow(unused_imports)] use #private::keys::#list::{#(#words as _),*};)
        };
        let unknown = LISTS.iter().map(|list| {
            let words = self.unknown.iter().filter(|(of, _)| of == list).map(|(_, word)| word);
            import(list, &words.collect::<Vec<_>>())
        });
        let known = self.known.iter().map(|(list, word)| import(list, &[word]));
        unknown.chain(known).collect()
    }
}

/// The lists and the words whose names can be completed.
const LISTS: [&str; 25] = [
    "attribute",
    "entry",
    "group",
    "defaults",
    "tree",
    "backoff",
    "limit",
    "slot",
    "signals",
    "subscriber",
    "supervisor",
    "words_of_strategy",
    "words_of_restart",
    "words_of_ready",
    "words_of_jitter",
    "words_of_critical",
    "words_of_blocking",
    "words_of_admission",
    "words_of_signals",
    "words_of_span",
    "words_of_missed",
    "words_of_standby",
    "words_of_overrun",
    "words_of_ticks",
    "words_of_dynamic",
];

/// Returns the label of an entry with the place of the list after it, because the name itself is that of the task. A
/// variable has no list, so its label has the place of the macro.
pub(crate) fn beside(mut label: Ident, entry: &Expr) -> Ident {
    let place = match argument::peel(entry) {
        Expr::Struct(literal) => Some(literal.brace_token.span.open()),
        Expr::Call(call) => Some(call.paren_token.span.open()),
        Expr::Path(_) => Some(Span::call_site()),
        _ => None,
    };
    if let Some(place) = place.filter(|_| is_editor()) {
        label.set_span(place);
    }
    label
}

/// Returns the tokens with a name where one is missing, after a `.`, `::` or `=`. An editor can complete a name only if
/// the rest has the same expansion without it.
pub(crate) fn mended(tokens: TokenStream) -> TokenStream {
    if is_editor() { mend(&tokens).unwrap_or(tokens) } else { tokens }
}

/// Returns the mended tokens, or `None` if nothing is missing.
pub(crate) fn mend(tokens: &TokenStream) -> Option<TokenStream> {
    let mut mended: Vec<TokenTree> = Vec::new();
    let mut is_mended = false;
    let mut before = [' '; 2];
    let mut trees = tokens.clone().into_iter().peekable();
    while let Some(tree) = trees.next() {
        before = [before[1], if let TokenTree::Punct(mark) = &tree { mark.as_char() } else { ' ' }];
        mended.push(match tree {
            TokenTree::Group(group) => match mend(&group.stream()) {
                Some(inside) => {
                    is_mended = true;
                    let mut inner = Group::new(group.delimiter(), inside);
                    inner.set_span(group.span());
                    inner.into()
                }
                None => group.into(),
            },
            tree => tree,
        });
        if ends_list(trees.peek()) && matches!(before, [' ' | '?', '.'] | [' ', '='] | [':', ':']) {
            is_mended = true;
            mended.push(Ident::new("missing", Span::call_site()).into());
        }
    }
    is_mended.then(|| mended.into_iter().collect())
}

/// Returns `true` for the end of a list and for a comma.
fn ends_list(next: Option<&TokenTree>) -> bool {
    next.is_none_or(|tree| matches!(tree, TokenTree::Punct(comma) if comma.as_char() == ','))
}

/// Returns `true` if rust-analyzer expands the macro, and not the compiler.
pub(crate) fn is_editor() -> bool {
    static IS_EDITOR: OnceLock<bool> = OnceLock::new();
    *IS_EDITOR.get_or_init(|| {
        let program = std::env::current_exe().ok();
        let name = program.as_ref().and_then(|program| program.file_stem()?.to_str());
        name.is_some_and(|name| name.starts_with("rust-analyzer"))
    })
}
