//! Expands the declaration to the expression of the tree, and to its structs.

use quote::quote;

use super::{Declaration, Expanded, Names, build, handles, repeated};
use crate::reader::Reader;
use crate::{bindings, path};

pub(super) fn expand(declaration: &Declaration, names: &Names, reader: &Reader) -> Expanded {
    let private = names.private();
    let (cfgs, path) = (names.cfgs(), path::private(declaration.krate.as_ref()));
    let errors = reader.errors.to_compile_errors();
    // The import beside the structs under the name that the statements use.
    let inner = path::alias();
    let again = names.is_beside().then(|| quote!(use #private as #inner;));
    let lets = bindings::expand(&reader.bindings, &inner);
    let statements = build::expand(declaration, &inner);
    let handles::Handles { items, ty, value } = handles::expand(declaration, names, private);
    let checks = reader.errors.is_empty().then(|| repeated::expand(&declaration.root, &[], &inner));
    Expanded {
        import: quote!(#(#cfgs)* use #path as #private;),
        items,
        ty,
        lets: quote!(#errors #again #checks #lets),
        value: quote!({
            #statements
            let tree = builder.build();
            #value
        }),
    }
}
