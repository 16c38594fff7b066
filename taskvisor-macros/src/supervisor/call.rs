//! The call of `supervise!` in the body of a function, of which all else stays as written.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::quote;

/// The last `supervise!(..)` in a body, by whichever path.
pub(super) struct Call {
    /// The path of the macro.
    pub(super) path: TokenStream,
    /// What stands in its parentheses.
    pub(super) input: TokenStream,
    /// The groups that it is in, from the inside out. The last is the body.
    around: Vec<Around>,
}

/// A group, and what stands in it before and after the call.
struct Around {
    group: Group,
    before: Vec<TokenTree>,
    after: Vec<TokenTree>,
}

/// Where in the body the call is.
pub(super) enum Position {
    /// It is what the function returns.
    End,
    /// It would be, but for this `;`.
    BeforeSemicolon(TokenTree),
    Elsewhere,
}

impl Call {
    pub(super) fn find(body: &Group) -> Option<Self> {
        let trees: Vec<TokenTree> = body.stream().into_iter().collect();
        let here = (0..trees.len()).rev().find_map(|at| call_at(&trees, at));
        let (mut call, start, end) = here.or_else(|| call_inside(&trees))?;
        let (before, after) = (trees.iter().take(start).cloned(), trees.iter().skip(end).cloned());
        call.around.push(Around { group: body.clone(), before: before.collect(), after: after.collect() });
        Some(call)
    }

    pub(super) fn position(&self) -> Position {
        let Some((body, inner)) = self.around.split_last() else {
            return Position::Elsewhere;
        };
        let is_bare = |around: &Around| around.group.delimiter() == Delimiter::None && around.after.is_empty();
        match body.after.as_slice() {
            _ if !inner.iter().all(is_bare) => Position::Elsewhere,
            [] => Position::End,
            [TokenTree::Punct(last)] if last.as_char() == ';' => {
                Position::BeforeSemicolon(TokenTree::Punct(last.clone()))
            }
            _ => Position::Elsewhere,
        }
    }

    /// The body with other tokens in place of the call.
    pub(super) fn replaced(self, value: TokenStream) -> TokenStream {
        self.around.into_iter().fold(value, |inner, Around { group, before, after }| {
            let inside = before.into_iter().collect::<TokenStream>().into_iter().chain(inner).chain(after).collect();
            in_group(&group, inside)
        })
    }

    /// The body, which the call ends but for a `;`, with other tokens in place of both.
    pub(super) fn replaced_at_end(mut self, value: TokenStream) -> TokenStream {
        if let Some(body) = self.around.last_mut() {
            body.after.clear();
        }
        self.replaced(value)
    }
}

/// A group like that one, around other tokens.
pub(super) fn in_group(like: &Group, inside: TokenStream) -> TokenStream {
    let mut group = Group::new(like.delimiter(), inside);
    group.set_span(like.span());
    TokenTree::Group(group).into()
}

/// The call whose name stands there, with where its path starts and where it ends.
fn call_at(trees: &[TokenTree], name: usize) -> Option<(Call, usize, usize)> {
    let is_name = matches!(trees.get(name), Some(TokenTree::Ident(ident)) if ident == "supervise");
    let is_call = matches!(trees.get(name + 1), Some(TokenTree::Punct(mark)) if mark.as_char() == '!');
    let Some(TokenTree::Group(input)) = trees.get(name + 2).filter(|_| is_name && is_call) else {
        return None;
    };
    let start = path_start(trees, name);
    let path: TokenStream = trees.iter().take(name + 1).skip(start).cloned().collect();
    // Of others, as `Self::supervise!`, the compiler says what is wrong.
    syn::parse2::<syn::ItemUse>(quote!(use #path as _;)).ok()?;
    Some((Call { path, input: input.stream(), around: Vec::new() }, start, name + 3))
}

/// The last call in a group among the tokens, with where that group is.
fn call_inside(trees: &[TokenTree]) -> Option<(Call, usize, usize)> {
    trees.iter().enumerate().rev().find_map(|(at, tree)| match tree {
        TokenTree::Group(group) => Some((Call::find(group)?, at, at + 1)),
        _ => None,
    })
}

/// Where the path that ends with that name starts.
fn path_start(trees: &[TokenTree], name: usize) -> usize {
    let is_colon = |at: usize| matches!(trees.get(at), Some(TokenTree::Punct(colon)) if colon.as_char() == ':');
    let mut start = name;
    while start >= 2 && is_colon(start - 1) && is_colon(start - 2) {
        start -= 2;
        match start.checked_sub(1).and_then(|before| trees.get(before)) {
            Some(TokenTree::Ident(_)) => start -= 1,
            _ => break,
        }
    }
    start
}
