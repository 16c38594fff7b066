//! Parses one entry of `tasks`: an expression, `label = entry`, `task(entry, ..)`, `label = group(..)` or `..iterator`.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Expr, ExprLit, ExprMethodCall, ExprRange, Lit, Path, RangeLimits};

use super::{Child, ChildKind, Label, group, repeated};
use crate::argument::{self, List, as_ident, peel};
use crate::options::{Options, Place};
use crate::path::{self, is_name};
use crate::reader::{Purpose, Reader};
use crate::{echo, suggest};

/// Reads an entry. Errors are reported, and its field is kept if it has one.
pub(super) fn read(expr: &Expr, reader: &mut Reader) -> Option<Child> {
    let Before { expr, cfgs, docs } = Before::of(expr, reader);
    let outer = reader.cfgs.len();
    reader.cfgs.extend(cfgs.iter().cloned());
    let child = read_child(&expr, reader);
    reader.cfgs.truncate(outer);
    child.map(|child| Child { cfgs, docs, ..child })
}

fn read_child(expr: &Expr, reader: &mut Reader) -> Option<Child> {
    let (label, expr) = match peel(expr) {
        Expr::Assign(assign) => (Some(&*assign.left), &*assign.right),
        _ => (None, expr),
    };
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
                unlabeled: Some(range.end.to_token_stream()),
                cfgs: Vec::new(),
                docs: Vec::new(),
            });
        }
    }
    let expr = without_task(without_spread(expr, reader), reader);
    let given = label.map(|label| read_label(label, reader));
    let Some(list) = argument::call_of(expr, "group") else {
        return Some(read_task(given, expr, reader));
    };
    let name = group::refuse_name(list, label, reader);
    if label.is_none() && name.is_none() {
        reader.errors.push(&first_token(expr), "a group needs a label, which is its name: write `label = group(..)`");
    }
    reader.echo.push_call(expr);
    let (kind, options) = group::read(list, name.is_some(), reader);
    Some(Child {
        label: given.or(name).unwrap_or(Label::None),
        kind,
        options,
        literal_type: None,
        unlabeled: None,
        cfgs: Vec::new(),
        docs: Vec::new(),
    })
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

/// Returns the label before the `=`; `None` if it was refused, so that it cannot collide.
fn read_label(label: &Expr, reader: &mut Reader) -> Label {
    let ident = as_ident(label).filter(is_name);
    if ident.is_none() {
        reader.errors.push(label, "a label is a plain name, as in `label = ping { .. }`");
    }
    ident.map_or(Label::None, Label::Given)
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
    let is_readable = !reader.is_unreadable(all);
    is_readable.then(|| reader.bind(purpose, all))
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
    let task = task.filter(|task| !is_no_task(task, &label, reader));
    let spec = task.filter(|task| !reader.is_unreadable(task)).map(|task| reader.bind(Purpose::Spec, task));
    let options = options.map_or_else(Options::default, |list| Options::parse(Place::Entry, list, reader));
    let literal_type = task.filter(|_| !is_refused).and_then(repeated::literal_type);
    let unlabeled = task.filter(|_| matches!(label, Label::None)).map(ToTokens::to_token_stream);
    let kind = ChildKind::Task(spec);
    Child { label, kind, options, literal_type, unlabeled, cfgs: Vec::new(), docs: Vec::new() }
}

