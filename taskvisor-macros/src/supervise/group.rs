//! `label = group(..)`: an entry that contains entries.

use proc_macro2::Ident;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit};

use super::{Child, ChildKind, Group, Label, STRATEGIES, entry, label, no_task};
use crate::argument::{self, List, as_ident, peel};
use crate::options::{IN_BACKOFF, IN_SUPERVISE, Options, Place};
use crate::path::is_name;
use crate::reader::{Purpose, Reader};
use crate::table::{Key, Misplaced, Read};
use crate::{suggest, synonyms};

const MISPLACED: &Misplaced = &[
    ("name", "the label is the name of the group"),
    ("groups", "groups stand in `tasks = [..]`, as `label = group(..)`"),
    ("interval", "a group that restarts does so at once, or after its `backoff`"),
];

/// Options of a group that is a value.
const OF_VALUE: &Misplaced = &[
    ("tasks", "the value has its own tasks"),
    ("fresh", "the value has its own tasks"),
    ("strategy", "the value has its own strategy"),
];

/// Options that belong to the strategy.
pub(super) const IN_LIMIT: &Misplaced = &[
    ("max_restarts", "it belongs to the strategy, as in `strategy = one_for_one(max_restarts = 5, within = \"60s\")`"),
    ("within", "it belongs to the strategy, as in `strategy = one_for_one(max_restarts = 5, within = \"60s\")`"),
];

impl<T: AsMut<Group>> Key<T> {
    pub(super) const TASKS: Self = Self::new(
        "tasks",
        "tasks = [..]",
        Read::Value(|target, key, value, reader| {
            for expr in reader.elements(key, value) {
                let entries = label::with_operators(&expr, reader).unwrap_or_else(|| vec![expr.into_owned()]);
                for entry in &entries {
                    let child = entry::read(entry, reader);
                    let children =
                        child.map(|child| Child { cfgs: [&*reader.key_cfgs, &child.cfgs].concat(), ..child });
                    target.as_mut().children.extend(children);
                }
            }
        }),
    );
}

/// The list of a `group(..)`.
#[derive(Default)]
struct Declared {
    group: Group,
    options: Options,
}

impl AsMut<Group> for Declared {
    fn as_mut(&mut self) -> &mut Group {
        &mut self.group
    }
}

impl AsMut<Options> for Declared {
    fn as_mut(&mut self) -> &mut Options {
        &mut self.options
    }
}

/// Returns `group(tasks = [..])` for `Group(tasks = [..])`, `store(tasks = [..])` and `one_for_all(tasks = [..])`, which are
/// reported, and the name of the group if that stands there. So the handles of its members are there.
pub(super) fn respelled(expr: &Expr, label: Option<&Expr>, reader: &mut Reader) -> Option<(Option<Ident>, Expr)> {
    let Expr::Call(call) = peel(expr) else { return None };
    let word = as_ident(&call.func).filter(is_name)?;
    let text = word.to_string();
    if text == "group" || !call.args.iter().any(is_members) || Place::Entry.names().contains(&&*text) || text == "task"
    {
        return None;
    }
    let is_like = suggest::closest(&text, ["task", "group"]).is_some() || STRATEGIES.contains(&&*text);
    let name = (label.is_none() && !is_like).then(|| word.clone());
    let message = match &name {
        Some(name) => format!("the name of a group is its label: write `{name} = group(tasks = [..])`"),
        None => no_task::unknown_list(&text),
    };
    reader.errors.push(&word, message);
    let func = Box::new(argument::path(&Ident::new("group", word.span())));
    Some((name, Expr::Call(syn::ExprCall { func, ..call.clone() })))
}

