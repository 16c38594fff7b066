//! Generates the structs with a typed handle for each task and group.

use std::collections::HashSet;

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::Attribute;
use syn::ext::IdentExt;

use super::{Child, ChildKind, Declaration, Group, Names, Slot};
use crate::path::hygienic;

/// Returns the structs of the tree and its groups, and the expression that creates the struct of the tree from the
/// local `tree`.
pub(super) fn expand(declaration: &Declaration, names: &Names, private: &TokenStream) -> (TokenStream, TokenStream) {
    let mut handles = Handles { names, private, items: TokenStream::new(), taken: HashSet::new() };
    let mut root = Place::root(names, private);
    root.slots = handles.slots(&declaration.slots);
    let value = handles.place(&root, &declaration.root);
    let (name, cfgs) = (&root.name, &root.cfgs);
    handles.items.extend(quote! {
        #(#cfgs)*
        impl #private::From<#name> for #private::Tree {
            fn from(declared: #name) -> Self {
                declared.tree
            }
        }
    });
    (handles.items, value)
}

struct Handles<'a> {
    names: &'a Names,
    private: &'a TokenStream,
    items: TokenStream,
    /// The used suffixes.
    taken: HashSet<String>,
}

/// The tree or a group: the names and docs of its structs.
struct Place {
    name: Ident,
    tasks: Ident,
    groups: Ident,
    /// The suffix of the names of its structs.
    suffix: String,
    /// The field and the local of the handle.
    handle: Ident,
    /// The type of the handle.
    target: TokenStream,
    /// The `#[cfg(..)]` of its entry and of the groups around it.
    cfgs: Vec<Attribute>,
    attribute: Option<TokenStream>,
    /// Its description for docs.
    title: String,
    slots: Option<Slots>,
}

/// The field of the slots, and its value.
struct Slots {
    declared: TokenStream,
    value: TokenStream,
}

