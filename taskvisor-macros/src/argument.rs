//! Argument lists: the tokens in the parentheses of a macro, as `key = value`, `key(list)` or a word.

use proc_macro2::{Delimiter, Group, Ident, Spacing, TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Token};

use crate::path::is_name;
use crate::punctuation::Punctuation;
use crate::reader::Reader;
use crate::{apart, echo};

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
        Expr::Path(path) => path.path.get_ident().cloned(),
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

/// Returns the attributes before an argument or entry. The parser gives those of `key = value` to the key, and others to
/// the whole expression.
pub(crate) fn attributes(expr: &Expr) -> &[Attribute] {
    match expr {
        Expr::Assign(assign) => attributes(&assign.left),
        Expr::Binary(binary) => attributes(&binary.left),
        Expr::Cast(cast) => attributes(&cast.expr),
        Expr::Array(list) => &list.attrs,
        Expr::Async(block) => &block.attrs,
        Expr::Await(waits) => &waits.attrs,
        Expr::Block(block) => &block.attrs,
        Expr::Call(call) => &call.attrs,
        Expr::Closure(closure) => &closure.attrs,
        Expr::Field(field) => &field.attrs,
        Expr::Group(group) => &group.attrs,
        Expr::If(choice) => &choice.attrs,
        Expr::Index(index) => &index.attrs,
        Expr::Lit(literal) => &literal.attrs,
        Expr::Macro(call) => &call.attrs,
        Expr::Match(choice) => &choice.attrs,
        Expr::MethodCall(call) => &call.attrs,
        Expr::Paren(inner) => &inner.attrs,
        Expr::Path(path) => &path.attrs,
        Expr::Reference(reference) => &reference.attrs,
        Expr::Struct(literal) => &literal.attrs,
        Expr::Try(tries) => &tries.attrs,
        Expr::Tuple(tuple) => &tuple.attrs,
        Expr::Unary(unary) => &unary.attrs,
        Expr::Unsafe(block) => &block.attrs,
        _ => &[],
    }
}

/// Parses a comma-separated list. An argument that cannot be parsed is one error, and the others are kept.
pub(crate) fn parse_list(tokens: TokenStream, reader: &mut Reader) -> Vec<Expr> {
    let tokens = echo::mended(tokens);
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
        match List::parse_terminated.parse2(mended.clone()) {
            Ok(list) => list.into_iter().collect(),
            Err(error) => recovered(&mended, &error, reader),
        }
    } else {
        recovered(&tokens, &error, reader)
    }
}

/// Parses the list as far as possible, and reports each part that cannot be parsed, or else the error of the whole.
fn recovered(tokens: &TokenStream, error: &syn::Error, reader: &mut Reader) -> Vec<Expr> {
    let mut errors = Vec::new();
    let list = recover_list(tokens.clone(), false, &mut errors);
    if errors.is_empty() {
        errors.push(in_plain_words(error, tokens));
    }
    for error in errors {
        reader.errors.push_error(error);
    }
    reader.recovered = true;
    list
}

/// Returns the error of the parser in plain words. One at the end of the input is moved to the last token, because it
/// would point at the whole invocation; one inside of a group is at the end of that.
fn in_plain_words(error: &syn::Error, tokens: &TokenStream) -> syn::Error {
    let message = error.to_string();
    let at_end = message.strip_prefix("unexpected end of input, ");
    let ends_with_path =
        matches!(tokens.clone().into_iter().last(), Some(TokenTree::Punct(mark)) if mark.as_char() == ':');
    let plain = match at_end.unwrap_or(&message) {
        "expected identifier" if ends_with_path => "a name is missing after the `::`",
        "expected `..=`" => "an iterator has `..` before it, and no `...`",
        "expected `,`" | "expected `,` or `;`" => NO_COMMA,
        "expected `:`" => "an argument has its name before its value, as in `name: ..`",
        "expected an expression" if at_end.is_some() => "a value is missing here",
        "expected identifier or integer" if at_end.is_some() => "a name is missing after the `.`",
        other => other,
    };
    let last = tokens.clone().into_iter().last();
    let end = last.filter(|last| at_end.is_some() && !matches!(last, TokenTree::Group(_)));
    syn::Error::new(end.map_or(error.span(), |last| last.span()), plain)
}

const NO_COMMA: &str = "a `,` is missing before this";

/// Parses the list as far as possible, and adds an error for each part that is left. An unreadable argument becomes
/// `Expr::Verbatim`. `has_entries` for a list in brackets.
fn recover_list(tokens: TokenStream, has_entries: bool, errors: &mut Vec<syn::Error>) -> Vec<Expr> {
    let read = |input: ParseStream<'_>| {
        let mut list = Vec::new();
        while !input.is_empty() {
            if input.peek(Token![,]) {
                let message = if has_entries {
                    "leave out this `,`, or write what is missing before it"
                } else {
                    "nothing stands before this `,`: leave it out"
                };
                errors.push(input.error(message));
                list.push(Expr::Verbatim(TokenStream::new()));
                while input.peek(Token![,]) && input.peek2(Token![,]) {
                    input.parse::<Token![,]>()?;
                }
            } else {
                list.push(recover_element(input, has_entries, errors)?);
            }
            if input.parse::<Option<Token![,]>>()?.is_none() && !input.is_empty() {
                errors.push(input.error(NO_COMMA));
            }
        }
        Ok(list)
    };
    read.parse2(tokens).unwrap_or_default()
}

