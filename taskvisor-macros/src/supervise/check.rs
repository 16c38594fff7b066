//! Checks a declaration.

use std::collections::HashMap;

use proc_macro2::Ident;

use super::{Child, ChildKind, Declaration, Group, Label, Slot, fleet, limit, order, slot};
use crate::errors::Errors;
use crate::options::{OfGroup, Options, Place, check_max_starting, check_name, singleton};

/// Reports every error in the declaration.
pub(super) fn check(declaration: &Declaration, errors: &mut Errors) {
    check_name(declaration.name.as_ref(), errors);
    check_max_starting(declaration.max_starting.as_ref(), errors);
    if let Some((defaults, _)) = &declaration.defaults {
        defaults.check(Place::Defaults, errors);
    }
    slot::check(declaration, slot::ENABLED, errors);
    fleet::check(declaration, singleton::ENABLED, errors);
    limit::check(declaration, errors);
    check_group(&declaration.root, &[], &declaration.slots, errors);
}

/// `outer` are the groups around this one.
fn check_group(group: &Group, outer: &[&Group], slots: &[Slot], errors: &mut Errors) {
    let mut seen: HashMap<String, &Ident> = HashMap::new();
    for (position, child) in group.children.iter().enumerate() {
        child
            .options
            .check(if matches!(child.kind, ChildKind::Group(_)) { Place::Group } else { Place::Entry }, errors);
        child.options.of_group.check(errors);
        check_label(child, errors);
        check_unique(child, &mut seen, errors);
        order::check(&group.children, position, outer, slots, errors);
        if let ChildKind::Group(inner) = &child.kind {
            check_fresh(child, inner, errors);
            check_group(inner, &[outer, &[group]].concat(), slots, errors);
        }
    }
}

/// A fresh group makes its tasks. `start_timeout` is the time that this may take.
fn check_fresh(child: &Child, group: &Group, errors: &mut Errors) {
    let Options { of_group: OfGroup { fresh, .. }, start_timeout, .. } = &child.options;
    match (fresh, start_timeout) {
        (Some((fresh, _)), _) if !group.children.is_empty() => {
            errors.push(fresh, "`fresh` makes all tasks of the group: leave out `tasks`, or `fresh`");
        }
        (None, Some(start_timeout)) if !child.options.is_partial => {
            let message = "`start_timeout` of a group is how long `fresh` may take: write `fresh = make` beside it, or \
                           `start_timeout` at the tasks";
            errors.push(&start_timeout.key, message);
        }
        _ => {}
    }
}

fn check_label(child: &Child, errors: &mut Errors) {
    if let (Label::Given(label), Some(name)) = (&child.label, &child.options.name) {
        let message = format!("the label `{label}` names this task already: leave one out");
        errors.push(&name.key, message);
    }
}

/// Returns `true` if the child is the first of its name in the group. The compiler checks children under `#[cfg(..)]`.
fn check_unique<'a>(child: &'a Child, seen: &mut HashMap<String, &'a Ident>, errors: &mut Errors) {
    let (Some(field), Some(text), true) = (child.label.field(), child.label.text(), child.cfgs.is_empty()) else {
        return;
    };
    // The field of an entry that was refused is a guess.
    if child.is_guess || matches!((&child.kind, &child.label), (ChildKind::Task(None), Label::Derived(_))) {
        return;
    }
    if let Some(first) = seen.get(&text) {
        for error in repeated(first, field) {
            errors.push_error(error);
        }
    } else {
        seen.insert(text, field);
    }
}

/// Reports that a second entry has the same field, and points at the first.
pub(super) fn repeated(first: &Ident, second: &Ident) -> [syn::Error; 2] {
    let message = format!("two entries go by `{second}` here: give this one a label of its own, as in `other = ..`");
    [syn::Error::new_spanned(second, message), syn::Error::new_spanned(first, format!("the first `{second}` is here"))]
}
