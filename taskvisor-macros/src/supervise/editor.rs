//! What the expansion has for an editor: see [`crate::echo`]. The names in `after` are repeated as fields of the handles,
//! which have the labels as their names, and a name that is completed as a variant of an enum of all labels.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;

use super::{Child, ChildKind, Declaration, Group, Slot};
use crate::echo::is_editor;

/// Returns an enum of the labels of the tree and of each group, and an import of the names in `after` that are none.
pub(super) fn labels(declaration: &Declaration) -> [TokenStream; 2] {
    let (mut enums, mut names) = (TokenStream::new(), TokenStream::new());
    if is_editor() {
        add(&declaration.root, &declaration.slots, &mut 0, &mut enums, &mut names);
    }
    [enums, names]
}

fn add(group: &Group, slots: &[Slot], number: &mut usize, enums: &mut TokenStream, names: &mut TokenStream) {
    let name = format_ident!("Labels{number}", span = Span::mixed_site());
    *number += 1;
    let children = group.children.iter().filter_map(|child| Some((child.label.field()?, &child.docs)));
    let known: Vec<_> = children.chain(slots.iter().map(|slot| (&slot.name, &slot.docs))).collect();
    let variants = known.iter().map(|(label, docs)| {
        let label = unlocated(label);
        quote!(#(#docs)* #label)
    });
    enums.extend(quote!(#[allow(dead_code, non_camel_case_types)] enum #name { #(#variants),* }));
    let after = group.children.iter().flat_map(|child| &child.options.after);
    let unknown = after.filter(|after| !known.iter().any(|(label, _)| label.unraw() == after.unraw()));
    names.extend(quote!(#[allow(unused_imports)] use #name::{#(#unknown as _),*};));
    for child in &group.children {
        if let ChildKind::Group(inner) = &child.kind {
            add(inner, &[], number, enums, names);
        }
    }
}

/// Returns the name without the place of the user's, which is that of the handle.
fn unlocated(label: &Ident) -> Ident {
    let mut label = label.clone();
    label.set_span(Span::call_site());
    label
}

/// Returns the value of the struct of handles, with an access to a field for each name in the `after` of a child.
/// `fields` are the names of the fields.
pub(super) fn with_after(value: TokenStream, fields: &[Ident], children: &[Child]) -> TokenStream {
    let after = children.iter().flat_map(|child| &child.options.after);
    let named = after.filter(|name| fields.iter().any(|field| field.unraw() == name.unraw()));
    let accesses: TokenStream = named.map(|name| quote!(let _ = &handles.#name;)).collect();
    if !is_editor() || accesses.is_empty() { value } else { quote!({ let handles = #value; #accesses handles }) }
}