/// Reports the name in `group("store", ..)` and `group(name = "store", ..)`, and returns the label that it stands for, if there
/// is one, and the place of the name.
pub(super) fn refuse_name(list: &List, label: Option<&Expr>, reader: &mut Reader) -> Option<(Label, usize)> {
    let is_name_key = |argument: &Expr| match peel(argument) {
        Expr::Assign(assign) if label.is_none() => as_ident(&assign.left).is_some_and(|key| key == "name"),
        _ => false,
    };
    let at = list.iter().position(is_name_key).unwrap_or_default();
    let first = list.iter().nth(at)?;
    let has_members = list.iter().any(|argument| is_list(argument) || is_members(argument));
    let value = match peel(first) {
        Expr::Assign(assign) if is_name_key(first) => &*assign.right,
        _ => first,
    };
    let name = match (peel(value), as_ident(value)) {
        (Expr::Lit(ExprLit { lit: Lit::Str(name), .. }), _) => name.value(),
        // Beside a list of members, a variable is no group: that has its own.
        (_, Some(name)) if label.is_none() && has_members && is_value(value, false, reader) => name.to_string(),
        _ => return None,
    };
    let name = syn::parse_str::<Ident>(&name).ok().map(|name| Ident::new(&name.to_string(), first.span()));
    let message = match (label, &name) {
        (Some(_), _) => "the label is the name of the group: leave this out".to_owned(),
        (None, Some(name)) => format!("the name of a group is its label: write `{name} = group(tasks = [..])`"),
        (None, None) => "the name of a group is its label: write `label = group(tasks = [..])`".to_owned(),
    };
    match peel(first) {
        Expr::Assign(assign) => reader.errors.push(&assign.left, message),
        _ => reader.errors.push(first, message),
    }
    Some((name.map_or(Label::None, Label::Given), at))
}

/// Returns `true` for `tasks = [..]`.
fn is_members(argument: &Expr) -> bool {
    matches!(peel(argument), Expr::Assign(assign) if is_list(&assign.right) && as_ident(&assign.left).is_some_and(|key| key == "tasks"))
}

/// Returns the members of `label = [..]` and `label = group[..]`, which are no groups. The value of an option in their place
/// has none.
pub(super) fn members_without_list(expr: &Expr) -> Option<Vec<&Expr>> {
    let is_entry = |member: &&Expr| matches!(peel(member), Expr::Struct(_) | Expr::Call(_) | Expr::Assign(_));
    let members: Vec<&Expr> = match peel(expr) {
        Expr::Array(list) => list.elems.iter().collect(),
        Expr::Index(index) if as_ident(&index.expr).is_some_and(|word| word == "group") => vec![&index.index],
        _ => return None,
    };
    members.iter().all(is_entry).then_some(members)
}

/// Returns the group of these members, which was refused.
pub(super) fn of_members(members: Vec<&Expr>, reader: &mut Reader) -> ChildKind {
    let children = members.into_iter().filter_map(|member| entry::read(member, reader)).collect();
    ChildKind::Group(Box::new(Group { children, ..Group::default() }))
}

fn is_list(argument: &Expr) -> bool {
    matches!(peel(argument), Expr::Array(_))
}

