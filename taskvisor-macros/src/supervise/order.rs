//! Expands `after = [..]`: the siblings that a child waits for, and the slots that outlive it.

use std::collections::HashSet;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;

use super::{Child, ChildKind, Group, Label, Slot};
use crate::errors::Errors;
use crate::function::find_word;
use crate::options::singleton;
use crate::suggest;

/// Reports each name in the `after` of a child that is not an earlier sibling or, in the tree itself, a slot. `outer`
/// are the groups around.
pub(super) fn check(children: &[Child], position: usize, outer: &[&Group], slots: &[Slot], errors: &mut Errors) {
    let Some(child) = children.get(position) else {
        return;
    };
    for (index, name) in child.options.after.iter().enumerate() {
        if let Some(first) = child.options.after.iter().take(index).find(|first| first.unraw() == name.unraw()) {
            errors.push_repeated(first, name, format!("`{name}` is given twice, keep one"));
        } else if named(children.iter().take(position), name).next().is_none() {
            if let Some(message) = refusal(children, position, outer, slots, name) {
                errors.push(name, message);
            }
        } else if outer.is_empty() && is_ambiguous(children.iter().take(position), slots, name) {
            errors.push(name, format!("`{name}` is an entry and a slot here: give one of them another name"));
        } else if singleton::ENABLED && named(children.iter().take(position), name).any(is_singleton) {
            let message = format!(
                "`{name}` is a singleton, and does not start in every replica: put both into one group, as in \
                 `group(singleton, tasks = [..])`"
            );
            errors.push(name, message);
        }
    }
}

