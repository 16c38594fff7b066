//! Parses one entry of `tasks`: an expression, `label = entry`, `task(entry, ..)`, `label = group(..)` or `..iterator`.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::Parser;
use syn::{Attribute, Expr, ExprRange, Path, RangeLimits, Stmt};

use super::{Child, ChildKind, Label, group, label, no_task, repeated};
use crate::argument::{self, List, as_ident, peel};
use crate::echo;
use crate::options::{Options, Place};
use crate::path::{self, is_name};
use crate::reader::{Purpose, Reader};

/// Reads an entry. Errors are reported, and its field is kept if it has one.
pub(super) fn read(expr: &Expr, reader: &mut Reader) -> Option<Child> {
    let Before { expr, cfgs, docs } = Before::of(expr, reader);
    let outer = reader.cfgs.len();
    reader.cfgs.extend(cfgs.iter().cloned());
    let child = read_child(&expr, reader);
    reader.cfgs.truncate(outer);
    child.map(|child| Child { cfgs, docs, is_guess: reader.is_guess, ..child })
}

fn read_child(expr: &Expr, reader: &mut Reader) -> Option<Child> {
    let misplaced = label::misplaced(expr, reader);
    let moved = misplaced.as_ref().map(|(label, _)| argument::path(label));
    let (label, expr) = match (peel(expr), &misplaced) {
        (_, Some((_, entry))) => (moved.as_ref(), *entry),
        (Expr::Assign(assign), None) => (Some(&*assign.left), &*assign.right),
        _ => (None, expr),
    };
    let expr = without_let(without_label(expr, reader), reader);
    let bare = label.and_then(|_| without_attributes(expr, "the label", reader));
    let expr = bare.as_ref().unwrap_or(expr);
    if let Expr::Range(range) = peel(expr) {
        if range.start.is_none() {
            if let Some(label) = label {
                let message = "a spread has no label: each of its tasks has its own name";
                reader.errors.push(label, message);
            }
            let kind = ChildKind::Spread(read_spread(range, Purpose::Specs, reader)?);
            return Some(Child {
                label: Label::None,
                kind,
                options: Options::default(),
                literal_type: None,
                like_options: Vec::new(),
                unlabeled: Some(range.end.to_token_stream()),
                is_guess: false,
                cfgs: Vec::new(),
                docs: Vec::new(),
            });
        }
    }
    let expr = without_task(without_spread(expr, reader), reader);
    let respelled = group::respelled(expr, label, reader);
    let named = respelled.as_ref().and_then(|(name, _)| name.as_ref().map(argument::path));
    let (label, expr) = (label.or(named.as_ref()), respelled.as_ref().map_or(expr, |(_, call)| call));
    let told = reader.errors.count();
    let given = label.map(|label| label::read(label, reader));
    let Some(list) = argument::call_of(expr, "group") else {
        let members = group::members_without_list(expr);
        let child = read_task(given, expr, reader);
        let is_refused = matches!(child.kind, ChildKind::Task(None));
        return Some(match members.filter(|_| is_refused) {
            Some(members) => Child { kind: group::of_members(members, reader), ..child },
            None => child,
        });
    };
    let (name, first) = group::refuse_name(list, label, reader).unzip();
    if label.is_none() && name.is_none() {
        reader.errors.push(&first_token(expr), "a group needs a label, which is its name: write `label = group(..)`");
    }
    reader.echo.push_call(expr);
    let (kind, options) = group::read(list, first, reader);
    // What was meant as a group is one mistake.
    if respelled.is_some() {
        reader.errors.truncate(told);
    }
    Some(Child {
        label: given.or(name).unwrap_or(Label::None),
        kind,
        options,
        literal_type: None,
        like_options: Vec::new(),
        unlabeled: None,
        is_guess: false,
        cfgs: Vec::new(),
        docs: Vec::new(),
    })
}

/// Returns `ping {}` of `second = ping {}` after a first label, and reports the second.
fn without_label<'a>(expr: &'a Expr, reader: &mut Reader) -> &'a Expr {
    match peel(expr) {
        Expr::Assign(second) => {
            reader.errors.push(&second.left, "an entry has one label");
            &second.right
        }
        Expr::Cast(second) if matches!(peel(&second.expr), Expr::Struct(_)) => {
            reader.errors.push(&second.as_token, "an entry has one label");
            &second.expr
        }
        _ => expr,
    }
}

/// Returns `ping {}` of `#[cfg(..)] ping {}` after a label or in `task(..)`, and reports the attribute, if there is one.
fn without_attributes(expr: &Expr, place: &str, reader: &mut Reader) -> Option<Expr> {
    let first = argument::attributes(expr).first()?;
    reader.errors.push(first, format!("an attribute of an entry stands before {place}"));
    bare(expr)
}

