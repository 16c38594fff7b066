//! Generates the structs with a typed handle for each task, group and slot.

use std::collections::HashSet;

use proc_macro2::{Delimiter, Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::{Attribute, Token};

use super::{Child, ChildKind, Declaration, Group, Names, Slot, editor};
use crate::path::{self, hygienic};

/// The handles of a tree.
pub(super) struct Handles {
    /// The structs.
    pub(super) items: TokenStream,
    /// The type of the tree.
    pub(super) ty: TokenStream,
    /// The expression of the tree, from the local `tree`.
    pub(super) value: TokenStream,
}

pub(super) fn expand(declaration: &Declaration, names: &Names, private: &TokenStream) -> Handles {
    let mut items = Items { names, private, structs: TokenStream::new(), taken: HashSet::new() };
    let root = Place {
        tasks: names.of("Tasks"),
        groups: names.of("Groups"),
        suffix: String::new(),
        handle: quote!(tree),
        cfgs: names.cfgs(),
        title: "{}".to_owned(),
    };
    let Fielded { types: [tasks, groups], values } = items.place(&root, &declaration.root);
    let (slots, slot_values) = items.slots(&declaration.slots, &declaration.root.children);
    let inner = path::alias();
    Handles {
        items: items.structs,
        ty: quote!(#private::DeclaredTree<#tasks, #groups, #slots>),
        value: quote!(#inner::DeclaredTree::new(#values #slot_values, tree)),
    }
}

struct Items<'a> {
    names: &'a Names,
    private: &'a TokenStream,
    structs: TokenStream,
    /// The used suffixes.
    taken: HashSet<String>,
}

/// The tree or a group: the names and docs of its structs.
struct Place {
    tasks: Ident,
    groups: Ident,
    /// The suffix of the names of its structs.
    suffix: String,
    /// The local of its handle.
    handle: TokenStream,
    /// The `#[cfg(..)]` of its entry and of the groups around it.
    cfgs: Vec<Attribute>,
    /// Its description for docs.
    title: String,
}

/// The types of `tasks` and `groups`, and their values.
struct Fielded {
    types: [TokenStream; 2],
    values: TokenStream,
}

impl Items<'_> {
    /// Adds the structs of the tree or of a group.
    fn place(&mut self, place: &Place, group: &Group) -> Fielded {
        let (names, private, handle) = (self.names, self.private, &place.handle);
        let (mut tasks, mut groups) = (Fields::new(names, "task"), Fields::new(names, "group"));
        for child in &group.children {
            let cfgs = [&*place.cfgs, &child.cfgs].concat();
            let name = child.name();
            match &child.kind {
                ChildKind::Spread(_) => {}
                ChildKind::Task(_) => {
                    tasks.add_child(child, &cfgs, || (quote!(#private::ChildHandle), quote!(#handle.child(#name))));
                }
                ChildKind::GroupValue(_) => {
                    groups.add_child(child, &cfgs, || (quote!(#private::GroupHandle), quote!(#handle.group(#name))));
                }
                ChildKind::Group(inner) => {
                    groups.add_child(child, &cfgs, || self.group(place, child, inner, cfgs.clone()));
                }
            }
        }
        let children = &group.children;
        let tasks = self.item(
            &place.tasks,
            &place.cfgs,
            tasks,
            children,
            &format!("A handle for each task of {}.", place.title),
        );
        let groups = self.item(
            &place.groups,
            &place.cfgs,
            groups,
            children,
            &format!("A handle for each group of {}.", place.title),
        );
        let ((tasks, task_values), (groups, group_values)) = (tasks, groups);
        Fielded { types: [tasks, groups], values: quote!(#task_values, #group_values,) }
    }

    /// Returns the type of a group and its value, from the local of the handle around it.
    fn group(
        &mut self,
        outer: &Place,
        child: &Child,
        group: &Group,
        cfgs: Vec<Attribute>,
    ) -> (TokenStream, TokenStream) {
        let (private, inner, around, name) = (self.private, path::alias(), &outer.handle, child.name());
        let suffix = self.suffix(&outer.suffix, child);
        let label = child.label.text().unwrap_or_default();
        let place = Place {
            tasks: self.names.of(&format!("TasksOf{suffix}")),
            groups: self.names.of(&format!("GroupsOf{suffix}")),
            suffix,
            handle: quote!(group),
            cfgs,
            title: format!("the group `{label}` in {{}}"),
        };
        let Fielded { types: [tasks, groups], values } = self.place(&place, group);
        let ty = self.alias(&place, &quote!(#private::DeclaredGroup<#tasks, #groups>));
        let value = quote!({ let group = #around.group(#name); #inner::DeclaredGroup::new(#values group) });
        (ty, value)
    }

    /// Adds a name for the type of a group, if it can be named outside.
    fn alias(&mut self, place: &Place, ty: &TokenStream) -> TokenStream {
        if !self.names.is_beside() {
            return ty.clone();
        }
        let doc = self.names.doc(&format!("Handles for {}.", place.title));
        let (name, visibility, cfgs) =
            (self.names.of(&format!("Group{}", place.suffix)), self.names.visibility(), &place.cfgs);
        self.structs.extend(quote!(#(#cfgs)* #doc #visibility type #name = #ty;));
        quote!(#name)
    }

    /// Returns the type of the slots, and their values.
    fn slots(&mut self, slots: &[Slot], children: &[Child]) -> (TokenStream, TokenStream) {
        let mut fields = Fields::new(self.names, "slot");
        for slot in slots {
            let make = || {
                let private = self.private;
                (quote!(#private::SlotHandle), slot.handle(private))
            };
            fields.add(&slot.name, slot.cfgs.is_empty(), &slot.cfgs, &slot.docs, make);
        }
        self.item(&self.names.of("Slots"), &self.names.cfgs(), fields, children, "A handle for each slot of {}.")
    }

    /// Adds a struct with these fields, and returns its type and its value. Both are `()` if there are none.
    fn item(
        &mut self,
        name: &Ident,
        cfgs: &[Attribute],
        fields: Fields<'_>,
        children: &[Child],
        doc: &str,
    ) -> (TokenStream, TokenStream) {
        let Fields { labels, declared, values, shown, .. } = fields;
        if declared.is_empty() {
            return (quote!(()), quote!(()));
        }
        let (visibility, doc) = (self.names.visibility(), self.names.doc(doc));
        let private = self.private;
        let title = name.to_string();
        // At the name, where the compiler says that it is defined twice.
        let span = hygienic(name.span());
        let (structure, implementation) = (Token![struct](span), Token![impl](span));
        let mut fields = proc_macro2::Group::new(Delimiter::Brace, quote!(#(#declared),*));
        fields.set_span(span);
        self.structs.extend(quote! {
            #(#cfgs)*
            #doc
            #visibility #structure #name #fields
            #(#cfgs)*
            #[automatically_derived]
            #implementation #private::fmt::Debug for #name {
                fn fmt(&self, f: &mut #private::Formatter<'_>) -> #private::FmtResult {
                    #private::debug_fields(f, #title, &[#(#shown),*])
                }
            }
        });
        (quote!(#name), editor::with_after(quote!(#name { #(#values),* }), &labels, children))
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
    labels: Vec<Ident>,
    declared: Vec<TokenStream>,
    values: Vec<TokenStream>,
    /// The fields for `Debug`.
    shown: Vec<TokenStream>,
    seen: HashSet<String>,
}

impl<'a> Fields<'a> {
    fn new(names: &'a Names, noun: &'a str) -> Self {
        Self {
            names,
            noun,
            labels: Vec::new(),
            declared: Vec::new(),
            values: Vec::new(),
            shown: Vec::new(),
            seen: HashSet::new(),
        }
    }

    /// Adds a field for the child, with a type and a value, if it has a label.
    fn add_child(&mut self, child: &Child, cfgs: &[Attribute], make: impl FnOnce() -> (TokenStream, TokenStream)) {
        if let Some(label) = child.label.field() {
            self.add(label, child.cfgs.is_empty(), cfgs, &child.docs, make);
        }
    }

    /// An `unconditional` field is the only one of its name. Its docs are the user's, or a standard sentence.
    fn add(
        &mut self,
        field: &Ident,
        unconditional: bool,
        cfgs: &[Attribute],
        docs: &[Attribute],
        make: impl FnOnce() -> (TokenStream, TokenStream),
    ) {
        // A repeated field was reported, unless only one is compiled.
        if !self.seen.insert(field.unraw().to_string()) && unconditional {
            return;
        }
        let standard = match docs {
            [] => self.names.doc(&format!("The {} `{}`.", self.noun, field.unraw())),
            _ => None,
        };
        let (ty, value) = make();
        // As a generated name, the field may be named like a type and be unused.
        let mut field = field.clone();
        field.set_span(path::defining(field.span()));
        self.labels.push(field.clone());
        self.declared.push(quote!(#(#cfgs)* #standard #(#docs)* pub #field: #ty));
        self.values.push(quote!(#(#cfgs)* #field: #value));
        let text = field.unraw().to_string();
        self.shown.push(quote!(#(#cfgs)* (#text, &self.#field)));
    }
}
