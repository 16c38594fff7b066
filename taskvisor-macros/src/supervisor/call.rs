//! Finds the call of `supervise!` in the body of a function. The rest of the body stays as written.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::quote;

/// The last `supervise!(..)` in a body, by any path.
pub(super) struct Call {
    /// The path of the macro.
    pub(super) path: TokenStream,
    /// Its arguments.
    pub(super) input: TokenStream,
    /// The groups around it, from the inside out. The last is the body.
    around: Vec<Around>,
}

/// A group, and its tokens before and after the call.
struct Around {
    group: Group,
    before: Vec<TokenTree>,
    after: Vec<TokenTree>,
}

/// The position of the call in the body.
pub(super) enum Position {
    /// The call is the return value of the function.
    End,
    /// The call would be the return value without this `;`.
    BeforeSemicolon(TokenTree),
    /// The call is in the last expression, or in a `let` or `return`: the compiler checks the rest.
    Within,
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

    /// Returns the name in what stands around the call, as in `App::new(..)`.
    pub(super) fn uses(&self, name: &Ident) -> Option<Ident> {
        self.around.iter().find_map(|around| used(&around.before, name).or_else(|| used(&around.after, name)))
    }

    /// Returns the call as it was written.
    pub(super) fn written(&self) -> TokenStream {
        let (path, input) = (&self.path, &self.input);
        quote!(#path!(#input))
    }

    pub(super) fn position(&self) -> Position {
        let Some((body, inner)) = self.around.split_last() else {
            return Position::Elsewhere;
        };
        let is_bare = |around: &Around| around.group.delimiter() == Delimiter::None && around.after.is_empty();
        let is_semicolon = |tree: &TokenTree| matches!(tree, TokenTree::Punct(mark) if mark.as_char() == ';');
        let mut statement = body.before.rsplit(is_semicolon).next().unwrap_or_default().iter();
        let is_kept = matches!(statement.next(), Some(TokenTree::Ident(word)) if word == "let" || word == "return");
        match body.after.as_slice() {
            [] if inner.iter().all(is_bare) => Position::End,
            after if is_kept || !after.iter().any(is_semicolon) => Position::Within,
            _ if !inner.iter().all(is_bare) => Position::Elsewhere,
            [semicolon] => Position::BeforeSemicolon(semicolon.clone()),
            _ => Position::Elsewhere,
        }
    }

    /// Returns the paths of the other calls whose value the last expression of the function can have. Their place takes a
    /// value of any type: they have another type than the tree.
    pub(super) fn divert_others(&mut self) -> Vec<TokenStream> {
        let mut found = Vec::new();
        let is_semicolon = |tree: &TokenTree| matches!(tree, TokenTree::Punct(mark) if mark.as_char() == ';');
        for around in self.around.iter_mut().rev() {
            let last = around.before.iter().rposition(is_semicolon).unwrap_or_default();
            let expression = around.before.split_off(last);
            around.before.extend(divert(&expression, around.group.delimiter(), &mut found));
        }
        found
    }

    /// Returns the body with other tokens in place of the call.
    pub(super) fn replaced(self, value: TokenStream) -> TokenStream {
        self.around.into_iter().fold(value, |inner, Around { group, before, after }| {
            let inside = before.into_iter().collect::<TokenStream>().into_iter().chain(inner).chain(after).collect();
            in_group(&group, inside)
        })
    }

    /// Returns the body with other tokens in place of the call and of the `;` after it.
    pub(super) fn replaced_at_end(mut self, value: TokenStream) -> TokenStream {
        if let Some(body) = self.around.last_mut() {
            body.after.clear();
        }
        self.replaced(value)
    }
}

/// Returns the body with `supervise!(..)` in place of `supervise(..)` or `supervisor!(..)`, and the place of that.
pub(super) fn respelled(body: &Group) -> Option<(Group, Ident)> {
    let mut trees: Vec<TokenTree> = body.stream().into_iter().collect();
    for (at, tree) in trees.iter().enumerate().rev() {
        let (changed, end, name) = match (tree, trees.get(at + 1), trees.get(at + 2)) {
            (TokenTree::Ident(name), Some(TokenTree::Group(list)), _)
                if name == "supervise" && list.delimiter() == Delimiter::Parenthesis =>
            {
                (list, at + 2, name)
            }
            (TokenTree::Ident(name), Some(TokenTree::Punct(mark)), Some(TokenTree::Group(list)))
                if mark.as_char() == '!' && ["supervisor", "supervised", "tree"].iter().any(|word| name == word) =>
            {
                (list, at + 3, name)
            }
            (TokenTree::Group(group), ..) => {
                let Some((inner, name)) = respelled(group) else { continue };
                *trees.get_mut(at)? = inner.into();
                return Some((Group::new(body.delimiter(), trees.into_iter().collect()), name));
            }
            _ => continue,
        };
        let (name, call) = (name.clone(), Ident::new("supervise", name.span()));
        let changed = quote!(#call ! #changed);
        trees.splice(at..end, changed);
        let mut group = Group::new(body.delimiter(), trees.into_iter().collect());
        group.set_span(body.span());
        return Some((group, name));
    }
    None
}

/// Returns the trees, which stand in such brackets, with a value of any type in place of each call that is the value of a block
/// or of an arm.
fn divert(trees: &[TokenTree], delimiter: Delimiter, found: &mut Vec<TokenStream>) -> Vec<TokenTree> {
    let mut diverted: Vec<TokenTree> = Vec::new();
    let mut at = 0;
    while let Some(tree) = trees.get(at) {
        let is_value = |end: usize| match trees.get(end) {
            None => true,
            Some(TokenTree::Punct(mark)) => mark.as_char() == ',' && delimiter == Delimiter::Brace,
            Some(_) => false,
        };
        match (tree, call_at(trees, at)) {
            (_, Some((call, start, end))) if is_value(end) => {
                let (path, input) = (&call.path, &call.input);
                diverted.truncate(diverted.len() - (at - start));
                diverted.extend(quote!({
                    let _ = #path!(#input);
                    ::core::option::Option::unwrap(::core::option::Option::None)
                }));
                found.push(call.path);
                at = end;
                continue;
            }
            (TokenTree::Group(group), _) => {
                let inside: Vec<TokenTree> = group.stream().into_iter().collect();
                diverted.extend(in_group(group, divert(&inside, group.delimiter(), found).into_iter().collect()));
            }
            (tree, _) => diverted.push(tree.clone()),
        }
        at += 1;
    }
    diverted
}

/// Returns a group like that one, around other tokens.
pub(super) fn in_group(like: &Group, inside: TokenStream) -> TokenStream {
    let mut group = Group::new(like.delimiter(), inside);
    group.set_span(like.span());
    TokenTree::Group(group).into()
}

/// Returns the name of the type where a value is made of it: `App::new()`, `App { .. }`.
pub(super) fn used(trees: &[TokenTree], name: &Ident) -> Option<Ident> {
    let is_mark = |at: Option<usize>, mark: char| {
        let tree = at.and_then(|at| trees.get(at));
        matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == mark)
    };
    trees.iter().enumerate().find_map(|(at, tree)| match (tree, trees.get(at + 1), trees.get(at + 3)) {
        // A trait of the user can have other functions.
        (TokenTree::Ident(word), Some(TokenTree::Punct(_)), Some(TokenTree::Ident(function)))
            if word == name && is_mark(Some(at + 1), ':') && is_mark(Some(at + 2), ':') =>
        {
            ["new", "default", "builder"].iter().any(|known| function == known).then(|| word.clone())
        }
        // No return type.
        (TokenTree::Ident(word), Some(TokenTree::Group(_)), _) if word == name && !is_mark(at.checked_sub(1), '>') => {
            Some(word.clone())
        }
        (TokenTree::Group(group), ..) => used(&group.stream().into_iter().collect::<Vec<_>>(), name),
        _ => None,
    })
}

/// Returns the call at this name, with the start of its path and its end.
fn call_at(trees: &[TokenTree], name: usize) -> Option<(Call, usize, usize)> {
    let is_name = matches!(trees.get(name), Some(TokenTree::Ident(ident)) if ident == "supervise");
    let is_call = matches!(trees.get(name + 1), Some(TokenTree::Punct(mark)) if mark.as_char() == '!');
    let Some(TokenTree::Group(input)) = trees.get(name + 2).filter(|_| is_name && is_call) else {
        return None;
    };
    let start = path_start(trees, name);
    let path: TokenStream = trees.iter().take(name + 1).skip(start).cloned().collect();
    // The compiler reports others, such as `Self::supervise!`.
    syn::parse2::<syn::ItemUse>(quote!(use #path as _;)).ok()?;
    Some((Call { path, input: input.stream(), around: Vec::new() }, start, name + 3))
}

/// Returns the last call in a group among the tokens, with the position of that group.
fn call_inside(trees: &[TokenTree]) -> Option<(Call, usize, usize)> {
    trees.iter().enumerate().rev().find_map(|(at, tree)| match tree {
        TokenTree::Group(group) => Some((Call::find(group)?, at, at + 1)),
        _ => None,
    })
}

/// Returns the start of the path that ends with that name.
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
