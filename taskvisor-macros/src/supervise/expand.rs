//! Expands the declaration to the expression of the tree, and to its structs.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Declaration, Expanded, Names, build, editor, handles, repeated, unbound};
use crate::echo::is_editor;
use crate::reader::Reader;
use crate::{bindings, path};

pub(super) fn expand(input: TokenStream, declaration: &Declaration, names: &Names, reader: &Reader) -> Expanded {
    let private = names.private();
    let echo = reader.echo.expand(declaration.krate.as_ref());
    let (cfgs, path) = (names.cfgs(), path::private(declaration.krate.as_ref()));
    // The compiler checks no borrows in a function with an error in its body, so errors stand in an item of their own.
    let mut errors = reader.errors.to_compile_errors();
    if !errors.is_empty() && !unbound::may_leave_out(input, &reader.bindings) {
        errors = quote!(const _: () = { #errors };);
    }
    // The import beside the structs under the name that the statements use.
    let inner = path::alias();
    let again = names.is_beside().then(|| quote!(use #private as #inner;));
    let lets = bindings::expand(&reader.bindings, &inner);
    let [labels, after] = editor::labels(declaration);
    let statements = build::expand(declaration, &inner);
    let handles::Handles { items, ty, value } = handles::expand(declaration, names, private);
    let checks = repeated::expand(&declaration.root, &inner);
    Expanded {
        import: quote!(#echo #(#cfgs)* use #path as #private;),
        items,
        ty,
        lets: if is_editor() {
            // The names and expressions first, because an editor looks for them by their offsets.
            quote!(#after #again #lets #errors #checks #labels)
        } else {
            quote!(#errors #again #checks #lets)
        },
        value: quote!({
            #statements
            let tree = builder.build();
            #value
        }),
    }
}