impl Place {
    fn root(names: &Names, private: &TokenStream) -> Self {
        let must_use = "the tasks of a tree run once it does, with `run`, `run_until` or `start`";
        Self {
            name: names.root(),
            tasks: names.of("Tasks"),
            groups: names.of("Groups"),
            suffix: String::new(),
            handle: format_ident!("tree"),
            target: quote!(#private::Tree),
            cfgs: names.cfgs(),
            attribute: Some(quote!(#[must_use = #must_use])),
            title: "{}".to_owned(),
            slots: None,
        }
    }

    fn group(label: &str, suffix: String, cfgs: Vec<Attribute>, names: &Names, private: &TokenStream) -> Self {
        Self {
            name: names.of(&format!("Group{suffix}")),
            tasks: names.of(&format!("TasksOf{suffix}")),
            groups: names.of(&format!("GroupsOf{suffix}")),
            suffix,
            handle: format_ident!("group"),
            target: quote!(#private::GroupHandle),
            cfgs,
            attribute: None,
            title: format!("the group `{label}` in {{}}"),
            slots: None,
        }
    }
}

impl Handles<'_> {
    /// Adds the structs of the tree or of a group, and returns the expression that creates its value from the local of
    /// its handle.
    fn place(&mut self, place: &Place, group: &Group) -> TokenStream {
        let (names, private) = (self.names, self.private);
        let Place { name, tasks, groups, handle, .. } = place;
        let (mut task_fields, mut group_fields) = (Fields::new(names, "task"), Fields::new(names, "group"));
        for child in &group.children {
            let cfgs = [&*place.cfgs, &child.cfgs].concat();
            let child_name = child.name();
            match &child.kind {
                ChildKind::Spread(_) => {}
                ChildKind::Task(_) => task_fields
                    .add_child(child, &cfgs, || (quote!(#private::ChildHandle), quote!(#handle.child(#child_name)))),
                ChildKind::Group(inner) => group_fields.add_child(child, &cfgs, || {
                    let suffix = self.suffix(&place.suffix, child);
                    let label = child.label.text().unwrap_or_default();
                    let place = Place::group(&label, suffix, cfgs.clone(), names, private);
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

    /// Returns the struct of the slots, if there are any.
    fn slots(&mut self, slots: &[Slot]) -> Option<Slots> {
        if slots.is_empty() {
            return None;
        }
        let (private, names) = (self.private, self.names);
        let mut fields = Fields::new(names, "slot");
        for slot in slots {
            let make = || (quote!(#private::SlotHandle), slot.handle(private));
            fields.add(&slot.name, slot.cfgs.is_empty(), &slot.cfgs, make);
        }
        let Fields { declared, values, .. } = fields;
        let (name, visibility, cfgs) = (names.of("Slots"), names.visibility(), names.cfgs());
        let doc = names.doc("A handle for each slot of {}.");
        self.items.extend(quote! {
            #(#cfgs)*
            #doc
            #[derive(::core::fmt::Debug)]
            #visibility struct #name { #(#declared),* }
        });
        Some(Slots { declared: quote!(#doc pub slots: #name,), value: quote!(slots: #name { #(#values),* },) })
    }

    fn add_structs(&mut self, place: &Place, task_fields: &Fields<'_>, group_fields: &Fields<'_>) {
        let private = self.private;
        let Place { name, tasks, groups, handle, target, cfgs, attribute, title, .. } = place;
        let (task_fields, group_fields) = (&task_fields.declared, &group_fields.declared);
        let slots = place.slots.as_ref().map(|slots| &slots.declared);
        let visibility = self.names.visibility();
        let doc = |text: &str| self.names.doc(&text.replace("TITLE", title));
        let of_place = doc("Handles for TITLE.");
        let of_tasks = doc("A handle for each task of TITLE.");
        let of_groups = doc("A handle for each group of TITLE.");
        self.items.extend(quote! {
            #(#cfgs)*
            #of_place
            #attribute
            #[derive(::core::fmt::Debug)]
            #visibility struct #name {
                #of_tasks
                pub tasks: #tasks,
                #of_groups
                pub groups: #groups,
                #slots
                #handle: #target,
            }

            #(#cfgs)*
            #of_tasks
            #[derive(::core::fmt::Debug)]
            #visibility struct #tasks { #(#task_fields),* }

            #(#cfgs)*
            #of_groups
            #[derive(::core::fmt::Debug)]
            #visibility struct #groups { #(#group_fields),* }

            #(#cfgs)*
            impl #private::Deref for #name {
                type Target = #target;

                fn deref(&self) -> &#target {
                    &self.#handle
                }
            }
        });
    }

    /// Returns `StoreReplica` for the group `replica` in `store`, with a number if that is taken.
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

/// The fields of a struct and their values.
struct Fields<'a> {
    names: &'a Names,
    noun: &'a str,
    declared: Vec<TokenStream>,
    values: Vec<TokenStream>,
    seen: HashSet<String>,
}

impl<'a> Fields<'a> {
    fn new(names: &'a Names, noun: &'a str) -> Self {
        Self { names, noun, declared: Vec::new(), values: Vec::new(), seen: HashSet::new() }
    }

    /// Adds a field for the child, with a type and a value, if it has a label.
    fn add_child(&mut self, child: &Child, cfgs: &[Attribute], make: impl FnOnce() -> (TokenStream, TokenStream)) {
        if let Some(label) = child.label.field() {
            self.add(label, child.cfgs.is_empty(), cfgs, make);
        }
    }

    /// An `unconditional` field is the only one of its name.
    fn add(
        &mut self,
        field: &Ident,
        unconditional: bool,
        cfgs: &[Attribute],
        make: impl FnOnce() -> (TokenStream, TokenStream),
    ) {
        let doc = self.names.doc(&format!("The {} `{}`.", self.noun, field.unraw()));
        // A repeated field was reported, unless only one is compiled.
        if !self.seen.insert(field.unraw().to_string()) && unconditional {
            return;
        }
        let (ty, value) = make();
        // As a generated name, the field may be named like a type and be unused.
        let mut field = field.clone();
        field.set_span(hygienic(field.span()));
        self.declared.push(quote!(#(#cfgs)* #doc pub #field: #ty));
        self.values.push(quote!(#(#cfgs)* #field: #value));
    }
}
