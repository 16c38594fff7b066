//! `fleet = Fleet::new(store)`: the fleet in which singletons, and slots with `fleet`, run once.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Attribute, Expr};

use super::{Child, ChildKind, Declaration, Group};
use crate::argument::{Form, peel};
use crate::errors::Errors;
use crate::options::singleton::{ENABLED, needs_feature};
use crate::options::{Held, WrongForm};
use crate::reader::{Purpose, Reader};
use crate::table::{Key, Read};

/// The given fleet.
pub(super) struct Fleet {
    key: Ident,
    /// Its local; `None` if the value was refused.
    local: Option<Ident>,
    cfgs: Vec<Attribute>,
}

impl Key<Declaration> {
    pub(super) const FLEET: Self =
        Self::new("fleet", "fleet = Fleet::new(store)", Read::Held(|declaration| &mut declaration.fleet));
}

impl Held for Option<Fleet> {
    fn read(&mut self, key: &Ident, form: &Form<'_>, reader: &mut Reader) -> Result<(), WrongForm> {
        let is_literal = |value: &Expr| matches!(peel(value), Expr::Lit(_) | Expr::Array(_) | Expr::Tuple(_));
        let message = format!(
            "`{key}` is a value of the type `Fleet`: write `{key} = Fleet::new(store)`, or `{key} = Fleet::local()` for \
             one process"
        );
        let local = match form {
            Form::Value(value) if is_literal(value) => {
                reader.errors.push(value, message);
                None
            }
            Form::Value(value) if reader.is_unreadable(value) => None,
            Form::Value(value) => Some(reader.bind(Purpose::Fleet, value)),
            Form::Word | Form::List(_) => {
                reader.errors.push(key, message);
                None
            }
        };
        *self = Some(Fleet { key: key.clone(), local, cfgs: reader.key_cfgs.clone() });
        Ok(())
    }

    fn describe(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

/// Reports a fleet without the feature, a singleton without a fleet, and a singleton in another. `enabled` is `true` if
/// the feature `fleet` is on.
pub(super) fn check(declaration: &Declaration, enabled: bool, errors: &mut Errors) {
    let of_slots = || declaration.slots.iter().filter(|slot| slot.cfgs.is_empty()).find_map(|slot| slot.fleet());
    if !enabled {
        let keys = [declaration.fleet.as_ref().map(|fleet| &fleet.key), of_slots()];
        for key in keys.into_iter().flatten() {
            errors.push(key, needs_feature(key));
        }
        return;
    }
    if declaration.fleet.is_none() && !declaration.is_partial {
        // One error, because one key is missing.
        let write = "write `fleet = Fleet::local()` in `supervise!` for one process, or `fleet = Fleet::new(store)` with \
                     the store that the replicas share";
        match (first_singleton(&declaration.root), of_slots()) {
            (Some(key), _) => errors.push(key, format!("`{key}` needs a fleet: {write}")),
            (None, Some(key)) => errors.push(key, format!("`{key}` of a slot needs that of the tree: {write}")),
            (None, None) => {}
        }
    }
    check_nesting(&declaration.root, false, errors);
}

/// Returns the key of the first singleton. The runtime checks those under `#[cfg(..)]`.
fn first_singleton(group: &Group) -> Option<&Ident> {
    let children = group.children.iter().filter(|child| child.cfgs.is_empty());
    children.into_iter().find_map(|child| {
        child.options.singleton().or_else(|| match &child.kind {
            ChildKind::Group(inner) => first_singleton(inner),
            ChildKind::Task(_) | ChildKind::GroupValue(_) | ChildKind::Spread(_) => None,
        })
    })
}

/// Reports singletons within a group that is one. `is_within` is `true` if one of the groups around is.
fn check_nesting(group: &Group, is_within: bool, errors: &mut Errors) {
    for Child { options, kind, .. } in &group.children {
        let key = options.singleton();
        if let Some(key) = key.filter(|_| is_within) {
            let message = format!(
                "`{key}` has no place in a group that is a singleton, which has one lease for all in it: leave it out here, \
                 or at the group"
            );
            errors.push(key, message);
        }
        if let ChildKind::Group(inner) = kind {
            check_nesting(inner, is_within || key.is_some(), errors);
        }
    }
}

/// Returns the statement that sets the fleet of the local `builder`.
pub(super) fn expand(declaration: &Declaration) -> TokenStream {
    let fleet = declaration.fleet.as_ref().filter(|_| ENABLED);
    let fleet = fleet.and_then(|Fleet { local, cfgs, .. }| {
        let local = local.as_ref()?;
        Some(quote!(#(#cfgs)* let builder = builder.with_fleet(#local);))
    });
    fleet.unwrap_or_default()
}
