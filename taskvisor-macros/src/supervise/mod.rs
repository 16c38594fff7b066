//! `supervise!(..)`: parse, check, expand.

mod build;
mod check;
mod conditional;
mod entry;
mod expand;
mod group;
mod handles;
mod names;
mod order;
mod parse;
mod repeated;
mod slot;
mod strategy;

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::{Attribute, LitStr, Path};

pub(crate) use self::names::Names;
use self::slot::Slot;
use self::strategy::Strategy;
use crate::options::Options;
use crate::reader::{Given, Reader};

/// The whole of the macro: an expression that is the tree.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let Expanded { items, lets, value } = expand_as(input, &Names::inner(), None);
    quote!({ #lets { #items #value } })
}

/// What a declaration comes to.
pub(crate) struct Expanded {
    /// The structs.
    pub(crate) items: TokenStream,
    /// The errors, and the user's expressions in the order written. They come first, where the structs are not yet in
    /// scope if they are items of the expression.
    pub(crate) lets: TokenStream,
    /// The tree.
    pub(crate) value: TokenStream,
}

/// The parts, with structs of these names. `krate` is where taskvisor is, if the declaration does not say.
pub(crate) fn expand_as(input: TokenStream, names: &Names, krate: Option<&Path>) -> Expanded {
    let mut reader = Reader::default();
    let mut declaration = Declaration::parse(input, &mut reader);
    declaration.krate = declaration.krate.or_else(|| krate.cloned());
    check::check(&declaration, &mut reader.errors);
    let conditional = conditional::expand(&mut declaration);
    let Expanded { items, lets, value } = expand::expand(&declaration, names, &reader);
    Expanded { items, lets: quote!(#conditional #lets), value }
}

/// The keys of the macro, and the options of `group(..)`, of a limit and of `slot(..)`.
#[cfg(test)]
pub(crate) fn names() -> [Vec<&'static str>; 4] {
    [parse::names(), group::names(), strategy::names(), slot::names()]
}

/// A tree as declared.
#[derive(Default)]
struct Declaration {
    krate: Option<Path>,
    name: Option<Given<LitStr>>,
    /// The local that holds the config.
    config: Option<Ident>,
    grace: Option<Given<Duration>>,
    drain: Option<Given<Duration>>,
    max_concurrent: Option<Given<usize>>,
    signals: Option<Given<bool>>,
    defaults: Option<Options>,
    subscribers: Vec<Subscriber>,
    /// The local that holds the controller's config, and its key.
    controller: Option<(Ident, Ident)>,
    slots: Vec<Slot>,
    slots_key: Option<Ident>,
    root: Group,
}

struct Subscriber {
    /// The local that holds it.
    value: Ident,
    cfgs: Vec<Attribute>,
}

/// What is in the tree itself or in a `group(..)`, and who restarts with whom.
#[derive(Default)]
pub(super) struct Group {
    strategy: Option<Strategy>,
    children: Vec<Child>,
}

/// What one entry of `tasks` declares.
struct Child {
    label: Label,
    kind: ChildKind,
    options: Options,
    /// The type that the entry is a struct literal of, if that may have a `NAME`.
    literal_type: Option<Path>,
    /// `#[cfg(..)]` before the entry.
    cfgs: Vec<Attribute>,
}

enum ChildKind {
    /// The local that holds the spec; none if the entry could not be read, which was reported.
    Task(Option<Ident>),
    Group(Group),
    /// `..iterator`: the local that holds its specs.
    Spread(Ident),
}

/// What a child is called in the tree.
enum Label {
    /// `label = entry`: the field, and the name.
    Given(Ident),
    /// The field is named after the entry, the task keeps its name.
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

    /// The label as text, which is how labels compare.
    fn text(&self) -> Option<String> {
        self.field().map(|field| field.unraw().to_string())
    }
}

impl Child {
    /// The local that keeps the name of a task that has its name from its spec.
    fn name_local(&self) -> Option<Ident> {
        match (&self.label, &self.kind) {
            (Label::Derived(_), ChildKind::Task(Some(spec))) => {
                Some(format_ident!("name_of_{spec}", span = proc_macro2::Span::mixed_site()))
            }
            _ => None,
        }
    }

    /// The expression for the name that a child with a label is registered under.
    fn name(&self) -> TokenStream {
        let written = self.label.text();
        self.name_local().map_or_else(|| quote!(#written), |local| quote!(&#local))
    }
}
