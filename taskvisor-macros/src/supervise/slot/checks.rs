//! The checks of the options of a slot.

use std::collections::HashMap;
use syn::ext::IdentExt;

use proc_macro2::Ident;

use super::super::Declaration;
use super::{Admission, Options};
use crate::errors::Errors;
use crate::options::{is_set, zero};
use crate::reader::Given;

/// Reports errors in the slots. `enabled` is `true` if the feature `controller` is on.
pub(in crate::supervise) fn check(declaration: &Declaration, enabled: bool, errors: &mut Errors) {
    let keys = [declaration.slots_key.as_ref(), declaration.controller.as_ref().map(|(key, ..)| key)];
    if !enabled {
        for key in keys.into_iter().flatten() {
            let message = format!(
                "`{key}` needs the feature `controller`: write `taskvisor = {{ .., features = [\"controller\"] }}`"
            );
            errors.push(key, message);
        }
    }
    let mut seen: HashMap<String, &Ident> = HashMap::new();
    for slot in &declaration.slots {
        let name = &slot.name;
        if let Some((0, at)) = slot.options.capacity.as_ref().and_then(Given::known) {
            errors.push(at, "`capacity` must be at least 1: a slot that nobody may wait in is one with `admission = \"drop_if_running\"`");
        }
        slot.options.check_debounce(errors);
        slot.options.check_places(errors);
        slot.options.check_fleet(errors);
        // The compiler checks slots under `#[cfg(..)]`.
        if !slot.cfgs.is_empty() {
            continue;
        }
        if let Some(first) = seen.get(&name.unraw().to_string()) {
            for error in repeated(first, name) {
                errors.push_error(error);
            }
        } else {
            seen.insert(name.unraw().to_string(), name);
        }
    }
}

/// Reports that a second slot has the same name, and points at the first.
pub(in crate::supervise) fn repeated(first: &Ident, second: &Ident) -> [syn::Error; 2] {
    let message = format!("two slots are called `{second}`, keep one");
    [syn::Error::new_spanned(second, message), syn::Error::new_spanned(first, format!("the first `{second}` is here"))]
}

impl Options {
    /// `debounce` belongs to `latest`, and `debounce_max` to `debounce`.
    fn check_debounce(&self, errors: &mut Errors) {
        for (given, does) in [(&self.debounce, "waits"), (&self.debounce_max, "waits at most")] {
            if let (Some(at), Some(given)) = (zero(given.as_ref()), given) {
                let key = &given.key;
                errors.push(at, format!("`{key}` must be longer than zero: it is how long a submission {does}"));
            }
        }
        let word = self.admission.as_ref().map(|given| given.known().map(|(word, _)| *word));
        // The runtime checks a computed policy.
        let is_latest = matches!(word, Some(None | Some(Admission::Latest)));
        match (&self.debounce, &self.debounce_max) {
            (Some(debounce), _) if !is_latest => {
                let message = "`debounce` needs `admission = \"latest\"` beside it: only there does a newer submission \
                               supersede the one that waits";
                errors.push(&debounce.key, message);
            }
            (None, Some(most)) => {
                errors.push(&most.key, "`debounce_max` needs `debounce` beside it: it bounds that wait");
            }
            (Some(debounce), Some(most)) => {
                if let (Some((debounce, _)), Some((most, at))) = (debounce.known(), most.known()) {
                    if most < debounce && !most.is_zero() {
                        let debounce = crate::duration::display(*debounce);
                        errors.push(at, format!("`debounce_max` must be at least `debounce`, which is {debounce}"));
                    }
                }
            }
            _ => {}
        }
    }
}

impl Options {
    /// The owner of a slot of the fleet can be in another replica, and there is one.
    fn check_fleet(&self, errors: &mut Errors) {
        if !is_set(self.fleet.as_ref()) {
            return;
        }
        if let Some((Admission::Replace, at)) = self.admission.as_ref().and_then(Given::known) {
            let message = "a slot with `fleet` cannot replace its owner, which may run in another replica: write \
                           `admission = \"queue\"`, `\"latest\"` or `\"drop_if_running\"`";
            errors.push(at, message);
        }
        if let Some((2.., at)) = self.concurrency.as_ref().and_then(Given::known) {
            let message = "`concurrency` is 1 in a slot with `fleet`, whose lease has one owner: with `keyed`, each key has \
                           a lease of its own";
            errors.push(at, message);
        }
    }

    /// A bound is at least 1, and one of all keys needs keys.
    fn check_places(&self, errors: &mut Errors) {
        if let Some((0, at)) = self.concurrency.as_ref().and_then(Given::known) {
            errors.push(at, "`concurrency` must be at least 1: with 0, no submitted task could run");
        }
        if let Some(keyed) = self.keyed.as_ref().filter(|keyed| keyed.known().is_none() && !keyed.is_refused()) {
            errors.push(
                &keyed.key,
                "`keyed` is `true` or `false`, and no other expression: the tree has a handle for it",
            );
        }
        let Some(all) = &self.max_concurrent else { return };
        if let Some((0, at)) = all.known() {
            errors.push(at, "`max_concurrent` must be at least 1: with 0, no submitted task could run");
        } else if !is_set(self.keyed.as_ref()) {
            let message = "`max_concurrent` of a slot counts the tasks of all its keys, and needs `keyed` beside it: \
                           how many run at once in a slot without keys is `concurrency = ..`";
            errors.push(&all.key, message);
        }
    }
}
