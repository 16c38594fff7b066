//! One entry of `tasks`: an expression, `label = entry`, `task(entry, ..)` or `..iterator`.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Expr, ExprRange, Path, RangeLimits};

use super::{Child, ChildKind, Entry, Label};
use crate::argument::{self, as_ident, peel};
use crate::options::{Options, Place};
use crate::reader::{Purpose, Reader};

/// Reads an entry. What is wrong with it is reported, and its field is kept if it has one.
pub(super) fn read(expr: &Expr, reader: &mut Reader) -> Option<Child> {
    let (expr, cfgs) = split_cfgs(expr, reader);
    reader.cfgs.clone_from(&cfgs);
    let kind = read_kind(&expr, reader);
    reader.cfgs.clear();
    kind.map(|kind| Child { kind, cfgs })
}

fn read_kind(expr: &Expr, reader: &mut Reader) -> Option<ChildKind> {
    let (label, expr) = match peel(expr) {
        Expr::Assign(assign) => (Some(&*assign.left), &*assign.right),
        _ => (None, expr),
    };
    match peel(expr) {
        Expr::Range(range) if range.start.is_none() => {
            if let Some(label) = label {
                let message = "a spread has no label: each of its tasks has its own name";
                reader.errors.push(label, message);
            }
            read_spread(range, reader).map(ChildKind::Spread)
        }
        _ => {
            let label = label.and_then(|label| read_label(label, reader));
            Some(ChildKind::Task(Box::new(read_task(label, expr, reader))))
        }
    }
}

fn read_label(label: &Expr, reader: &mut Reader) -> Option<Ident> {
    let ident = as_ident(label);
    if ident.is_none() {
        reader.errors.push(label, "a label is a plain name, as in `label = ping { .. }`");
    }
    ident
}

fn read_spread(range: &ExprRange, reader: &mut Reader) -> Option<Ident> {
    let (RangeLimits::HalfOpen(_), Some(specs)) = (&range.limits, &range.end) else {
        reader.errors.push(range, "write `..iterator` for the tasks of an iterator");
        return None;
    };
    let is_readable = !reader.is_unreadable(specs);
    is_readable.then(|| reader.bind(Purpose::Specs, specs))
}

fn read_task(label: Option<Ident>, expr: &Expr, reader: &mut Reader) -> Entry {
    let Some(list) = argument::call_of(expr, "task") else {
        return Entry { label: label_of(label, expr, reader), spec: bind(expr, reader), options: Options::default() };
    };
    match list.first() {
        None => reader.errors.push(expr, "`task(..)` needs a task, as in `task(ping { .. }, timeout = \"5s\")`"),
        Some(Expr::Assign(inner)) => reader.errors.push(
            inner,
            "`task(..)` starts with the task; a label stands before it, as in `label = task(ping { .. })`",
        ),
        Some(task) => {
            return Entry {
                label: label_of(label, task, reader),
                spec: bind(task, reader),
                options: Options::parse(Place::Entry, list.iter().skip(1), reader),
            };
        }
    }
    Entry {
        label: label.map_or(Label::None, Label::Given),
        spec: None,
        options: Options::parse(Place::Entry, list.iter().skip(1), reader),
    }
}

fn bind(expr: &Expr, reader: &mut Reader) -> Option<Ident> {
    let is_readable = !reader.is_unreadable(expr);
    is_readable.then(|| reader.bind(Purpose::Spec, expr))
}

/// The label that was given, else the name of what the expression makes.
fn label_of(label: Option<Ident>, expr: &Expr, reader: &Reader) -> Label {
    if let Some(label) = label {
        return Label::Given(label);
    }
    let derived = match peel(expr) {
        unread if reader.is_unreadable(unread) => first_name(unread.to_token_stream()),
        Expr::Path(_) => as_ident(expr),
        Expr::Struct(literal) => last(&literal.path),
        Expr::Call(call) => match peel(&call.func) {
            Expr::Path(function) => last_before_spec(&function.path),
            _ => None,
        },
        _ => None,
    };
    derived.map_or(Label::None, Label::Derived)
}

fn last(path: &Path) -> Option<Ident> {
    path.segments.last().map(|segment| segment.ident.clone())
}

/// `ping` of `path::ping::spec`.
fn last_before_spec(path: &Path) -> Option<Ident> {
    let mut segments = path.segments.iter().rev();
    let is_spec = segments.next().is_some_and(|segment| segment.ident == "spec");
    segments.next().filter(|_| is_spec).map(|segment| segment.ident.clone())
}

/// The name that a half-typed entry starts with: `ping` of `path::ping { client. }`.
fn first_name(tokens: TokenStream) -> Option<Ident> {
    let mut name = None;
    for tree in tokens {
        match tree {
            TokenTree::Ident(ident) => name = Some(ident),
            TokenTree::Punct(punct) if punct.as_char() == ':' => {}
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return name,
            _ => return None,
        }
    }
    name
}

/// The expression without its attributes, and the `#[cfg(..)]` among them. Others are refused.
pub(super) fn split_cfgs(expr: &Expr, reader: &mut Reader) -> (Expr, Vec<Attribute>) {
    let attributes = argument::attributes(expr);
    if attributes.is_empty() {
        return (expr.clone(), Vec::new());
    }
    let (cfgs, others): (Vec<_>, Vec<_>) =
        attributes.iter().cloned().partition(|attribute| attribute.path().is_ident("cfg"));
    for other in &others {
        reader.errors.push(other, "only `#[cfg(..)]` can stand before an entry");
    }
    let bare = expr.to_token_stream().into_iter().skip(attributes.len() * 2).collect();
    (syn::parse2(bare).unwrap_or_else(|_| expr.clone()), cfgs)
}
