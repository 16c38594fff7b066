//! `supervise!(..)`: parse, check, expand.

mod check;
mod entry;
mod expand;
mod parse;

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use syn::{Attribute, LitStr, Path};

use crate::options::Options;
use crate::reader::{Given, Reader};

/// The whole of the macro: an expression that is the tree.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let mut reader = Reader::default();
    let declaration = Declaration::parse(input, &mut reader);
    check::check(&declaration, &mut reader.errors);
    expand::expand(&declaration, &reader)
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
    children: Vec<Child>,
}

struct Subscriber {
    /// The local that holds it.
    value: Ident,
    cfgs: Vec<Attribute>,
}

/// What one entry of `tasks` declares.
struct Child {
    kind: ChildKind,
    /// `#[cfg(..)]` before the entry.
    cfgs: Vec<Attribute>,
}

enum ChildKind {
    Task(Box<Entry>),
    /// `..iterator`: the local that holds its specs.
    Spread(Ident),
}

/// A task of the tree.
struct Entry {
    label: Label,
    /// The local that holds the spec; none if the entry could not be read, which was reported.
    spec: Option<Ident>,
    options: Options,
}

/// What the task is called in the tree.
enum Label {
    /// `label = entry`: the field, and the name of the task.
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
}