/// Returns the expression without the attributes before it.
fn bare(expr: &Expr) -> Option<Expr> {
    let attributes = argument::attributes(expr).len();
    syn::parse2(expr.to_token_stream().into_iter().skip(attributes * 2).collect()).ok()
}

/// Returns `ping {}` of `let label = ping {}`, and reports the `let`.
fn without_let<'a>(expr: &'a Expr, reader: &mut Reader) -> &'a Expr {
    match peel(expr) {
        Expr::Let(local) => {
            reader.errors.push(&local.let_token, "leave out `let`: a label stands alone before the `=`");
            &local.expr
        }
        _ => expr,
    }
}

/// Returns `ping {}` of `ping {} ..iterator`, and reports the missing comma.
fn without_spread<'a>(expr: &'a Expr, reader: &mut Reader) -> &'a Expr {
    match peel(expr) {
        Expr::Range(ExprRange { start: Some(entry), limits, end: Some(_), .. }) => {
            reader.errors.push(limits, "no range is a task: write a `,` before `..iterator`");
            entry
        }
        _ => expr,
    }
}

/// Returns `group(..)` of `task(group(..))`, and reports it.
fn without_task<'a>(expr: &'a Expr, reader: &mut Reader) -> &'a Expr {
    match argument::call_of(expr, "task").and_then(List::first) {
        Some(inner) if argument::call_of(inner, "group").is_some() => {
            let message = "a group has its options in its own list: write `group(..)` without `task(..)` around it";
            reader.errors.push(&first_token(expr), message);
            inner
        }
        _ => expr,
    }
}

/// Binds all of an iterator.
pub(super) fn read_spread(range: &ExprRange, purpose: Purpose, reader: &mut Reader) -> Option<Ident> {
    let (None, RangeLimits::HalfOpen(_), Some(all)) = (&range.start, &range.limits, &range.end) else {
        reader.errors.push(range, "write `..iterator` for all of an iterator");
        return None;
    };
    if let (Purpose::Specs, Some(name)) = (purpose, repeated::literal_type(all)) {
        let name = path::text(&name);
        reader
            .errors
            .push(&range.limits, format!("`..` adds all of an iterator: write `{name} {{ .. }}` for one task"));
        return None;
    }
    if let (Purpose::Specs, Some((word, message))) = (purpose, list_inside(all.to_token_stream())) {
        reader.errors.push(&word, message);
        return None;
    }
    let is_readable = !reader.is_unreadable(all);
    is_readable.then(|| reader.bind(purpose, all))
}

/// Returns the `task` or `group` of a `task(.., key = ..)` or `group(key = ..)` inside a spread, which is no entry.
fn list_inside(tokens: TokenStream) -> Option<(Ident, String)> {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let is_assign = |argument: &Expr| matches!(peel(argument), Expr::Assign(_));
    trees.iter().enumerate().find_map(|(at, tree)| match (tree, trees.get(at + 1)) {
        (TokenTree::Ident(word), Some(TokenTree::Group(list))) if word == "task" || word == "group" => {
            let list = List::parse_terminated.parse2(list.stream()).ok()?;
            let message = if word == "task" {
                "options of what is spread are given by methods, as in `ping::spec().with_timeout(time)`"
            } else {
                "groups cannot be spread: write `label = group(tasks = [..iterator])` for a group of tasks, or each group as \
                 an entry"
            };
            list.iter().any(is_assign).then(|| (word.clone(), message.to_owned()))
        }
        (TokenTree::Group(inner), _) => list_inside(inner.stream()),
        _ => None,
    })
}

fn read_task(given: Option<Label>, expr: &Expr, reader: &mut Reader) -> Child {
    // What was to have a label has another name than that of its type.
    let is_refused = matches!(given, Some(Label::None));
    let (task, options) = match argument::call_of(expr, "task") {
        Some(list) => {
            reader.echo.push_call(expr);
            (inner_task(expr, list, reader), Some(list.iter().skip(1)))
        }
        None => (Some(expr), None),
    };
    let label = match (given, task) {
        (Some(given), _) => given,
        (None, Some(task)) => derived_label(task, reader),
        (None, None) => Label::None,
    };
    let bare = options.as_ref().and(task).and_then(|task| without_attributes(task, "`task(..)`", reader));
    let task = bare.as_ref().or(task);
    let written = task;
    let task = task.filter(|task| !no_task::refuse(task, &label, reader));
    // What was refused has the field of the entry in it.
    let label = match (label, written.filter(|_| task.is_none()).and_then(entry_inside)) {
        (Label::None, Some(entry)) if !is_refused => derived_label(entry, reader),
        (label, _) => label,
    };
    let like_options = task.map_or_else(Vec::new, repeated::like_options);
    let spec = task.filter(|task| !reader.is_unreadable(task)).map(|task| {
        let checked = repeated::with_checks(task, &like_options);
        reader.bind(Purpose::Spec, checked.as_ref().unwrap_or(task))
    });
    let options = options.map_or_else(Options::default, |list| Options::parse(Place::Entry, list, reader));
    let literal_type = task.filter(|_| !is_refused).and_then(repeated::literal_type);
    let unlabeled = task.filter(|_| matches!(label, Label::None)).map(ToTokens::to_token_stream);
    let kind = ChildKind::Task(spec);
    Child {
        label,
        kind,
        options,
        literal_type,
        like_options,
        unlabeled,
        is_guess: false,
        cfgs: Vec::new(),
        docs: Vec::new(),
    }
}

