//! The options that only groups have: `max_concurrent`, `max_starting`, `dynamic` and `fresh`.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Expr, Lit};

use super::{Options, lower, plain};
use crate::argument::{as_ident, peel};
use crate::errors::Errors;
use crate::reader::{Given, Purpose, Reader, Words};
use crate::table::{Key, Read};

/// The options that only groups have.
#[derive(Default)]
pub(crate) struct OfGroup {
    /// How many attempts run at a time.
    pub(crate) max_concurrent: Option<Given<usize>>,
    /// How many tasks start at a time.
    max_starting: Option<Given<usize>>,
    dynamic: Option<Given<Dynamic>>,
    /// The key, and the local of a function that sets what makes the children.
    pub(crate) fresh: Option<(Ident, Ident)>,
}

/// What becomes of added tasks at a restart of the group.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dynamic {
    Keep,
    Drop,
}

impl Dynamic {
    const WORDS: Words<Self> = Words {
        module: "words_of_dynamic",
        list: &["`dynamic`"],
        known: &[("keep", Self::Keep), ("drop", Self::Drop)],
        is_flag: false,
    };
}

impl<T: AsMut<Options>> Key<T> {
    pub(crate) const MAX_CONCURRENT: Self = Self::new(
        "max_concurrent",
        "max_concurrent = 4",
        Read::Usize(|target| &mut target.as_mut().of_group.max_concurrent),
    );
    pub(crate) const MAX_STARTING: Self =
        Self::new("max_starting", "max_starting = 8", Read::Usize(|target| &mut target.as_mut().of_group.max_starting));
    pub(crate) const DYNAMIC: Self = Self::new(
        "dynamic",
        "dynamic = \"drop\"",
        Read::Value(|target, key, value, reader| {
            let word = reader.word(key, value, &Dynamic::WORDS, Purpose::Dynamic);
            target.as_mut().of_group.dynamic = Some(Given::new(key, word));
        }),
    );
    pub(crate) const FRESH: Self = Self::new(
        "fresh",
        "fresh = make",
        Read::Value(|target, key, value, reader| {
            target.as_mut().of_group.fresh = parse_fresh(key, value, reader).map(|local| (key.clone(), local));
        }),
    );
}

/// Returns the local of a function that sets it.
fn parse_fresh(key: &Ident, value: &Expr, reader: &mut Reader) -> Option<Ident> {
    if reader.is_unreadable(value) {
        return None;
    }
    let message = match peel(value) {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) if syn::parse_str(&text.value()).is_ok_and(|written| as_ident(&written).is_some()) => {
                format!("`{key}` is a function, without quotes: write `{key} = {}`", text.value())
            }
            _ => format!("`{key}` is a function that makes the tasks of the group: write for example `{key} = make`"),
        },
        Expr::Async(_) => format!("`{key}` is called at each start of the group: write `{key} = || async {{ .. }}`"),
        Expr::Macro(call) if call.mac.path.is_ident("vec") => list_is_no_maker(key),
        Expr::Array(_) => list_is_no_maker(key),
        _ => return Some(reader.bind(Purpose::Maker, value)),
    };
    reader.errors.push(value, message);
    None
}

fn list_is_no_maker(key: &Ident) -> String {
    format!("`{key}` makes the tasks at each start: write `{key} = || async {{ Ok([..]) }}`")
}

impl OfGroup {
    /// Returns the group with the options.
    pub(crate) fn of(&self, group: &TokenStream, private: &TokenStream) -> TokenStream {
        let max_concurrent = plain(self.max_concurrent.as_ref()).map(|number| quote!(.with_max_concurrent(#number)));
        let max_starting = max_starting(self.max_starting.as_ref());
        let dynamic = lower(self.dynamic.as_ref(), |dynamic| match dynamic {
            Dynamic::Keep => quote!(#private::Dynamic::Keep),
            Dynamic::Drop => quote!(#private::Dynamic::Drop),
        });
        let dynamic = dynamic.map(|dynamic| quote!(.with_dynamic(#dynamic)));
        let group = quote!(#group #max_concurrent #max_starting #dynamic);
        self.fresh.as_ref().map_or_else(|| group.clone(), |(_, setter)| quote!(#setter(#group)))
    }

    /// Reports limits of zero.
    pub(crate) fn check(&self, errors: &mut Errors) {
        if let Some((0, at)) = self.max_concurrent.as_ref().and_then(Given::known) {
            errors.push(at, "`max_concurrent` of a group must be at least 1: with 0, none of its tasks could run");
        }
        check_max_starting(self.max_starting.as_ref(), errors);
    }
}

/// Returns `.with_max_starting(8)`, if it is given.
pub(crate) fn max_starting(given: Option<&Given<usize>>) -> Option<TokenStream> {
    plain(given).map(|number| quote!(.with_max_starting(#number)))
}

pub(crate) fn check_max_starting(given: Option<&Given<usize>>, errors: &mut Errors) {
    if let Some((0, at)) = given.and_then(Given::known) {
        errors.push(at, "`max_starting` must be at least 1: with 0, no task could start");
    }
}
