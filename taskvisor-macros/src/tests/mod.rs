//! Tests of the parsers and checks, on token streams.

#[cfg(all(feature = "controller", feature = "fleet"))]
mod advice;
#[cfg(all(feature = "controller", feature = "fleet"))]
mod checks;
mod compared;
mod docs;
mod editor;
mod fuzz;
mod generated;
#[cfg(all(feature = "controller", feature = "fleet"))]
mod lists;
#[cfg(all(feature = "controller", feature = "fleet"))]
mod mended;
mod mistakes;
mod options;
#[cfg(all(feature = "controller", feature = "fleet"))]
mod refused;
mod subscriber;
mod supervise;
mod supervisor;
mod synonyms;
mod task;
#[cfg(all(feature = "controller", feature = "fleet"))]
mod told;
mod twice;
mod typing;
#[cfg(all(feature = "controller", feature = "fleet"))]
mod ui;

use proc_macro2::TokenStream;

/// The messages of the errors in an expansion, in order.
fn messages(expanded: &TokenStream) -> Vec<String> {
    let tokens = flatten(expanded.clone());
    tokens
        .iter()
        .zip(tokens.iter().skip(2))
        .filter(|(name, _)| *name == "compile_error")
        .filter_map(|(_, literal)| syn::parse_str::<syn::LitStr>(literal).ok())
        .map(|literal| literal.value())
        .collect()
}

/// The tokens as text, without their groups.
fn flatten(tokens: TokenStream) -> Vec<String> {
    tokens
        .into_iter()
        .flat_map(|tree| match tree {
            proc_macro2::TokenTree::Group(group) => flatten(group.stream()),
            tree => vec![tree.to_string()],
        })
        .collect()
}