/// Returns `ping {}` of `critical(ping {})`, `&ping {}`, `ping {}.await` and the like.
fn entry_inside(expr: &Expr) -> Option<&Expr> {
    let inner = match peel(expr) {
        Expr::Struct(_) => return Some(expr),
        Expr::Await(waits) => &waits.base,
        Expr::Call(call) if matches!(peel(&call.func), Expr::Struct(_)) => &call.func,
        Expr::Call(call) => call.args.first()?,
        Expr::MethodCall(call) => &call.receiver,
        Expr::Index(index) => &index.index,
        Expr::Reference(reference) => &reference.expr,
        Expr::Try(tries) => &tries.expr,
        Expr::Tuple(tuple) => tuple.elems.first()?,
        Expr::Unary(unary) => &unary.expr,
        Expr::If(choice) => match choice.then_branch.stmts.as_slice() {
            [Stmt::Expr(only, None)] => only,
            _ => return None,
        },
        _ => return None,
    };
    entry_inside(inner)
}

/// Returns the entry at the start of `task(..)`.
fn inner_task<'a>(expr: &Expr, list: &'a List, reader: &mut Reader) -> Option<&'a Expr> {
    let task = list.first();
    match task {
        None => reader.errors.push(expr, "`task(..)` needs a task, as in `task(ping { .. }, timeout = \"5s\")`"),
        Some(Expr::Range(spread)) => {
            let message = "`task(..)` is around one task, and these are several: give each its options, as in \
                           `..iterator.map(|task| task.with_timeout(time))`";
            reader.errors.push(&spread.limits, message);
        }
        Some(Expr::Assign(inner)) => reader.errors.push(
            inner,
            "`task(..)` starts with the task; a label stands before it, as in `label = task(ping { .. })`",
        ),
        Some(_) => return task,
    }
    None
}

/// Returns the name of the value of the expression.
fn derived_label(expr: &Expr, reader: &Reader) -> Label {
    let label = match peel(expr) {
        unread if reader.is_unreadable(unread) => first_name(unread.to_token_stream()),
        Expr::Path(_) => as_ident(expr),
        Expr::Struct(literal) => last(&literal.path),
        Expr::Call(call) => match peel(&call.func) {
            Expr::Path(function) => last_before_spec(&function.path),
            _ => None,
        },
        _ => None,
    };
    let label = label.filter(is_name).map(|label| echo::beside(label, expr));
    label.map_or(Label::None, Label::Derived)
}

/// Returns `group` of `group(..)`, or the whole expression if it is one group.
pub(super) fn first_token(expr: &Expr) -> TokenStream {
    expr.to_token_stream().into_iter().take(1).collect()
}

fn last(path: &Path) -> Option<Ident> {
    path.segments.last().map(|segment| segment.ident.clone())
}

/// Returns `ping` of `path::ping::spec`.
fn last_before_spec(path: &Path) -> Option<Ident> {
    let mut segments = path.segments.iter().rev();
    let is_spec = segments.next().is_some_and(|segment| segment.ident == "spec");
    segments.next().filter(|_| is_spec).map(|segment| segment.ident.clone())
}

/// Returns the name at the start of an incomplete entry: `ping` of `path::ping { client. }`.
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

/// An entry without its attributes.
pub(super) struct Before {
    pub(super) expr: Expr,
    /// Its `#[cfg(..)]`.
    pub(super) cfgs: Vec<Attribute>,
    /// Its doc comments.
    pub(super) docs: Vec<Attribute>,
}

impl Before {
    /// Splits the attributes off. Others than `#[cfg(..)]` and doc comments are refused.
    pub(super) fn of(expr: &Expr, reader: &mut Reader) -> Self {
        let attributes = argument::attributes(expr);
        if attributes.is_empty() {
            return Self { expr: expr.clone(), cfgs: Vec::new(), docs: Vec::new() };
        }
        let (docs, others): (Vec<_>, Vec<_>) =
            attributes.iter().cloned().partition(|attribute| attribute.path().is_ident("doc"));
        let (cfgs, others): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|attribute| attribute.path().is_ident("cfg"));
        for other in &others {
            reader.errors.push(other, "only `#[cfg(..)]` and doc comments can stand before an entry");
        }
        Self { expr: bare(expr).unwrap_or_else(|| expr.clone()), cfgs, docs }
    }
}
