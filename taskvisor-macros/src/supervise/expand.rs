//! Expands the declaration to the expression of the tree, and to its structs.

use quote::quote;

use super::{Declaration, Expanded, Names, build, handles, repeated};
use crate::reader::Reader;
use crate::{bindings, path};

pub(super) fn expand(declaration: &Declaration, names: &Names, reader: &Reader) -> Expanded {
    let private = path::private(declaration.krate.as_ref());
    let errors = reader.errors.to_compile_errors();
    let lets = bindings::expand(&reader.bindings, &private);
    let statements = build::expand(declaration, &private);
    let (items, value) = handles::expand(declaration, names, &private);
    let checks = reader.errors.is_empty().then(|| repeated::expand(&declaration.root, &[], &private));
    Expanded {
        items,
        lets: quote!(#errors #checks #lets),
        value: quote!({
            #statements
            let tree = builder.build();
            #value
        }),
    }
}
