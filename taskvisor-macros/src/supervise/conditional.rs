//! Entries, limits and slots of equal names under `#[cfg(..)]`, which can replace each other. Only the compiler knows which of
//! them exist, so the expansion contains an error for two that do, and then leaves out the later one.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::{Attribute, Meta};

use super::limit::{self, Limit};
use super::{Child, ChildKind, Declaration, Group, Slot, check, slot};

/// Adds a condition to each entry, limit and slot that others can replace, and returns the errors for two that exist at the
/// same time.
pub(super) fn expand(declaration: &mut Declaration) -> TokenStream {
    let of_limits = exclude(&mut declaration.limits, &[], limit::repeated);
    let of_slots = exclude(&mut declaration.slots, &[], slot::repeated);
    let of_entries = exclude_in_group(&mut declaration.root, &[]);
    quote!(#of_limits #of_slots #of_entries)
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

/// A named item that may be compiled or not.
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

impl Conditional for Limit {
    fn name(&self) -> Option<&Ident> {
        Some(&self.name)
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

/// `repeated` returns the errors for a second sibling of the same name.
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
            // Two unconditional siblings were reported.
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

/// Returns the `#[cfg(..)]` that holds if not all of these do.
fn unless(cfgs: &[Attribute]) -> Vec<Attribute> {
    let predicates = cfgs.iter().filter_map(|cfg| match &cfg.meta {
        Meta::List(list) => Some(&list.tokens),
        _ => None,
    });
    Attribute::parse_outer.parse2(quote!(#[cfg(not(all(#(all(#predicates)),*)))])).unwrap_or_default()
}
