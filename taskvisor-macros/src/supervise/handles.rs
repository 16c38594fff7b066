//! The structs that hold a typed handle for each task and group.

use std::collections::HashSet;

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::Attribute;
use syn::ext::IdentExt;

use super::{Child, ChildKind, Declaration, Group, Slot};
use crate::path::hygienic;

/// The structs for the tree and each group in it, and the expression that makes the tree's of the local `tree`.
pub(super) fn expand(declaration: &Declaration, private: &TokenStream) -> (TokenStream, TokenStream) {
    let mut handles = Handles { private, items: TokenStream::new(), taken: HashSet::new() };
    let mut root = Place::root(private);
    root.slots = handles.slots(&declaration.slots);
    let value = handles.place(&root, &declaration.root);
    (handles.items, value)
}

struct Handles<'a> {
    private: &'a TokenStream,
    items: TokenStream,
    /// The suffixes that are in use.
    taken: HashSet<String>,
}

/// The tree or a group of it: how its structs are called and what they are for.
struct Place {
    name: Ident,
    tasks: Ident,
    groups: Ident,
    /// What the names of structs in it end with.
    suffix: String,
    /// The field, and the local, that holds the handle.
    handle: Ident,
    /// The type of the handle.
    target: TokenStream,
    /// `#[cfg(..)]` of its entry, and of the groups that it is in.
    cfgs: Vec<Attribute>,
    attribute: Option<TokenStream>,
    slots: Option<Slots>,
}

/// The field for the slots, and its value.
struct Slots {
    declared: TokenStream,
    value: TokenStream,
}

impl Place {
    fn root(private: &TokenStream) -> Self {
        let must_use = "the tasks of a tree run once it does, with `run`, `run_until` or `start`";
        Self {
            name: format_ident!("Tree"),
            tasks: format_ident!("Tasks"),
            groups: format_ident!("Groups"),
            suffix: String::new(),
            handle: format_ident!("tree"),
            target: quote!(#private::Tree),
            cfgs: Vec::new(),
            attribute: Some(quote!(#[must_use = #must_use])),
            slots: None,
        }
    }

    fn group(suffix: String, cfgs: Vec<Attribute>, private: &TokenStream) -> Self {
        Self {
            name: format_ident!("Group{suffix}"),
            tasks: format_ident!("TasksOf{suffix}"),
            groups: format_ident!("GroupsOf{suffix}"),
            suffix,
            handle: format_ident!("group"),
            target: quote!(#private::GroupHandle),
            cfgs,
            attribute: None,
            slots: None,
        }
    }
}

impl Handles<'_> {
    /// Adds the structs of a place, and gives the expression that makes the place of the local that holds its handle.
    fn place(&mut self, place: &Place, group: &Group) -> TokenStream {
        let private = self.private;
        let Place { name, tasks, groups, handle, .. } = place;
        let (mut task_fields, mut group_fields) = (Fields::default(), Fields::default());
        for child in &group.children {
            let cfgs = [&*place.cfgs, &child.cfgs].concat();
            let child_name = child.name();
            match &child.kind {
                ChildKind::Spread(_) => {}
                ChildKind::Task(_) => task_fields
                    .add_child(child, &cfgs, || (quote!(#private::ChildHandle), quote!(#handle.child(#child_name)))),
                ChildKind::Group(inner) => group_fields.add_child(child, &cfgs, || {
                    let suffix = self.suffix(&place.suffix, child);
                    let place = Place::group(suffix, cfgs.clone(), private);
                    let value = self.place(&place, inner);
                    let (ty, local) = (place.name, place.handle);
                    (quote!(#ty), quote!({ let #local = #handle.group(#child_name); #value }))
                }),
            }
        }
        self.add_structs(place, &task_fields, &group_fields);
        let (task_values, group_values) = (task_fields.values, group_fields.values);
        let slots = place.slots.as_ref().map(|slots| &slots.value);
        quote! {
            #name {
                tasks: #tasks { #(#task_values),* },
                groups: #groups { #(#group_values),* },
                #slots
                #handle,
            }
        }
    }

    /// The struct for the slots, if there are any.
    fn slots(&mut self, slots: &[Slot]) -> Option<Slots> {
        if slots.is_empty() {
            return None;
        }
        let private = self.private;
        let mut fields = Fields::default();
        for slot in slots {
            let make = || (quote!(#private::SlotHandle), slot.handle(private));
            fields.add(&slot.name, slot.cfgs.is_empty(), &slot.cfgs, make);
        }
        let Fields { declared, values, .. } = fields;
        self.items.extend(quote! {
            #[derive(::core::fmt::Debug)]
            struct Slots { #(#declared),* }
        });
        Some(Slots { declared: quote!(pub slots: Slots,), value: quote!(slots: Slots { #(#values),* },) })
    }

    fn add_structs(&mut self, place: &Place, task_fields: &Fields, group_fields: &Fields) {
        let private = self.private;
        let Place { name, tasks, groups, handle, target, cfgs, attribute, .. } = place;
        let (task_fields, group_fields) = (&task_fields.declared, &group_fields.declared);
        let slots = place.slots.as_ref().map(|slots| &slots.declared);
        self.items.extend(quote! {
            #(#cfgs)*
            #attribute
            #[derive(::core::fmt::Debug)]
            struct #name {
                pub tasks: #tasks,
                pub groups: #groups,
                #slots
                #handle: #target,
            }

            #(#cfgs)*
            #[derive(::core::fmt::Debug)]
            struct #tasks { #(#task_fields),* }

            #(#cfgs)*
            #[derive(::core::fmt::Debug)]
            struct #groups { #(#group_fields),* }

            #(#cfgs)*
            impl #private::Deref for #name {
                type Target = #target;

                fn deref(&self) -> &#target {
                    &self.#handle
                }
            }
        });
    }

    /// `StoreReplica` for the group `replica` in `store`, and a number where that is taken.
    fn suffix(&mut self, outer: &str, child: &Child) -> String {
        let label = child.label.text().unwrap_or_default();
        let mut wanted = outer.to_owned();
        for word in label.split('_') {
            let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
            wanted += &first.to_ascii_uppercase();
            wanted += rest;
        }
        let mut suffix = wanted.clone();
        let mut number = 1;
        while !self.taken.insert(suffix.clone()) {
            number += 1;
            suffix = format!("{wanted}{number}");
        }
        suffix
    }
}

/// The fields of a struct, and their values.
#[derive(Default)]
struct Fields {
    declared: Vec<TokenStream>,
    values: Vec<TokenStream>,
    seen: HashSet<String>,
}

impl Fields {
    /// Adds a field for the child, of a type and with a value, if it has a label.
    fn add_child(&mut self, child: &Child, cfgs: &[Attribute], make: impl FnOnce() -> (TokenStream, TokenStream)) {
        if let Some(label) = child.label.field() {
            self.add(label, child.cfgs.is_empty(), cfgs, make);
        }
    }

    /// A field that is `unconditional` is the only one of its name.
    fn add(
        &mut self,
        field: &Ident,
        unconditional: bool,
        cfgs: &[Attribute],
        make: impl FnOnce() -> (TokenStream, TokenStream),
    ) {
        // A repeated field was reported, unless only one of them is compiled.
        if !self.seen.insert(field.unraw().to_string()) && unconditional {
            return;
        }
        let (ty, value) = make();
        // As one that a macro made, the field may be named like a type, and go unused.
        let mut field = field.clone();
        field.set_span(hygienic(field.span()));
        self.declared.push(quote!(#(#cfgs)* pub #field: #ty));
        self.values.push(quote!(#(#cfgs)* #field: #value));
    }
}
