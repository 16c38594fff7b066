//! Expands the declaration to calls of the public builder.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::Attribute;

use super::{Child, ChildKind, Declaration, Group, Label, Slot, Strategy, order, slot};
use crate::options::{duration, plain};

/// Returns statements that bind `builder`, with all parts of the tree.
pub(super) fn expand(declaration: &Declaration, private: &TokenStream) -> TokenStream {
    let config = config(declaration, private);
    let name = plain(declaration.name.as_ref()).map(|name| quote!(.with_name(#name)));
    let strategy = declaration.root.strategy.as_ref().map(|strategy| {
        let (variant, limit) = (Strategy::variant(Some(strategy), private), strategy.limit(private));
        quote!(.with_strategy(#variant) #limit)
    });
    let subscribers = declaration.subscribers.iter().map(|subscriber| {
        let (value, cfgs) = (&subscriber.value, &subscriber.cfgs);
        let builder = if subscriber.is_spread {
            quote!(#private::IntoIterator::into_iter(#value).fold(builder, #private::TreeBuilder::with_subscriber))
        } else {
            quote!(builder.with_subscriber(#value))
        };
        quote!(#(#cfgs)* let builder = #builder;)
    });
    let slots = slot::expand(declaration, private);
    let builder = Ident::new("builder", Span::call_site());
    let children = Children { parent: &builder, depth: 0, cfgs: &[], slots: &declaration.slots, private };
    let children = children.expand(&declaration.root);
    quote! {
        #config
        let #builder = #private::Tree::builder(config) #name #strategy;
        #(#subscribers)*
        #slots
        #children
    }
}

/// Returns the config, with the keys that override its fields.
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

/// Returns the statements that add children to `parent`. They are side by side at any depth of groups, so that the
/// names that they bind are in scope for the following statements.
struct Children<'a> {
    parent: &'a Ident,
    depth: usize,
    /// The `#[cfg(..)]` of the groups around.
    cfgs: &'a [Attribute],
    /// The slots that they can be after.
    slots: &'a [Slot],
    private: &'a TokenStream,
}

impl Children<'_> {
    fn expand(&self, group: &Group) -> TokenStream {
        let Self { parent, private, .. } = self;
        let mut statements = TokenStream::new();
        for (position, child) in group.children.iter().enumerate() {
            let cfgs = [self.cfgs, &child.cfgs].concat();
            let after = order::names(&group.children, position, self.slots, private);
            statements.extend(match &child.kind {
                ChildKind::Task(None) => continue,
                ChildKind::Task(Some(spec)) => self.task(child, spec, after, &cfgs),
                ChildKind::Group(group) => self.group(child, group, after, &cfgs),
                ChildKind::Spread(specs) => quote!(#(#cfgs)* let #parent = #parent.tasks(#specs);),
            });
        }
        statements
    }

    fn task(&self, child: &Child, spec: &Ident, after: Option<TokenStream>, cfgs: &[Attribute]) -> TokenStream {
        let Self { parent, private, .. } = self;
        let name = match child.label {
            Label::Given(_) => Some(child.name()),
            Label::Derived(_) | Label::None => plain(child.options.name.as_ref()),
        };
        let with_name = name.map(|name| quote!(.with_name(#name)));
        let with_options = child.options.of_task(quote!(#spec #with_name), private);
        let with_after = after.map(|after| quote!(.with_after(#after)));
        let keep_name = child.name_local().map(|local| {
            quote! {
                #(#cfgs)*
                let #local = #private::name_in(&spec);
            }
        });
        quote! {
            #(#cfgs)*
            let spec = #with_options #with_after;
            #keep_name
            #(#cfgs)*
            let #parent = #parent.task(spec);
        }
    }

    fn group(&self, child: &Child, group: &Group, after: Option<TokenStream>, cfgs: &[Attribute]) -> TokenStream {
        let Self { parent, depth, private, .. } = self;
        let local = format_ident!("group{depth}");
        let name = child.label.text().unwrap_or_default();
        let strategy = Strategy::variant(group.strategy.as_ref(), private);
        let limit = group.strategy.as_ref().and_then(|strategy| strategy.limit(private));
        let group_with_options = quote!(#private::Group::new(#name, #strategy) #limit);
        let group_with_options = child.options.of_group(group_with_options, private);
        let after = after.map(|after| quote!(.with_after(#after)));
        let children = Children { parent: &local, depth: depth + 1, cfgs, slots: &[], private }.expand(group);
        quote! {
            #(#cfgs)*
            let #local = #group_with_options #after;
            #children
            #(#cfgs)*
            let #parent = #parent.group(#local);
        }
    }
}
