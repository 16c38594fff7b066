//! Generates the structs beside the function, and the function with the tree in place of the call.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Block, Path, ReturnType, Signature, Stmt, Token, Type};

use super::call::{self, Call, Position};
use super::returned::Returned;
use crate::errors::Errors;
use crate::function::{self, Function};
use crate::path::{hygienic, located};
use crate::supervise::{self, Expanded, Names};
use crate::twice::{self, Twice};

pub(super) fn expand(function: &Function, krate: Option<&Path>, errors: &mut Errors) -> TokenStream {
    let signature = &function.signature;
    // A `Self` in its body may be the path of the macro, which is told there.
    let is_free = function::check_free(signature, &TokenStream::new(), "supervisor", errors);
    if let Some(constant) = &signature.constness {
        errors.push(constant, "a tree is built when the program runs: leave out `const`");
    }
    let is_main = signature.ident == "main";
    if is_main {
        let message = "`main` runs the tree, and another function returns it: put `#[supervisor]` on that, as in `fn app() -> App`";
        errors.push(&signature.ident, message);
    }
    // A method without a tree is as it was written.
    let body = block(&function.body).filter(|body| is_free || Call::find(body).is_some());
    let (false, Some(body)) = (is_main, body) else {
        let function = written(function, signature, &function.body);
        return [function, errors.to_compile_errors()].into_iter().collect();
    };
    // What is said of a method is said of all of it.
    let mut of_method = Errors::default();
    let told = if is_free { &mut *errors } else { &mut of_method };
    let returned = Returned::of(signature, told);
    let body = match Call::find(&body) {
        Some(_) => body,
        None => respelled(body, told),
    };
    let (body, is_told) = without_own_type(body, &returned, told);
    let mut call = Call::find(&body);
    if !is_told {
        check_end(&body, call.as_ref(), told);
    }
    for other in call.iter_mut().flat_map(Call::divert_others) {
        let message = "a function under `#[supervisor]` has one tree: for one of several, leave out the attribute, return \
                       `Tree`, and write `supervise!(..).into()`";
        told.push(&other, message);
    }

    let twice = if is_free { twice::find(&signature.ident, returned.name()) } else { Some(Twice::Function) };
    if let Some(twice) = twice {
        let tree = of_any_type(call.as_ref(), krate);
        let (signature, body) = (with_output(signature, &returned, &tree.ty), with_tree(&body, call, &returned, &tree));
        let is_written = matches!(returned, Returned::Name(_));
        let repeated = (twice == Twice::Type && is_written).then(|| alias(function, returned.name(), &tree.ty));
        let (function, errors) = (written(function, &signature, &body), errors.to_compile_errors());
        return quote!(#repeated #function #errors);
    }
    let cfgs = function.attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect();
    let names = Names::beside(&signature.ident, returned.name(), &function.visibility, cfgs);
    let input = call.as_ref().map(|call| call.input.clone()).unwrap_or_default();
    let tree = supervise::expand_as(input, &names, krate);
    let Expanded { import, items, ty, .. } = &tree;
    let (doc, cfgs) = (names.doc("Handles for {}."), names.cfgs());
    let alias = alias(function, returned.name(), ty);
    let items = quote! {
        #import
        #(#cfgs)*
        #doc
        #alias
        #items
    };
    let function = written(function, &with_output(signature, &returned, ty), &with_tree(&body, call, &returned, &tree));
    let errors = errors.to_compile_errors();
    quote!(#items #function #errors)
}

/// Returns the alias of the type of the tree. It is located at the name, where the compiler says that it is defined twice.
fn alias(function: &Function, name: &Ident, ty: &TokenStream) -> TokenStream {
    let (visibility, at) = (&function.visibility, hygienic(name.span()));
    let (keyword, end) = (Token![type](at), Token![;](at));
    quote!(#visibility #keyword #name = #ty #end)
}

/// Returns the tree for a function that is there twice, without items beside it: its value has any type.
fn of_any_type(call: Option<&Call>, krate: Option<&Path>) -> Expanded {
    let tree = supervise::expand_in_place(call.map(|call| call.input.clone()).unwrap_or_default(), krate);
    Expanded {
        import: TokenStream::new(),
        items: TokenStream::new(),
        ty: quote!(()),
        lets: quote!(let _ = #tree;),
        value: quote!(::core::option::Option::unwrap(::core::option::Option::None)),
    }
}

/// Returns the body with the macro in place of what was certainly meant as it, which is reported.
fn respelled(body: Group, errors: &mut Errors) -> Group {
    let Some((respelled, name)) = call::respelled(&body) else { return body };
    errors.push(&name, "the tree is made by a macro: write `supervise!(..)`");
    respelled
}

/// Returns the body without what names the type of the tree, as in `App::new(..)`, and `true` if that was reported.
fn without_own_type(body: Group, returned: &Returned, errors: &mut Errors) -> (Group, bool) {
    let Returned::Name(name) = returned else { return (body, false) };
    let call = Call::find(&body);
    let used = match &call {
        Some(call) => call.uses(name),
        None => call::used(&body.stream().into_iter().collect::<Vec<_>>(), name),
    };
    let Some(used) = used else { return (body, false) };
    let message = format!("`{name}` is made here, as the type of `supervise!(..)`: end the function with that");
    errors.push(&used, message);
    let inside = call.map_or_else(TokenStream::new, |call| call.written());
    let mut without = Group::new(Delimiter::Brace, inside);
    without.set_span(body.span());
    (without, true)
}

/// Reports a body that does not end with the tree.
fn check_end(body: &Group, call: Option<&Call>, errors: &mut Errors) {
    let message = "the tree is what the function returns: end it with `supervise!(..)`";
    match call.map(Call::position) {
        Some(Position::End | Position::Within) => {}
        Some(Position::BeforeSemicolon(semicolon)) => {
            errors.push(&semicolon, "the tree is what the function returns: leave out this `;`");
        }
        Some(Position::Elsewhere) | None => errors.push(&end_of(body), message),
    }
}

/// Returns the last expression, or the closing brace of the body.
fn end_of(body: &Group) -> TokenStream {
    let block = syn::parse2::<Block>(TokenTree::Group(body.clone()).into());
    match block.ok().and_then(|mut block| block.stmts.pop()) {
        Some(Stmt::Expr(last, None)) => last.into_token_stream(),
        Some(Stmt::Macro(last)) if last.semi_token.is_none() => last.into_token_stream(),
        _ => Token![;](body.span_close()).into_token_stream(),
    }
}

/// Returns the body with the tree in place of the call.
fn with_tree(body: &Group, call: Option<Call>, returned: &Returned, tree: &Expanded) -> TokenStream {
    let Some(call) = call else {
        let stand_in = match returned {
            Returned::Name(_) | Returned::Assumed(_) => never_after(&body.to_token_stream()),
            Returned::Refused(_) | Returned::Opaque(_) => body.stream(),
        };
        return call::in_group(body, stand_in);
    };
    let (path, Expanded { lets, value, .. }) = (&call.path, tree);
    // Keeps the imports of the macro in use, and reports at the path if there is no such macro.
    let import = quote_spanned!(hygienic(path.span())=> #[allow(unused_imports)] use #path as _;);
    // A path through `Self` is never valid.
    let import = syn::parse2::<syn::ItemUse>(import).map_or_else(
        |_| syn::Error::new_spanned(path, "no macro has this path").to_compile_error(),
        |import| quote!(#import),
    );
    // At the call, where another return type is an error.
    let declared = Ident::new("declared", hygienic(path.span()));
    let tree = quote!({ #import #lets let #declared = #value; #declared });
    match (call.position(), returned) {
        (Position::Elsewhere | Position::Within, _) => call.replaced(tree),
        (_, Returned::Refused(_)) => call.replaced_at_end(never_after(&tree)),
        _ => call.replaced_at_end(tree),
    }
}

/// Returns an expression of any type.
fn never_after(tokens: &TokenStream) -> TokenStream {
    quote! {
        let _ = #tokens;
        ::core::unreachable!()
    }
}

/// Returns the signature without a refused `const`, with the type of the tree in place of its name. The name itself
/// would be another type if the user has one of that name, which would be a second error.
fn with_output(signature: &Signature, returned: &Returned, ty: &TokenStream) -> Signature {
    let mut signature = signature.clone();
    signature.constness = None;
    match (returned, &mut signature.output) {
        (Returned::Assumed(name), output) => {
            *output = ReturnType::Type(Token![->](name.span()), Box::new(Type::Verbatim(ty.clone())));
        }
        (Returned::Name(name), ReturnType::Type(_, written)) => {
            **written = Type::Verbatim(with_type(written.to_token_stream(), name, ty));
        }
        _ => {}
    }
    signature
}

/// Returns the tokens with the type in place of the name, which keeps its span.
fn with_type(tokens: TokenStream, name: &Ident, ty: &TokenStream) -> TokenStream {
    let replace = |tree: TokenTree| match tree {
        TokenTree::Ident(ident) if ident == *name => located(ty, ident.span()),
        TokenTree::Group(group) => call::in_group(&group, with_type(group.stream(), name, ty)),
        tree => tree.into(),
    };
    tokens.into_iter().flat_map(replace).collect()
}

fn written(function: &Function, signature: &Signature, body: &TokenStream) -> TokenStream {
    let Function { attributes, visibility, .. } = function;
    quote!(#(#attributes)* #visibility #signature #body)
}

/// Returns the braces without the invisible groups that `macro_rules!` puts around its fragments.
fn block(body: &TokenStream) -> Option<Group> {
    match body.clone().into_iter().next()? {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group),
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => block(&group.stream()),
        _ => None,
    }
}