/// Returns `true` for an expression that cannot be a task, and reports it.
fn is_no_task(expr: &Expr, label: &Label, reader: &mut Reader) -> bool {
    let message = match peel(expr) {
        Expr::Lit(literal) => no_literal(literal, label),
        Expr::MethodCall(call) if entry_before(call).is_some() => {
            let Some(message) = method_of_entry(call) else { return false };
            message
        }
        Expr::Tuple(_) => "a list is no task: write `task(..)`, or `group(..)` after its label".to_owned(),
        Expr::Array(_) => "a list is no task: write `label = group(tasks = [..])`".to_owned(),
        Expr::Closure(_) => {
            "a closure is no task: write `TaskFn::arc(\"name\", |ctx: TaskContext| async { .. })`, or a \
                             function under `#[task]`"
                .to_owned()
        }
        Expr::Async(_) => "an `async` block is no task, because it can run only once: make it the body of a function \
                           under `#[task]`"
            .to_owned(),
        Expr::Macro(call) if call.mac.path.segments.last().is_some_and(|last| last.ident == "supervise") => {
            "a tree in a tree is a group: write `label = group(tasks = [..])`".to_owned()
        }
        Expr::Call(call) if as_ident(&call.func).is_some_and(|name| name == "slot") => {
            "a slot stands in `slots = [..]`, and not among the tasks".to_owned()
        }
        Expr::If(choice) if choice.else_branch.is_none() => {
            "an entry under a condition is `..flag.then(|| ping { .. })`".to_owned()
        }
        Expr::ForLoop(_) | Expr::While(_) | Expr::Loop(_) => {
            "the entries of a loop are `..iterator.map(|item| ping { .. })`".to_owned()
        }
        Expr::Call(call) if as_ident(&call.func).is_some_and(|name| name == "Some") => {
            "an `Option` is no task: write `..option`, which adds the task if there is one".to_owned()
        }
        Expr::Index(index) if as_ident(&index.expr).is_some_and(|name| name == "group") => {
            "a group has its options in parentheses: write `group(tasks = [..])`".to_owned()
        }
        Expr::Call(call) if call.args.iter().any(|argument| matches!(peel(argument), Expr::Assign(_))) => {
            let Some(word) = as_ident(&call.func) else { return false };
            unknown_list(&word.to_string())
        }
        _ => return false,
    };
    reader.errors.push(&first_token(expr), message);
    true
}

/// Returns the message for a literal: an option among the entries, or the name of a task.
fn no_literal(literal: &ExprLit, label: &Label) -> String {
    let text = literal.to_token_stream();
    match (label.text(), &literal.lit) {
        (Some(option), _) if is_option(&option) => {
            format!("`{option}` is an option of an entry: write `task(ping {{ .. }}, {option} = {text})`")
        }
        (_, Lit::Str(name)) if syn::parse_str::<Ident>(&name.value()).is_ok() => {
            format!("a task is a value, and not a name in quotes: write `{} {{ .. }}`", name.value())
        }
        _ => format!("`{text}` is not a task: write `name {{ .. }}`, with the name of a function under `#[task]`"),
    }
}

/// Returns the message for an option as a method of an entry, such as `ping {}.with_timeout(..)`. The structs of tasks
/// have only `with_name`.
fn method_of_entry(call: &ExprMethodCall) -> Option<String> {
    let method = call.method.to_string();
    let option = method.strip_prefix("with_").unwrap_or(&method);
    let is_unknown = method != "with_name" && is_option(option);
    let name = entry_before(call)?;
    is_unknown
        .then(|| format!("an option of an entry stands in `task(..)`: write `task({name} {{ .. }}, {option} = ..)`"))
}

/// Returns the name of the entry before a method: a struct literal, or `task(..)` around it.
fn entry_before(call: &ExprMethodCall) -> Option<String> {
    let entry = argument::call_of(&call.receiver, "task").map_or(Some(&*call.receiver), List::first)?;
    repeated::literal_type(entry).map(|name| path::text(&name))
}

/// Returns `true` for an option of `task(..)`.
fn is_option(word: &str) -> bool {
    Place::Entry.names().contains(&word)
}

/// Returns the message for `word(key = ..)`, which is no entry.
fn unknown_list(word: &str) -> String {
    if word == "task" {
        return "`task(..)` stands once around a task: put all options in one list".to_owned();
    }
    if matches!(word, "one_for_one" | "one_for_all" | "rest_for_one") {
        return format!("`{word}` is the strategy of a group: write `group(strategy = {word}, tasks = [..])`");
    }
    if is_option(word) {
        return format!("`{word}(..)` is an option of an entry: write `task(ping {{ .. }}, {word}(..))`");
    }
    match suggest::closest(word, ["task", "group"]) {
        Some(meant) => format!("unknown `{word}(..)`, did you mean `{meant}(..)`?"),
        None => format!(
            "unknown `{word}(..)`: a task with arguments is `{word} {{ argument: .. }}`, and an entry with options is \
             `task(..)` or `group(..)`"
        ),
    }
}

/// Returns the entry at the start of `task(..)`.
fn inner_task<'a>(expr: &Expr, list: &'a List, reader: &mut Reader) -> Option<&'a Expr> {
    let task = list.first();
    match task {
        None => reader.errors.push(expr, "`task(..)` needs a task, as in `task(ping { .. }, timeout = \"5s\")`"),
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
fn first_token(expr: &Expr) -> TokenStream {
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
        let bare = expr.to_token_stream().into_iter().skip(attributes.len() * 2).collect();
        Self { expr: syn::parse2(bare).unwrap_or_else(|_| expr.clone()), cfgs, docs }
    }
}
