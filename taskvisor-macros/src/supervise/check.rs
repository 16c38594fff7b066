//! What a declaration must be to make sense.

use std::collections::HashMap;

use proc_macro2::Ident;
use syn::ext::IdentExt;

use super::{Child, ChildKind, Declaration, Entry, Label};
use crate::errors::Errors;
use crate::options::{Place, check_name};

/// Reports everything in the declaration that makes no sense.
pub(super) fn check(declaration: &Declaration, errors: &mut Errors) {
    check_name(declaration.name.as_ref(), errors);
    if let Some(defaults) = &declaration.defaults {
        defaults.check(Place::Defaults, errors);
    }
    let mut seen: HashMap<String, &Ident> = HashMap::new();
    for Child { kind, cfgs } in &declaration.children {
        let ChildKind::Task(entry) = kind else {
            continue;
        };
        entry.options.check(Place::Entry, errors);
        check_label(entry, errors);
        // Of entries under `#[cfg(..)]`, one may stand in for another.
        if let (Some(field), true) = (entry.label.field(), cfgs.is_empty()) {
            check_unique(field, &mut seen, errors);
        }
    }
}

fn check_label(entry: &Entry, errors: &mut Errors) {
    if let (Label::Given(label), Some(name)) = (&entry.label, &entry.options.name) {
        let message = format!("the label `{label}` names this task already: leave one out");
        errors.push(&name.key, message);
    }
}

fn check_unique<'a>(field: &'a Ident, seen: &mut HashMap<String, &'a Ident>, errors: &mut Errors) {
    match seen.get(&field.unraw().to_string()) {
        Some(first) => {
            errors.push(
                field,
                format!("two tasks go by `{field}` in this tree: give this one a label of its own, as in `other = ..`"),
            );
            errors.push(first, format!("the first `{field}` is here"));
        }
        None => {
            seen.insert(field.unraw().to_string(), field);
        }
    }
}
