//! Expands the declaration to calls of the public builder.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::Attribute;

use super::{Child, ChildKind, Declaration, Group, Label, Slot, Strategy, fleet, limit, order, slot};
use crate::options::{Held as _, duration, max_starting, plain};

/// Returns statements that bind `builder`, with all parts of the tree.
pub(super) fn expand(declaration: &Declaration, private: &TokenStream) -> TokenStream {
    let config = config(declaration, private);
    let name = declaration.name.as_ref().and_then(|given| {
        let (name, cfgs) = (plain(Some(given))?, &given.cfgs);
        Some(quote!(#(#cfgs)* let builder = builder.with_name(#name);))
    });
    let strategy = declaration.root.strategy.as_ref().map(|strategy| {
        let (variant, limit) = (Strategy::variant(Some(strategy), private), strategy.limit(private));
        let cfgs = &strategy.cfgs;
        quote!(#(#cfgs)* let builder = builder.with_strategy(#variant) #limit;)
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
    let starting = declaration.max_starting.as_ref().map(|given| {
        let (call, cfgs) = (max_starting(Some(given)), &given.cfgs);
        quote!(#(#cfgs)* let builder = builder #call;)
    });
    let overrides = declaration
        .overrides
        .as_ref()
        .map(|(overrides, cfgs)| quote!(#(#cfgs)* let builder = builder.with_overrides(#overrides);));
    let fleet = fleet::expand(declaration);
    let limits = limit::expand(declaration);
    let slots = slot::expand(declaration, private);
    let builder = Ident::new("builder", Span::call_site());
    let children = Children { parent: &builder, depth: 0, cfgs: &[], slots: &declaration.slots, private };
    let children = children.expand(&declaration.root);
    quote! {
        #config
        let #builder = #private::Tree::builder(config);
        #name
        #strategy
        #starting
        #(#subscribers)*
        #overrides
        #fleet
        #limits
        #slots
        #children
    }
}

/// Returns the config, with the keys that override its fields.
fn config(declaration: &Declaration, private: &TokenStream) -> TokenStream {
    let default = quote!(<#private::SupervisorConfig as #private::Default>::default());
    let config = match &declaration.config {
        None => quote!(let config = #default;),
        Some((local, cfgs)) if cfgs.is_empty() => quote!(let config = #local;),
        Some((local, cfgs)) => quote!(let config = #default; #(#cfgs)* let config = #local;),
    };
    let mut assignments = TokenStream::new();
    let mut assign = |field: &str, value: Option<TokenStream>, cfgs: Option<&Vec<Attribute>>| {
        let (field, cfgs) = (format_ident!("{field}"), cfgs.into_iter().flatten());
        assignments.extend(value.map(|value| quote!(#(#cfgs)* { config.#field = #value; })));
    };
    let Declaration { grace, drain, max_concurrent, signals, .. } = declaration;
    assign("grace", duration(grace.as_ref(), private), grace.as_ref().map(|given| &given.cfgs));
    assign("drain", duration(drain.as_ref(), private), drain.as_ref().map(|given| &given.cfgs));
    assign("max_concurrent", plain(max_concurrent.as_ref()), max_concurrent.as_ref().map(|given| &given.cfgs));
    assign("signals", signals.lower(private), Some(&signals.cfgs));
    if let Some((defaults, cfgs)) = &declaration.defaults {
        let defaults = defaults.assignments(&quote!(config), private);
        assignments.extend(if cfgs.is_empty() { defaults } else { quote!(#(#cfgs)* { #defaults }) });
    }
    let mutable = (!assignments.is_empty()).then(|| quote!(#[allow(unused_mut)] let mut config = config;));
    quote!(#config #mutable #assignments)
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
                ChildKind::GroupValue(group) => self.group_value(child, group, after, &cfgs),
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
        let spec = match after {
            Some(after) => quote!(#with_options.with_after(#after)),
            None => with_options,
        };
        let bound = child.name_local().map_or_else(
            || quote!(let #parent = #parent.task(#spec);),
            |local| quote!(let (#parent, #local) = #private::child(#parent, #spec);),
        );
        quote!(#(#cfgs)* #bound)
    }

    /// Gives the value its label as its name, and the options.
    fn group_value(&self, child: &Child, group: &Ident, after: Option<TokenStream>, cfgs: &[Attribute]) -> TokenStream {
        let Self { parent, private, .. } = self;
        let name = child.label.text().unwrap_or_default();
        let group = child.options.of_group(quote!(#group.with_name(#name)), private);
        let group = child.options.of_group.of(&group, private);
        let after = after.map(|after| quote!(.with_after(#after)));
        quote!(#(#cfgs)* let #parent = #parent.group(#group #after);)
    }

    fn group(&self, child: &Child, group: &Group, after: Option<TokenStream>, cfgs: &[Attribute]) -> TokenStream {
        let Self { parent, depth, private, .. } = self;
        let local = format_ident!("group{depth}");
        let name = child.label.text().unwrap_or_default();
        let strategy = Strategy::variant(group.strategy.as_ref(), private);
        let limit = group.strategy.as_ref().and_then(|strategy| strategy.limit(private));
        let group_with_options = quote!(#private::Group::new(#name, #strategy) #limit);
        let group_with_options = child.options.of_group(group_with_options, private);
        let group_with_options = child.options.of_group.of(&group_with_options, private);
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