/// Parses the expression up to the next comma, or returns all tokens up to the next comma or to where one is missing.
fn recover_element(input: ParseStream<'_>, has_entries: bool, errors: &mut Vec<syn::Error>) -> syn::Result<Expr> {
    let ahead = input.fork();
    let is_expr = ahead.parse::<Expr>().is_ok() && (ahead.is_empty() || ahead.peek(Token![,]));
    let mut tokens: Vec<TokenTree> = Vec::new();
    while !input.is_empty() {
        let is_over = if is_expr {
            input.cursor() == ahead.cursor()
        } else {
            input.peek(Token![,])
                || (starts_argument(input)
                    && tokens.last().is_some_and(ends_value)
                    && !(has_entries && ends_apart(&tokens, input)))
        };
        if is_over {
            break;
        }
        tokens.push(input.parse()?);
    }
    // Parsed again, because a group can hold more than the expression has read.
    Ok(recover(tokens.into_iter().collect(), errors))
}

/// Returns `true` if `key = ..` follows.
fn starts_argument(input: ParseStream<'_>) -> bool {
    input.peek(syn::Ident) && input.peek2(Token![=]) && !input.peek2(Token![==]) && !input.peek2(Token![=>])
}

/// Returns `true` if an entry is followed by the name of an option.
fn ends_apart(entry: &[TokenTree], input: ParseStream<'_>) -> bool {
    // After the `=` of a label, or another mark.
    let entry = if let [TokenTree::Ident(_), TokenTree::Punct(_), entry @ ..] = entry { entry } else { entry };
    let option = input.fork().parse::<TokenTree>().ok();
    apart::instead(&entry.iter().cloned().chain(option).collect::<Vec<_>>()).is_some()
}

/// Returns `true` if a comma can follow.
fn ends_value(tree: &TokenTree) -> bool {
    matches!(tree, TokenTree::Group(_) | TokenTree::Literal(_) | TokenTree::Ident(_))
}

fn recover(tokens: TokenStream, errors: &mut Vec<syn::Error>) -> Expr {
    let read = |input: ParseStream<'_>| {
        let expr = input.parse::<Expr>()?;
        if input.is_empty() { Ok(expr) } else { Err(input.error(NO_COMMA)) }
    };
    let error = match read.parse2(tokens.clone()) {
        Ok(expr) => return expr,
        Err(error) => error,
    };
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    if let Some((at, message)) = apart::instead(&trees) {
        errors.push(syn::Error::new(at, message));
        return Expr::Verbatim(tokens);
    }
    match trees.as_slice() {
        [TokenTree::Ident(key), TokenTree::Punct(equals), value @ ..]
            if equals.as_char() == '=' && equals.spacing() == Spacing::Alone =>
        {
            let value: TokenStream = value.iter().cloned().collect();
            let right = if value.is_empty() {
                errors.push(syn::Error::new(equals.span(), format!("a value is missing after `{key} =`")));
                Expr::Verbatim(value)
            } else {
                recover(value, errors)
            };
            Expr::Assign(syn::ExprAssign {
                attrs: Vec::new(),
                left: Box::new(path(key)),
                eq_token: syn::token::Eq(equals.span()),
                right: Box::new(right),
            })
        }
        [TokenTree::Ident(name), TokenTree::Group(list)]
            if list.delimiter() == Delimiter::Parenthesis && is_name(name) =>
        {
            Expr::Call(syn::ExprCall {
                attrs: Vec::new(),
                func: Box::new(path(name)),
                paren_token: syn::token::Paren(list.span()),
                args: recover_list(list.stream(), false, errors).into_iter().collect(),
            })
        }
        // The form `key = [..]`.
        [TokenTree::Ident(key), TokenTree::Group(list)] if list.delimiter() == Delimiter::Bracket => {
            Expr::Assign(syn::ExprAssign {
                attrs: Vec::new(),
                left: Box::new(path(key)),
                eq_token: syn::token::Eq(list.span()),
                right: Box::new(array(list, errors)),
            })
        }
        [TokenTree::Group(list)] if list.delimiter() == Delimiter::Bracket => array(list, errors),
        [TokenTree::Ident(word), TokenTree::Ident(name), ..]
            if ["task", "group", "slot", "limit"].iter().any(|call| word == call) =>
        {
            errors.push(syn::Error::new(name.span(), format!("write `{word}(..)`, with parentheses")));
            Expr::Verbatim(tokens)
        }
        // Any other word is an expression.
        [TokenTree::Ident(word)] => {
            errors.push(syn::Error::new(word.span(), format!("`{word}` is a keyword, and stands for nothing here")));
            Expr::Verbatim(tokens)
        }
        [TokenTree::Punct(equals), ..] if equals.as_char() == '=' => {
            errors.push(syn::Error::new(equals.span(), "a name is missing before this `=`"));
            Expr::Verbatim(tokens)
        }
        _ => {
            errors.push(in_plain_words(&error, &tokens));
            Expr::Verbatim(tokens)
        }
    }
}

fn array(list: &Group, errors: &mut Vec<syn::Error>) -> Expr {
    Expr::Array(syn::ExprArray {
        attrs: Vec::new(),
        bracket_token: syn::token::Bracket(list.span()),
        elems: recover_list(list.stream(), true, errors).into_iter().collect(),
    })
}

/// Returns the expression of a name.
pub(crate) fn path(ident: &Ident) -> Expr {
    Expr::Path(syn::ExprPath { attrs: Vec::new(), qself: None, path: ident.clone().into() })
}
