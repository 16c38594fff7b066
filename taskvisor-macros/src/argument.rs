//! Argument lists: the tokens in the parentheses of a macro, as `key = value`, `key(list)` or a word.

use proc_macro2::{Delimiter, Group, Ident, Spacing, TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Token};

use crate::echo;
use crate::function::find_word;
use crate::punctuation::Punctuation;
use crate::reader::Reader;

pub(crate) type List = Punctuated<Expr, Token![,]>;

/// One argument of a list, by its form.
pub(crate) enum Form<'a> {
    /// `key`
    Word,
    /// `key = value`
    Value(&'a Expr),
    /// `key(list)`
    List(&'a List),
}

/// Returns the key and the form of an argument, if it has one of the forms.
pub(crate) fn form(argument: &Expr) -> Option<(Ident, Form<'_>)> {
    match peel(argument) {
        Expr::Path(_) => Some((as_ident(argument)?, Form::Word)),
        Expr::Assign(assign) => Some((as_ident(&assign.left)?, Form::Value(&assign.right))),
        Expr::Call(call) => Some((as_ident(&call.func)?, Form::List(&call.args))),
        _ => None,
    }
}

/// Returns the arguments of a call to the bare name `name`, as in `task(..)`.
pub(crate) fn call_of<'a>(expr: &'a Expr, name: &str) -> Option<&'a List> {
    match form(expr) {
        Some((key, Form::List(list))) if key == name => Some(list),
        _ => None,
    }
}

/// Returns the expression as a single identifier.
pub(crate) fn as_ident(expr: &Expr) -> Option<Ident> {
    match peel(expr) {
        Expr::Path(path) if path.qself.is_none() => path.path.get_ident().cloned(),
        _ => None,
    }
}

/// Returns the expression without the invisible groups that `macro_rules!` puts around its fragments.
pub(crate) fn peel(expr: &Expr) -> &Expr {
    match expr {
        Expr::Group(group) => peel(&group.expr),
        expr => expr,
    }
}

/// Parses the attributes before an argument or entry.
pub(crate) fn attributes(expr: &Expr) -> &[Attribute] {
    match expr {
        Expr::Assign(assign) if assign.attrs.is_empty() => attributes(&assign.left),
        Expr::Assign(assign) => &assign.attrs,
        Expr::Call(call) if call.attrs.is_empty() => attributes(&call.func),
        Expr::Call(call) => &call.attrs,
        Expr::MethodCall(call) if call.attrs.is_empty() => attributes(&call.receiver),
        Expr::MethodCall(call) => &call.attrs,
        Expr::Group(group) => &group.attrs,
        Expr::Lit(literal) => &literal.attrs,
        Expr::Macro(call) => &call.attrs,
        Expr::Path(path) => &path.attrs,
        Expr::Range(range) => &range.attrs,
        Expr::Struct(literal) => &literal.attrs,
        _ => &[],
    }
}

/// Parses a comma-separated list. An argument that cannot be parsed is one error, and the others are kept.
pub(crate) fn parse_list(tokens: TokenStream, reader: &mut Reader) -> Vec<Expr> {
    let tokens = with_keywords(echo::mended(tokens));
    let error = match List::parse_terminated.parse2(tokens.clone()) {
        Ok(list) => return list.into_iter().collect(),
        Err(error) => error,
    };
    let mut punctuation = Punctuation::default();
    let mended = punctuation.mend(tokens.clone());
    if punctuation.is_mended {
        for (at, message) in punctuation.found {
            reader.errors.push_error(syn::Error::new(at, message));
        }
        if let Ok(list) = List::parse_terminated.parse2(mended.clone()) {
            return list.into_iter().collect();
        }
        reader.recovered = true;
        return recover_list(mended);
    }
    reader.errors.push_error(at_last_token(error, &tokens));
    reader.recovered = true;
    recover_list(tokens)
}

/// Makes an identifier of the keyword in `struct = Name`, which could not be parsed as an expression.
fn with_keywords(tokens: TokenStream) -> TokenStream {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let is_assigned =
        |at: usize| matches!(trees.get(at + 1), Some(TokenTree::Punct(equals)) if equals.as_char() == '=');
    let read = |(at, tree): (usize, &TokenTree)| match tree {
        TokenTree::Ident(word) if word == "struct" && is_assigned(at) => Ident::new_raw("struct", word.span()).into(),
        TokenTree::Group(group) if find_word(group.stream(), "struct").is_some() => {
            let mut inner = Group::new(group.delimiter(), with_keywords(group.stream()));
            inner.set_span(group.span());
            inner.into()
        }
        tree => tree.clone(),
    };
    trees.iter().enumerate().map(read).collect()
}

