//! The declaration as an expression that is the tree.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Declaration, build, handles, names};
use crate::reader::Reader;
use crate::{bindings, path};

/// The user's expressions come first, where none of our items is in scope.
pub(super) fn expand(declaration: &Declaration, reader: &Reader) -> TokenStream {
    let private = path::private(declaration.krate.as_ref());
    let errors = reader.errors.to_compile_errors();
    let lets = bindings::expand(&reader.bindings, &private);
    let statements = build::expand(declaration, &private);
    let (items, value) = handles::expand(declaration, &private);
    let checks = reader.errors.is_empty().then(|| names::expand(&declaration.root, &[], &private));
    quote!({
        #errors
        #checks
        #lets
        {
            #items
            #statements
            let tree = builder.build();
            #value
        }
    })
}