/// Reads the list of a `group(..)`. `refused` is the place of a name in it, which was reported.
pub(super) fn read(list: &List, refused: Option<usize>, reader: &mut Reader) -> (ChildKind, Options) {
    let mut declared = Declared::default();
    // A value is a group alone: beside members of its own, the name is that of an option.
    let is_alone = !list.iter().any(|argument| is_list(argument) || declares_members(argument));
    let value = list.first().filter(|first| refused.is_none() && is_value(first, is_alone, reader));
    let is_member = |argument: &&Expr| matches!(peel(argument), Expr::Struct(_) | Expr::Range(_) | Expr::Array(_));
    if let Some(member) = list.iter().find(is_member).filter(|_| refused.is_none()) {
        reader.errors.push(member, "the members of a group stand in `tasks = [..]`");
    }
    // A value has its own members.
    let members = list.iter().filter(|_| value.is_none()).flat_map(|argument| match peel(argument) {
        Expr::Array(members) => members.elems.iter().collect(),
        Expr::Struct(_) => vec![argument],
        _ => Vec::new(),
    });
    for member in members {
        declared.group.children.extend(entry::read(member, reader));
    }
    let (read, first) = (refused.or(value.map(|_| 0)), list.first());
    let list = list.iter().enumerate().filter(|(at, argument)| Some(*at) != read && !is_member(argument));
    let list = list.map(|(_, argument)| argument);
    let own: &[_] = if value.is_some() { &[] } else { &[&Key::TASKS, &Key::STRATEGY, &Key::FRESH] };
    let own = [own, &[&Key::AFTER, &Key::MAX_CONCURRENT, &Key::MAX_STARTING, &Key::DYNAMIC]].concat();
    let misplaced: &[&Misplaced] =
        if value.is_some() { &[OF_VALUE, IN_LIMIT, MISPLACED] } else { &[IN_LIMIT, MISPLACED] };
    let keys = [own, Place::Group.keys()].concat();
    let flag = first.filter(|_| is_alone && value.is_none()).and_then(as_ident);
    let errors = reader.errors.count();
    Place::Group.read("option", &keys, misplaced, list, &mut declared, reader);
    if let Some(key) = declared.options.limit.sliding.as_ref().and_then(|limit| limit.key.as_ref()) {
        let message = "the limit of failures belongs to the strategy, as in `strategy = one_for_one(max_restarts = 5, \
                       within = \"60s\")`";
        reader.errors.push(key, message);
    }
    if let Some(flag) = flag.filter(|_| reader.errors.count() == errors) {
        let message = format!(
            "this declares no members: write `tasks = [..]` as well, or `group(({flag}))` for a variable with the name of \
             the option"
        );
        reader.errors.push(&flag, message);
    }
    let kind = match value {
        // The compiler would call the parentheses unnecessary.
        Some(Expr::Paren(value)) => ChildKind::GroupValue(reader.bind(Purpose::Group, &value.expr)),
        Some(value) => ChildKind::GroupValue(reader.bind(Purpose::Group, value)),
        None => ChildKind::Group(Box::new(declared.group)),
    };
    declared.options.is_partial = reader.recovered;
    (kind, declared.options)
}

/// The options that can stand without a value.
const FLAGS: [&str; 5] = ["critical", "significant", "paused", "readiness", "singleton"];

/// Returns `true` for `tasks = ..` and `fresh = ..`.
fn declares_members(argument: &Expr) -> bool {
    let Expr::Assign(assign) = peel(argument) else { return false };
    as_ident(&assign.left).is_some_and(|key| key == "tasks" || key == "fresh")
}

/// Returns `true` for an expression at the start of the list that is a group: a call, a field, anything in parentheses, or
/// a variable whose name is not like that of an option. If the group has no members beside it, the name of the variable
/// only has to differ from that of each option, and not to be like that of a flag.
fn is_value(first: &Expr, is_alone: bool, reader: &Reader) -> bool {
    let is_like_an_option = |word: &Ident| {
        let (word, own) = (
            word.to_string(),
            [
                &["tasks", "strategy", "name", "crate", "one_for_one", "one_for_all", "rest_for_one"],
                &*Place::Group.names(),
            ]
            .concat(),
        );
        let misplaced = [IN_LIMIT, MISPLACED, IN_BACKOFF, IN_SUPERVISE].into_iter().flatten().map(|(name, _)| *name);
        let lists = &["option", "`backoff`", "limit", "slot", "`restart`"];
        let mut known = own.into_iter().chain(Place::all()).chain(misplaced);
        let is_known = if is_alone {
            known.any(|known| known == word) || suggest::closest(&word, FLAGS).is_some()
        } else {
            suggest::closest(&word, known).is_some()
        };
        is_known || synonyms::ours(lists, &word).next().is_some()
    };
    match peel(first) {
        _ if reader.is_unreadable(first) => false,
        Expr::MethodCall(_)
        | Expr::Field(_)
        | Expr::Macro(_)
        | Expr::Block(_)
        | Expr::If(_)
        | Expr::Match(_)
        | Expr::Paren(_) => true,
        Expr::Call(call) => {
            let is_list = call.args.iter().any(|argument| matches!(peel(argument), Expr::Assign(_)));
            !is_list && as_ident(&call.func).is_none_or(|word| !is_like_an_option(&word))
        }
        path @ Expr::Path(_) => as_ident(path).is_none_or(|word| !is_like_an_option(&word)),
        _ => false,
    }
}

#[cfg(test)]
pub(super) fn names() -> Vec<&'static str> {
    [&["tasks", "strategy"], &*Place::Group.names()].concat()
}