/// Returns the registered names of the siblings and slots in the `after` of a child, if it has one.
pub(super) fn names(children: &[Child], position: usize, slots: &[Slot], private: &TokenStream) -> Option<TokenStream> {
    let after = children.get(position).map(|child| &child.options.after).filter(|after| !after.is_empty())?;
    let siblings = after.iter().flat_map(|name| named(children.iter().take(position), name));
    let siblings = siblings.map(|sibling| (sibling.name(), &sibling.cfgs));
    let is_sibling = |name: &Ident| named(children.iter().take(position), name).next().is_some();
    let slots = after.iter().filter(|name| !is_sibling(name)).flat_map(|name| slots_named(slots, name));
    let slots = slots.map(|slot| {
        let name = slot.text();
        (quote!(#name), &slot.cfgs)
    });
    let names = siblings.chain(slots).map(|(name, cfgs)| quote!(#(#cfgs)* #name));
    // A slice, so that its type is known if none of the siblings is compiled.
    Some(quote!(<[&#private::str]>::to_vec(&[#(#names),*])))
}

/// Returns `true` for a child that is a singleton and has no `#[cfg(..)]`: the runtime checks those.
fn is_singleton(child: &Child) -> bool {
    child.cfgs.is_empty() && child.options.singleton().is_some()
}

/// Returns the children of that name. There are several only under `#[cfg(..)]`.
fn named<'a>(children: impl IntoIterator<Item = &'a Child>, name: &Ident) -> impl Iterator<Item = &'a Child> {
    let name = name.unraw().to_string();
    children.into_iter().filter(move |child| child.label.text().as_ref() == Some(&name))
}

/// Returns the slots of that name. There are several only under `#[cfg(..)]`.
fn slots_named<'a>(slots: &'a [Slot], name: &Ident) -> impl Iterator<Item = &'a Slot> {
    let name = name.unraw().to_string();
    slots.iter().filter(move |slot| slot.text() == name)
}

/// Returns `true` for the name of an entry and of a slot, unless a `#[cfg(..)]` can choose between them.
fn is_ambiguous<'a>(earlier: impl IntoIterator<Item = &'a Child>, slots: &[Slot], name: &Ident) -> bool {
    let is_entry = named(earlier, name).any(|child| child.cfgs.is_empty());
    is_entry && slots_named(slots, name).any(|slot| slot.cfgs.is_empty())
}

/// Returns the error for a name that is neither an earlier sibling nor a slot.
fn refusal(children: &[Child], position: usize, outer: &[&Group], slots: &[Slot], name: &Ident) -> Option<String> {
    let earlier = || children.iter().take(position);
    if slots_named(slots, name).any(Slot::is_keyed) {
        return Some(format!(
            "`{name}` is a slot with keys, and nothing can come after one: leave out `keyed`, or this name"
        ));
    }
    if slots_named(slots, name).next().is_some() {
        return (!outer.is_empty()).then(|| {
            format!(
                "`{name}` is a slot: only entries of the tree itself can come after it, so give `after` to the group"
            )
        });
    }
    if named(children.get(position), name).next().is_some() {
        return Some(format!("`{name}` cannot come after itself"));
    }
    if named(children.iter().skip(position), name).next().is_some() {
        if let Some(around) = cycle(children, position, name) {
            // Told at the first of them.
            let is_first = around.iter().all(|other| *other >= position);
            return is_first.then(|| waits_for_each_other(children, around));
        }
        return Some(format!("`{name}` comes later: `after` names entries that stand before this one"));
    }
    if let Some(group) = earlier().find(|sibling| holds(sibling, name)).and_then(|group| group.label.text()) {
        return Some(format!("`{name}` is in the group `{group}`: write `after = [{group}]` for all of it"));
    }
    if outer.iter().any(|group| named(&group.children, name).next().is_some()) {
        return Some(format!(
            "`{name}` is not in this group, and `after` names entries of one list: give `after = [{name}]` to the group that \
             stands beside it"
        ));
    }
    // An unreadable entry may have that name, and was reported.
    if earlier().any(|sibling| matches!((&sibling.kind, &sibling.label), (ChildKind::Task(None), Label::None))) {
        return None;
    }
    let mentions = |sibling: &&Child| {
        sibling.unlabeled.as_ref().is_some_and(|entry| find_word(entry.clone(), &name.to_string()).is_some())
    };
    if let Some(meant) = earlier().find(mentions) {
        return Some(match meant.kind {
            ChildKind::Spread(_) => {
                let is_all = *name == meant.unlabeled.to_token_stream().to_string();
                let iterator = if is_all { name.to_string() } else { "iterator".to_owned() };
                format!(
                    "the tasks of a spread have no label: write `{name} = group(tasks = [..{iterator}])` for a group of \
                     them"
                )
            }
            _ => format!(
                "the entry with `{name}` has no label: write `{name} = ` before it, which also becomes the name of the \
                 task"
            ),
        });
    }
    let mut labels: Vec<String> = earlier().filter_map(|sibling| sibling.label.text()).collect();
    if outer.is_empty() {
        labels.extend(slots.iter().map(Slot::text));
    }
    let known = || labels.iter().map(String::as_str);
    Some(match suggest::closest(&name.unraw().to_string(), known()) {
        Some(meant) => format!("no entry before this one is called `{name}`, did you mean `{meant}`?"),
        None if labels.is_empty() => format!("no entry before this one is called `{name}`, and none has a label"),
        None => format!("no entry before this one is called `{name}`, expected {}", suggest::list(known(), '`')),
    })
}

/// Returns the positions of the children between this one and itself, if it is after that name, and the other in the end
/// after it. Those that do not stand before it are preferred.
fn cycle(children: &[Child], position: usize, name: &Ident) -> Option<Vec<usize>> {
    let positions = |name: &Ident| {
        let text = name.unraw().to_string();
        let named = children.iter().enumerate().filter(move |(_, child)| child.label.text().as_ref() == Some(&text));
        named.map(|(at, _)| at).collect::<Vec<_>>()
    };
    [position, 0].into_iter().find_map(|lowest| {
        let mut paths: Vec<Vec<usize>> = positions(name).into_iter().map(|start| vec![start]).collect();
        let mut seen = HashSet::new();
        while let Some(path) = paths.pop() {
            let last = *path.last()?;
            if last == position {
                return Some(path);
            }
            if last < lowest || !seen.insert(last) {
                continue;
            }
            let after = children.get(last).map(|child| child.options.after.as_slice()).unwrap_or_default();
            paths.extend(after.iter().flat_map(positions).map(|next| [&*path, &[next]].concat()));
        }
        None
    })
}

fn waits_for_each_other(children: &[Child], mut around: Vec<usize>) -> String {
    around.sort_unstable();
    let names: Vec<String> = around.into_iter().filter_map(|at| children.get(at)?.label.text()).collect();
    let names = suggest::list(names.iter().map(String::as_str), '`').replace(" or ", " and ");
    format!("{names} wait for each other: leave one of them out of the `after` of another")
}

/// Returns `true` if the child is a group that contains a child of that name at any depth.
fn holds(child: &Child, name: &Ident) -> bool {
    match &child.kind {
        ChildKind::Group(group) => {
            named(&group.children, name).next().is_some() || group.children.iter().any(|child| holds(child, name))
        }
        ChildKind::Task(_) | ChildKind::GroupValue(_) | ChildKind::Spread(_) => false,
    }
}
