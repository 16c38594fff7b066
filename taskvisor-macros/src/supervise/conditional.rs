//! Entries and slots under `#[cfg(..)]`: of those that have the same name, one may stand in for another. Only the
//! compiler knows which are there, so it is given both: an error for two that are, and the later one left out then.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::{Attribute, Meta};

use super::{Child, ChildKind, Declaration, Group, Slot, check, slot};

/// Puts a condition on each entry and slot that others may stand in for, and gives the errors for those that meet.
pub(super) fn expand(declaration: &mut Declaration) -> TokenStream {
    let of_slots = exclude(&mut declaration.slots, &[], slot::repeated);
    let of_entries = exclude_in_group(&mut declaration.root, &[]);
    quote!(#of_slots #of_entries)
}

fn exclude_in_group(group: &mut Group, outer: &[Attribute]) -> TokenStream {
    let mut errors = exclude(&mut group.children, outer, check::repeated);
    for child in &mut group.children {
        if let ChildKind::Group(inner) = &mut child.kind {
            errors.extend(exclude_in_group(inner, &[outer, &child.cfgs].concat()));
        }
    }
    errors
}

/// What may be compiled or not, and has a name among its siblings.
trait Conditional {
    fn name(&self) -> Option<&Ident>;
    fn cfgs(&mut self) -> &mut Vec<Attribute>;
}

impl Conditional for Child {
    fn name(&self) -> Option<&Ident> {
        self.label.field()
    }

    fn cfgs(&mut self) -> &mut Vec<Attribute> {
        &mut self.cfgs
    }
}

impl Conditional for Slot {
    fn name(&self) -> Option<&Ident> {
        Some(&self.name)
    }

    fn cfgs(&mut self) -> &mut Vec<Attribute> {
        &mut self.cfgs
    }
}

/// `repeated` gives the errors for a second sibling of the same name, where the first is the other.
fn exclude<C: Conditional>(
    siblings: &mut [C],
    outer: &[Attribute],
    repeated: fn(&Ident, &Ident) -> [syn::Error; 2],
) -> TokenStream {
    let mut errors = TokenStream::new();
    let mut seen: Vec<(Ident, Vec<Attribute>)> = Vec::new();
    for sibling in siblings {
        let Some(name) = sibling.name().cloned() else { continue };
        let written = sibling.cfgs().clone();
        for (first, cfgs) in seen.iter().filter(|(first, _)| first.unraw() == name.unraw()) {
            // Two that are always there were reported.
            if cfgs.is_empty() && written.is_empty() {
                continue;
            }
            for error in repeated(first, &name).map(|error| error.to_compile_error()) {
                errors.extend(quote!(#(#outer)* #(#cfgs)* #(#written)* #error));
            }
            sibling.cfgs().extend(unless(cfgs));
        }
        seen.push((name, written));
    }
    errors
}

/// `#[cfg(..)]` that holds where not all of these do.
fn unless(cfgs: &[Attribute]) -> Vec<Attribute> {
    let predicates = cfgs.iter().filter_map(|cfg| match &cfg.meta {
        Meta::List(list) => Some(&list.tokens),
        _ => None,
    });
    Attribute::parse_outer.parse2(quote!(#[cfg(not(all(#(all(#predicates)),*)))])).unwrap_or_default()
}
