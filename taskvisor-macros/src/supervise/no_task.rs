//! Expressions that cannot be a task, as an entry of `tasks`: what to write instead.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::{
    Expr, ExprAwait, ExprCall, ExprLit, ExprMethodCall, ExprReference, ExprStruct, ExprTry, FieldValue, Lit, Member,
};

use super::entry::first_token;
use super::{Label, repeated};
use crate::argument::{self, List, as_ident, peel};
use crate::options::Place;
use crate::reader::Reader;
use crate::{path, suggest, synonyms};

/// Types that are written in place of a value.
pub(crate) const TYPES: [&str; 18] = [
    "bool", "char", "str", "String", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128",
    "isize", "f32", "f64",
];

/// Returns `true` for an expression that cannot be a task, and reports it.
pub(super) fn refuse(expr: &Expr, label: &Label, reader: &mut Reader) -> bool {
    let message = match peel(expr) {
        Expr::Lit(literal) => no_literal(literal, label),
        Expr::MethodCall(call) => {
            let Some(message) = method_of_entry(call) else { return false };
            message
        }
        Expr::Tuple(_) => "a list is no task: write `task(..)`, or `group(..)` after its label".to_owned(),
        Expr::Array(_) if label.text().is_some_and(|label| is_option(&label)) => {
            let option = label.text().unwrap_or_default();
            format!("`{option}` is an option of an entry: write `task(ping {{ .. }}, {option} = [..])`")
        }
        Expr::Array(_) => "a list is no task: write `label = group(tasks = [..])`".to_owned(),
        Expr::Block(block) if block.block.stmts.is_empty() => {
            "the name of a function under `#[task]` stands before the braces: write `name { .. }`".to_owned()
        }
        Expr::Repeat(_) => "a list is no task: write `..(0..3).map(|number| ping { .. })` for several".to_owned(),
        Expr::Await(ExprAwait { base, .. }) if is_entry(base) => {
            "a task is given to the tree, which runs it: leave out `.await`".to_owned()
        }
        Expr::Try(ExprTry { expr, .. }) if is_entry(expr) => "a task is no result: leave out the `?`".to_owned(),
        Expr::Reference(ExprReference { expr, .. }) if is_entry(expr) => {
            "the tree takes a task by value: leave out the `&`".to_owned()
        }
        Expr::Unary(unary) if is_entry(&unary.expr) => {
            format!("an entry has no operator before it: leave out the `{}`", unary.op.to_token_stream())
        }
        Expr::Closure(_) => {
            "a closure is no task: write `TaskFn::arc(\"name\", |ctx: TaskContext| async move { .. Ok(()) })`, or a \
                             function under `#[task]`"
                .to_owned()
        }
        Expr::Async(_) => "an `async` block is no task, because it can run only once: make it the body of a function \
                           under `#[task]`"
            .to_owned(),
        Expr::Macro(call) if call.mac.path.segments.last().is_some_and(|last| last.ident == "supervise") => {
            "a tree in a tree is a group: write `label = group(tasks = [..])`".to_owned()
        }
        Expr::Macro(call) if ["group", "task", "slot"].iter().any(|word| call.mac.path.is_ident(word)) => {
            let word = call.mac.path.to_token_stream();
            format!("`{word}` is no macro: write `{word}(..)`, without `!`")
        }
        Expr::Call(call) if as_ident(&call.func).is_some_and(|name| name == "slot") => {
            "a slot stands in `slots = [..]`, and not among the tasks".to_owned()
        }
        Expr::Call(call) if as_ident(&call.func).is_some_and(|name| name == "limit") && !has_keys(call) => {
            "a limit with a name stands in `limits = [..]`, and not among the tasks".to_owned()
        }
        // `ping {} (critical)`
        Expr::Call(call) if is_entry(&call.func) => {
            let entry = repeated::literal_type(&call.func).map_or_else(String::new, |name| path::text(&name));
            format!(
                "an option of an entry stands in `task(..)`: write `task({entry} {{ .. }}, {})`",
                call.args.to_token_stream()
            )
        }
        Expr::Call(call) if option_around(call).is_some() => option_around(call).unwrap_or_default(),
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
        Expr::Index(index) if as_ident(&index.expr).is_some_and(|name| name == "task") && is_entry(&index.index) => {
            "write `task(..)`, with parentheses".to_owned()
        }
        Expr::Path(_) if as_ident(expr).is_some_and(|name| TYPES.iter().any(|ty| name == ty)) => {
            let (name, label) = (expr.to_token_stream(), label.text().unwrap_or_else(|| "label".to_owned()));
            format!("`{name}` is a type, and no task: write `{label} = ping {{ .. }}`, with the name of a task")
        }
        Expr::Struct(literal) if is_declaration(literal) => {
            "a group is declared in the list: write `label = group(tasks = [..])`".to_owned()
        }
        Expr::Call(call) if has_keys(call) || is_task(call) => {
            let Some(word) = as_ident(&call.func) else { return false };
            unknown_list(&word.to_string())
        }
        _ => return false,
    };
    let at = match peel(expr) {
        Expr::Call(call) if is_entry(&call.func) => call.args.to_token_stream(),
        Expr::Await(_) | Expr::Try(_) => expr.to_token_stream().into_iter().last().into_iter().collect(),
        _ => first_token(expr),
    };
    reader.errors.push(&at, message);
    true
}

/// Returns `true` for `Group { tasks: .. }` and the like.
fn is_declaration(literal: &ExprStruct) -> bool {
    let is_ours = ["Group", "Supervisor", "Tree"].iter().any(|name| literal.path.is_ident(name));
    let is_part = |field: &FieldValue| match &field.member {
        Member::Named(name) => ["tasks", "strategy", "children", "name"].iter().any(|part| name == part),
        Member::Unnamed(_) => false,
    };
    is_ours && literal.fields.iter().any(is_part)
}

/// Returns `true` for a struct literal like those of tasks.
fn is_entry(expr: &Expr) -> bool {
    repeated::literal_type(expr).is_some()
}

/// Returns the message for an option, or a word of others for one, that is called with an entry: `critical(ping {})`.
fn option_around(call: &ExprCall) -> Option<String> {
    let word = as_ident(&call.func)?.to_string();
    let entry = path::text(&repeated::literal_type(call.args.first()?)?);
    let option =
        if is_option(&word) { Some(&*word) } else { synonyms::ours(&["option"], &word).find(|word| is_option(word)) }?;
    let value = if call.args.len() > 1 { " = .." } else { "" };
    Some(format!("`{option}` is an option of an entry: write `task({entry} {{ .. }}, {option}{value})`"))
}

/// Returns `true` for `word(key = ..)`.
fn has_keys(call: &ExprCall) -> bool {
    call.args.iter().any(|argument| matches!(peel(argument), Expr::Assign(_)))
}

/// Returns `true` for `Task(ping {}, critical)`.
fn is_task(call: &ExprCall) -> bool {
    let is_like = |word: Ident| synonyms::snake_case(&word.to_string()) == "task" && word != "task";
    as_ident(&call.func).is_some_and(is_like) && call.args.first().is_some_and(is_entry)
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
pub(super) fn unknown_list(word: &str) -> String {
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
