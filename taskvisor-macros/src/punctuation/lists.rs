//! Mends lists in brackets, and those of slots and limits in braces.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::quote;

use super::labels::{Elements, Mended};
use super::{Punctuation, has_fields};
use crate::supervise;

impl Punctuation {
    /// Returns the elements of a list in brackets, each with its label before it.
    pub(super) fn mend_elements(&mut self, list: TokenStream, of: Elements) -> TokenStream {
        let is_mark = |tree: &TokenTree, mark: char| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == mark);
        let mut trees: Vec<TokenTree> = list.into_iter().collect();
        if let Some(last) = trees.last().filter(|last| is_mark(last, ';')).map(TokenTree::span) {
            self.found.push((last, "leave out this `;`".to_owned()));
            trees.pop();
        }
        // `[value; count]` is an expression.
        if trees.iter().any(|tree| is_mark(tree, ',')) || trees.iter().filter(|tree| is_mark(tree, ';')).count() > 1 {
            trees = trees.into_iter().map(|tree| self.with_comma(tree)).collect();
        }
        let mut mended: Vec<TokenTree> = Vec::new();
        for element in trees.split_inclusive(|tree| is_mark(tree, ',')) {
            let (element, comma) = match element {
                [element @ .., comma] if is_mark(comma, ',') => (element, Some(comma)),
                element => (element, None),
            };
            let Some(Mended { trees, found }) = of.mend(element) else {
                mended.extend(element.iter().chain(comma).cloned());
                continue;
            };
            self.is_mended = true;
            self.found.extend(found);
            let comma = comma.filter(|_| !trees.is_empty()).cloned();
            mended.extend(trees.into_iter().chain(comma));
        }
        mended.into_iter().collect()
    }
}

/// Returns `true` for a type of Rust, which is no value.
pub(super) fn is_type(tree: &TokenTree) -> bool {
    matches!(tree, TokenTree::Ident(word) if supervise::TYPES.iter().any(|ty| word == ty))
}

/// Returns the message for `slots = { deploy: 3 }` and `limits = { db: 4 }`, and the list that is meant.
pub(super) fn declared_in_braces(before: &[TokenTree], group: &Group) -> Option<(String, TokenStream)> {
    let [.., TokenTree::Ident(key), TokenTree::Punct(_)] = before else { return None };
    let elements = Elements::of(key);
    if !has_fields(before, group) || !matches!(elements, Elements::Slots | Elements::Limits) {
        return None;
    }
    let trees: Vec<TokenTree> = group.stream().into_iter().collect();
    let mut list: Vec<TokenStream> = Vec::new();
    for field in trees.split(|tree| matches!(tree, TokenTree::Punct(mark) if mark.as_char() == ',')) {
        let [name @ TokenTree::Ident(_), TokenTree::Punct(_), value @ ..] = field else { continue };
        list.push(match (elements, value) {
            (Elements::Limits, [number @ TokenTree::Literal(_)]) => quote!(limit(#name, #number)),
            (Elements::Limits, _) => quote!(limit(#name, 4)),
            (_, [TokenTree::Ident(_), TokenTree::Group(options)]) if options.delimiter() == Delimiter::Parenthesis => {
                let options = options.stream();
                quote!(slot(#name, #options))
            }
            _ => quote!(slot(#name)),
        });
    }
    let first = list.first()?.to_string().replace(" (", "(").replace(" ,", ",").replace("( ", "(").replace(" )", ")");
    Some((format!("`{key}` is a list in brackets: write `{key} = [{first}]`"), quote!(#(#list),*)))
}
