//! The declaration as calls of the public builder, and a struct with a handle for each task.

use std::collections::HashSet;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;

use super::{Child, ChildKind, Declaration, Entry, Label};
use crate::options::{duration, plain};
use crate::reader::Reader;
use crate::{bindings, path};

/// An expression that is the tree. The user's expressions come first, where none of our items is
/// in scope.
pub(super) fn expand(declaration: &Declaration, reader: &Reader) -> TokenStream {
    let private = path::private(declaration.krate.as_ref());
    let errors = reader.errors.to_compile_errors();
    let lets = bindings::expand(&reader.bindings, &private);
    let config = config(declaration, &private);
    let name = plain(declaration.name.as_ref()).map(|name| quote!(.name(#name)));
    let subscribers = declaration.subscribers.iter().map(|subscriber| {
        let (value, cfgs) = (&subscriber.value, &subscriber.cfgs);
        quote!(#(#cfgs)* let builder = builder.subscriber(#value);)
    });
    let Children { fields, statements, handles } = Children::expand(&declaration.children, &private);
    let types = types(&fields, &private);
    quote!({
        #errors
        #lets
        {
            #types
            #config
            let builder = #private::Tree::builder(config) #name;
            #(#subscribers)*
            #statements
            let tree = builder.build();
            Tree {
                tasks: Tasks { #(#handles),* },
                tree,
            }
        }
    })
}

/// The struct that the macro returns, and the one that holds its handles.
fn types(fields: &[TokenStream], private: &TokenStream) -> TokenStream {
    quote! {
        #[must_use = "the tasks of a tree run once it does, with `run`, `run_until` or `start`"]
        #[derive(::core::fmt::Debug)]
        struct Tree {
            pub tasks: Tasks,
            tree: #private::Tree,
        }

        #[derive(::core::fmt::Debug)]
        struct Tasks { #(#fields),* }

        impl #private::Deref for Tree {
            type Target = #private::Tree;

            fn deref(&self) -> &#private::Tree {
                &self.tree
            }
        }
    }
}

/// The config, with the keys that override fields of it.
fn config(declaration: &Declaration, private: &TokenStream) -> TokenStream {
    let config = declaration.config.as_ref().map_or_else(
        || quote!(<#private::SupervisorConfig as #private::Default>::default()),
        ToTokens::to_token_stream,
    );
    let fields = [
        (quote!(grace), duration(declaration.grace.as_ref(), private)),
        (quote!(drain), duration(declaration.drain.as_ref(), private)),
        (quote!(max_concurrent), plain(declaration.max_concurrent.as_ref())),
        (quote!(signals), plain(declaration.signals.as_ref())),
    ];
    let mut assignments: TokenStream = fields
        .iter()
        .filter_map(|(field, value)| value.as_ref().map(|value| quote!(config.#field = #value;)))
        .collect();
    if let Some(defaults) = &declaration.defaults {
        assignments.extend(defaults.assignments(&quote!(config), private));
    }
    let mutable = (!assignments.is_empty()).then(|| quote!(mut));
    quote! {
        let #mutable config = #config;
        #assignments
    }
}

/// The children, each as statements and, if it has a name in the tree, as a field.
#[derive(Default)]
struct Children {
    fields: Vec<TokenStream>,
    statements: TokenStream,
    handles: Vec<TokenStream>,
}

impl Children {
    fn expand(children: &[Child], private: &TokenStream) -> Self {
        let mut expanded = Self::default();
        let mut seen = HashSet::new();
        for (position, Child { kind, cfgs }) in children.iter().enumerate() {
            match kind {
                ChildKind::Spread(specs) => expanded.statements.extend(quote! {
                    #(#cfgs)*
                    let builder = builder.tasks(#specs);
                }),
                ChildKind::Task(entry) => {
                    let name = expanded.task(position, entry, cfgs, private);
                    let Some(field) = entry.label.field() else {
                        continue;
                    };
                    // A repeated field was reported, unless only one of them is compiled.
                    if seen.insert(field.unraw().to_string()) || !cfgs.is_empty() {
                        expanded.field(field, &name, cfgs, private);
                    }
                }
            }
        }
        expanded
    }

    /// Adds the task to the builder, and gives the expression for its name.
    fn task(&mut self, position: usize, entry: &Entry, cfgs: &[syn::Attribute], private: &TokenStream) -> TokenStream {
        let written = entry.label.field().map(|field| field.unraw().to_string());
        let Some(spec) = &entry.spec else {
            return quote!(#written);
        };
        let setters = entry.options.setters(private);
        let with_name = match (&entry.label, plain(entry.options.name.as_ref())) {
            (Label::Given(_), _) => Some(quote!(.with_name(#written))),
            (_, Some(name)) => Some(quote!(.with_name(#name))),
            (_, None) => None,
        };
        let name = quote::format_ident!("name{position}");
        let keep_name = matches!(entry.label, Label::Derived(_)).then(|| {
            quote! {
                #(#cfgs)*
                let #name = <#private::String as #private::From<&#private::str>>::from(
                    #private::TaskSpec::name(&spec),
                );
            }
        });
        self.statements.extend(quote! {
            #(#cfgs)*
            let spec = #spec #with_name #setters;
            #keep_name
            #(#cfgs)*
            let builder = builder.task(spec);
        });
        match entry.label {
            Label::Derived(_) => quote!(&#name),
            Label::Given(_) | Label::None => quote!(#written),
        }
    }

    fn field(&mut self, field: &Ident, name: &TokenStream, cfgs: &[syn::Attribute], private: &TokenStream) {
        // As one that a macro made, the field may be named like a type, and go unused.
        let mut field = field.clone();
        field.set_span(path::hygienic(field.span()));
        self.fields.push(quote!(#(#cfgs)* pub #field: #private::ChildHandle));
        self.handles.push(quote!(#(#cfgs)* #field: tree.child(#name)));
    }
}
