//! The label of an entry: `label = ping {}`, and what is written in place of that.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{BinOp, Expr, ExprLit, Lit, Type};

use super::entry::first_token;
use super::{Label, repeated};
use crate::argument::{self, as_ident, peel};
use crate::path::{self, is_name};
use crate::reader::Reader;

/// Returns the label before the `=`; `None` if it was refused, so that it cannot collide.
pub(super) fn read(label: &Expr, reader: &mut Reader) -> Label {
    let ident = as_ident(label).filter(is_name);
    if let Some(ident) = ident {
        return Label::Given(ident);
    }
    // `alpha ?= ping {}`
    if let (Expr::Try(tries), Some(name)) = (peel(label), without_mark(label)) {
        reader.errors.push(&tries.question_token, format!("a label is a plain name: write `{name} = ..`"));
        return Label::Given(name);
    }
    let quoted = in_quotes(label);
    let dashed = dashed(label).or_else(|| with_spaces(label)).and_then(|name| syn::parse_str::<Ident>(&name).ok());
    if let Some(name) = dashed {
        let name = Ident::new(&name.to_string(), label.span());
        reader.errors.push(label, format!("a label is one word: write `{name} = ..`"));
        return Label::Given(name);
    }
    let message = match &quoted {
        Some(name) => format!("a label is a plain name, without quotes: write `{name} = ..`"),
        None => "a label is a plain name, as in `label = ping { .. }`".to_owned(),
    };
    reader.errors.push(label, message);
    quoted.map_or(Label::None, Label::Given)
}

/// Returns `alpha` and `ping {}` of `ping {} as alpha`, `ping {} = alpha`, `alpha == ping {}` and `("alpha", ping {})`, and reports
/// them.
pub(super) fn misplaced<'a>(expr: &'a Expr, reader: &mut Reader) -> Option<(Ident, &'a Expr)> {
    let (at, label, entry) = match peel(expr) {
        Expr::Cast(cast) => {
            let Type::Path(ty) = &*cast.ty else { return None };
            (cast.as_token.to_token_stream(), ty.path.get_ident().cloned(), &*cast.expr)
        }
        Expr::Assign(assign) => (assign.eq_token.to_token_stream(), as_ident(&assign.right), &*assign.left),
        Expr::Binary(binary) if is_assignment(&binary.op) => {
            (binary.op.to_token_stream(), as_ident(&binary.left), &*binary.right)
        }
        Expr::Tuple(tuple) => {
            let mut elements = tuple.elems.iter();
            let (Some(label), Some(entry), None) = (elements.next(), elements.next(), elements.next()) else {
                return None;
            };
            (first_token(expr), in_quotes(label), entry)
        }
        _ => return None,
    };
    let (label, text) = (label.filter(is_name)?, text(entry)?);
    let message = match peel(expr) {
        Expr::Binary(_) => format!("a label has one `=` behind it: write `{label} = {text}`"),
        Expr::Tuple(_) => format!("a label is no part of a list: write `{label} = {text}`"),
        _ => format!("a label stands before its entry: write `{label} = {text}`"),
    };
    reader.errors.push(&at, message);
    Some((label, entry))
}

/// Returns `true` for `==`, `+=` and the like.
fn is_assignment(operator: &BinOp) -> bool {
    let text = operator.to_token_stream().to_string();
    text.ends_with('=') && !["<=", ">=", "!="].contains(&&*text)
}

/// Returns the entries of `ping {} | pong {}` and of other operators, and reports the first of these.
pub(super) fn with_operators(expr: &Expr, reader: &mut Reader) -> Option<Vec<Expr>> {
    fn entries<'a>(expr: &'a Expr, found: &mut Vec<&'a Expr>) -> Option<TokenStream> {
        let (left, right, operator) = match peel(expr) {
            Expr::Binary(binary) => (&binary.left, &binary.right, binary.op.to_token_stream()),
            Expr::Range(range) => (range.start.as_ref()?, range.end.as_ref()?, range.limits.to_token_stream()),
            _ => return None,
        };
        let first = entries(left, found);
        if first.is_none() {
            found.push(left);
        }
        found.push(right);
        Some(first.unwrap_or(operator))
    }
    let mut found = Vec::new();
    let at = entries(expr, &mut found)?;
    if !found.iter().all(|entry| text(entry).is_some()) {
        return None;
    }
    reader.errors.push(&at, format!("write `,` in place of `{at}`, between entries"));
    Some(found.into_iter().cloned().collect())
}

/// Returns the form of an entry, for messages; `None` for another expression.
fn text(entry: &Expr) -> Option<String> {
    let call = ["task", "group"].into_iter().find(|word| argument::call_of(entry, word).is_some());
    let literal = || repeated::literal_type(entry).map(|name| format!("{} {{ .. }}", path::text(&name)));
    call.map(|word| format!("{word}(..)")).or_else(literal)
}

fn without_mark(label: &Expr) -> Option<Ident> {
    match peel(label) {
        Expr::Try(tries) => as_ident(&tries.expr).filter(is_name),
        _ => None,
    }
}

/// Returns `alpha_beta` for `alpha-beta`.
fn dashed(label: &Expr) -> Option<String> {
    match peel(label) {
        Expr::Binary(binary) if matches!(binary.op, BinOp::Sub(_)) => {
            let left = as_ident(&binary.left).map(|word| word.to_string()).or_else(|| dashed(&binary.left))?;
            Some(format!("{left}_{}", as_ident(&binary.right)?))
        }
        _ => None,
    }
}

/// Returns `alpha_beta` for `"alpha-beta"` and `"alpha beta"`.
fn with_spaces(label: &Expr) -> Option<String> {
    match peel(label) {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
            Some(text.value().replace(['-', ' '], "_")).filter(|name| *name != text.value())
        }
        _ => None,
    }
}

/// Returns the name in quotes.
fn in_quotes(label: &Expr) -> Option<Ident> {
    match peel(label) {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text.parse::<Ident>().ok(),
        _ => None,
    }
}
