//! `supervise!(..)`: parse, check, expand.

mod build;
mod check;
mod conditional;
mod editor;
mod entry;
mod expand;
mod fleet;
mod group;
mod handles;
mod label;
mod limit;
mod names;
mod no_task;
mod order;
mod parse;
mod repeated;
mod signals;
mod slot;
mod strategy;
mod subscribers;
mod unbound;

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::{Attribute, LitStr, Path};

pub(crate) use self::names::Names;
pub(crate) use self::no_task::TYPES;
use self::slot::Slot;
pub(crate) use self::strategy::STRATEGIES;
use self::strategy::Strategy;
use self::subscribers::Subscriber;
pub(crate) use self::subscribers::option_of_subscriber;
use crate::options::Options;
use crate::reader::{Given, Reader};

/// Expands the macro to the expression of the tree.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    expand_in_place(input, None)
}

/// Returns the expression of the tree, with its structs inside. `krate` is as for [`expand_as`].
pub(crate) fn expand_in_place(input: TokenStream, krate: Option<&Path>) -> TokenStream {
    let Expanded { import, items, lets, value, .. } = expand_as(input, &Names::inner(), krate);
    // A local, so that another expected type is an error of the whole tree, and not of its parts.
    quote!({ #import #lets let declared = { #items #value }; declared })
}

/// The parts of an expansion.
pub(crate) struct Expanded {
    /// The import that all other parts need.
    pub(crate) import: TokenStream,
    /// The structs.
    pub(crate) items: TokenStream,
    /// The type of the tree.
    pub(crate) ty: TokenStream,
    /// The errors, and the user's expressions in the written order. They come first, where the structs are not in scope
    /// yet if they are items of the expression.
    pub(crate) lets: TokenStream,
    /// The tree.
    pub(crate) value: TokenStream,
}

/// Returns the parts, with structs of these names. `krate` is the path of taskvisor if the declaration has none.
pub(crate) fn expand_as(input: TokenStream, names: &Names, krate: Option<&Path>) -> Expanded {
    let mut reader = Reader::default();
    let mut declaration = Declaration::parse(input.clone(), &mut reader);
    declaration.krate = declaration.krate.or_else(|| krate.cloned());
    check::check(&declaration, &mut reader.errors);
    let conditional = conditional::expand(&mut declaration);
    let expanded = expand::expand(input, &declaration, names, &reader);
    let lets = &expanded.lets;
    Expanded { lets: quote!(#conditional #lets), ..expanded }
}

/// Returns the keys of the macro, and the options of `group(..)`, of a limit, of `slot(..)` and of `signals(..)`.
#[cfg(test)]
pub(crate) fn names() -> [Vec<&'static str>; 5] {
    [parse::names(), group::names(), strategy::names(), slot::names(), signals::names()]
}

/// Returns the messages about the fleet in a build without the feature.
#[cfg(test)]
pub(crate) fn without_fleet(input: TokenStream) -> Vec<String> {
    let mut reader = Reader::default();
    let declaration = Declaration::parse(input, &mut reader);
    fleet::check(&declaration, false, &mut reader.errors);
    reader.errors.messages()
}

/// A declared tree.
#[derive(Default)]
struct Declaration {
    krate: Option<Path>,
    name: Option<Given<LitStr>>,
    /// The local of the config, and the `#[cfg(..)]` of its key.
    config: Option<(Ident, Vec<Attribute>)>,
    grace: Option<Given<Duration>>,
    drain: Option<Given<Duration>>,
    max_concurrent: Option<Given<usize>>,
    max_starting: Option<Given<usize>>,
    signals: signals::Signals,
    defaults: Option<(Options, Vec<Attribute>)>,
    subscribers: Vec<Subscriber>,
    /// The key of the controller's config, its local, and the `#[cfg(..)]` of the key.
    controller: Option<(Ident, Ident, Vec<Attribute>)>,
    /// The local of the overrides, and the `#[cfg(..)]` of their key.
    overrides: Option<(Ident, Vec<Attribute>)>,
    fleet: Option<fleet::Fleet>,
    limits: Vec<limit::Limit>,
    slots: Vec<Slot>,
    slots_key: Option<Ident>,
    root: Group,
    /// `true` if a part of the invocation could not be read, which may contain a missing key.
    is_partial: bool,
}

/// The children of the tree or of a `group(..)`, and their strategy.
#[derive(Default)]
pub(super) struct Group {
    strategy: Option<Strategy>,
    children: Vec<Child>,
}

/// The declaration of one entry of `tasks`.
struct Child {
    label: Label,
    kind: ChildKind,
    options: Options,
    /// The type of a struct literal, if it can have a `NAME`.
    literal_type: Option<Path>,
    /// The fields of a struct literal that have the name of an option.
    like_options: Vec<Ident>,
    /// The tokens of an entry without a label.
    unlabeled: Option<TokenStream>,
    /// `true` in a list that was refused.
    is_guess: bool,
    /// The `#[cfg(..)]` before the entry.
    cfgs: Vec<Attribute>,
    /// The doc comments before the entry, which its handle gets.
    docs: Vec<Attribute>,
}

enum ChildKind {
    /// The local of the spec; `None` if the entry could not be read, which was reported.
    Task(Option<Ident>),
    Group(Box<Group>),
    /// `label = group(value, ..)`: the local of the group.
    GroupValue(Ident),
    /// `..iterator`: the local of its specs.
    Spread(Ident),
}

/// The name of a child in the tree.
enum Label {
    /// `label = entry`: the field, and the name.
    Given(Ident),
    /// The field has the name of the entry; the task keeps its own name.
    Derived(Ident),
    /// No field.
    None,
}

impl Label {
    fn field(&self) -> Option<&Ident> {
        match self {
            Self::Given(label) | Self::Derived(label) => Some(label),
            Self::None => None,
        }
    }

    /// Returns the label as text, by which labels are compared.
    fn text(&self) -> Option<String> {
        self.field().map(|field| field.unraw().to_string())
    }
}

impl Child {
    /// Returns the local of the name of a task whose spec has the name.
    fn name_local(&self) -> Option<Ident> {
        match (&self.label, &self.kind) {
            (Label::Derived(_), ChildKind::Task(Some(spec))) => {
                let number = spec.to_string().trim_start_matches("value").to_owned();
                Some(format_ident!("name{number}", span = proc_macro2::Span::mixed_site()))
            }
            _ => None,
        }
    }

    /// Returns the expression of the name of a child with a label.
    fn name(&self) -> TokenStream {
        let written = self.label.text();
        self.name_local().map_or_else(|| quote!(#written), |local| quote!(&#local))
    }
}