/// Moves an error at the end of the input to the last token, because it would point at the whole invocation. After a
/// comma the list may end, so the error is at the end of a group in it. A missing comma is named.
fn at_last_token(error: syn::Error, tokens: &TokenStream) -> syn::Error {
    let message = error.to_string();
    if matches!(&*message, "expected `,`" | "expected `,` or `;`") {
        return syn::Error::new(error.span(), "a `,` is missing before this");
    }
    match tokens.clone().into_iter().last() {
        Some(TokenTree::Punct(last)) if last.as_char() != ',' && message.starts_with("unexpected end of input") => {
            syn::Error::new(last.span(), message)
        }
        _ => error,
    }
}

/// Parses the list as far as possible. An unreadable argument becomes `Expr::Verbatim`.
fn recover_list(tokens: TokenStream) -> Vec<Expr> {
    let read = |input: ParseStream<'_>| {
        let mut list = Vec::new();
        while !input.is_empty() {
            list.push(recover_element(input)?);
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(list)
    };
    read.parse2(tokens).unwrap_or_default()
}

/// Parses the expression up to the next comma, or returns all tokens up to the next comma or to where one is missing.
fn recover_element(input: ParseStream<'_>) -> syn::Result<Expr> {
    let ahead = input.fork();
    let is_expr = ahead.parse::<Expr>().is_ok() && (ahead.is_empty() || ahead.peek(Token![,]));
    let mut tokens: Vec<TokenTree> = Vec::new();
    while !input.is_empty() {
        let is_over = if is_expr {
            input.cursor() == ahead.cursor()
        } else {
            input.peek(Token![,]) || (starts_argument(input) && tokens.last().is_some_and(ends_value))
        };
        if is_over {
            break;
        }
        tokens.push(input.parse()?);
    }
    // Parsed again, because a group can hold more than the expression has read.
    Ok(recover(tokens.into_iter().collect()))
}

/// Returns `true` if `key = ..` follows.
fn starts_argument(input: ParseStream<'_>) -> bool {
    input.peek(syn::Ident) && input.peek2(Token![=]) && !input.peek2(Token![==]) && !input.peek2(Token![=>])
}

/// Returns `true` if a comma can follow.
fn ends_value(tree: &TokenTree) -> bool {
    matches!(tree, TokenTree::Group(_) | TokenTree::Literal(_) | TokenTree::Ident(_))
}

fn recover(tokens: TokenStream) -> Expr {
    if let Ok(expr) = syn::parse2::<Expr>(tokens.clone()) {
        return expr;
    }
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    match trees.as_slice() {
        [TokenTree::Ident(key), TokenTree::Punct(equals), value @ ..]
            if equals.as_char() == '=' && equals.spacing() == Spacing::Alone =>
        {
            Expr::Assign(syn::ExprAssign {
                attrs: Vec::new(),
                left: Box::new(path(key)),
                eq_token: syn::token::Eq(equals.span()),
                right: Box::new(recover(value.iter().cloned().collect())),
            })
        }
        [TokenTree::Ident(name), TokenTree::Group(list)] if list.delimiter() == Delimiter::Parenthesis => {
            Expr::Call(syn::ExprCall {
                attrs: Vec::new(),
                func: Box::new(path(name)),
                paren_token: syn::token::Paren(list.span()),
                args: recover_list(list.stream()).into_iter().collect(),
            })
        }
        // The form `key = [..]`.
        [TokenTree::Ident(key), TokenTree::Group(list)] if list.delimiter() == Delimiter::Bracket => {
            Expr::Assign(syn::ExprAssign {
                attrs: Vec::new(),
                left: Box::new(path(key)),
                eq_token: syn::token::Eq(list.span()),
                right: Box::new(array(list)),
            })
        }
        [TokenTree::Group(list)] if list.delimiter() == Delimiter::Bracket => array(list),
        _ => Expr::Verbatim(tokens),
    }
}

fn array(list: &Group) -> Expr {
    Expr::Array(syn::ExprArray {
        attrs: Vec::new(),
        bracket_token: syn::token::Bracket(list.span()),
        elems: recover_list(list.stream()).into_iter().collect(),
    })
}

fn path(ident: &Ident) -> Expr {
    Expr::Path(syn::ExprPath { attrs: Vec::new(), qself: None, path: ident.clone().into() })
}
