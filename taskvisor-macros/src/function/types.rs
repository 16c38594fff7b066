//! The types of arguments: the context of an attempt, and types that cannot be stored.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::spanned::Spanned;
use syn::{
    AngleBracketedGenericArguments, GenericArgument, GenericParam, Generics, Lifetime, Path, PathArguments,
    PathSegment, Type, TypeParamBound, TypeReference,
};

use super::Kind;
use crate::path::hygienic;

/// Returns `true` if the type is `TaskContext` or `CancellationToken`, by the last segment of its path.
pub(crate) fn is_context(ty: &Type) -> bool {
    matches!(last_ident(ty).as_deref(), Some("TaskContext" | "CancellationToken"))
}

/// Returns `true` for a type with a `_` in it, which the compiler reports in the function itself.
pub(crate) fn is_inferred(ty: &Type) -> bool {
    match ty {
        Type::Infer(_) => true,
        Type::Array(array) => is_inferred(&array.elem),
        Type::Group(group) => is_inferred(&group.elem),
        Type::Paren(paren) => is_inferred(&paren.elem),
        Type::Reference(reference) => is_inferred(&reference.elem),
        Type::Tuple(tuple) => tuple.elems.iter().any(is_inferred),
        Type::Path(path) => path.path.segments.iter().any(|segment| match &segment.arguments {
            PathArguments::AngleBracketed(list) => {
                list.args.iter().any(|argument| matches!(argument, GenericArgument::Type(ty) if is_inferred(ty)))
            }
            _ => false,
        }),
        _ => false,
    }
}

/// Returns the reasons why the type cannot be stored in a field: the tokens, and a valid alternative.
pub(super) fn problems(ty: &Type, kind: Kind) -> Vec<(TokenStream, String)> {
    let mut problems = Problems { kind, found: Vec::new() };
    if kind == Kind::Task && last_ident(ty).as_deref() == Some("TaskContext") {
        problems.push(ty, "`TaskContext` comes first: make it the first argument".to_owned());
    } else if let (Kind::Task, Type::Path(_), Some(word)) = (kind, ty, find_word(ty.to_token_stream(), "TaskContext")) {
        problems.push(&word, "the context of an attempt is taken by value: write `ctx: TaskContext`".to_owned());
        return problems.found;
    }
    problems.check_sized(ty);
    problems.visit(ty);
    problems.found
}

/// Replaces a type without a size by a reference to it, and completes a `Cow` without a lifetime.
pub(super) fn accepted(ty: &mut Type) {
    match ty {
        Type::Group(group) => return accepted(&mut group.elem),
        Type::Paren(paren) => return accepted(&mut paren.elem),
        _ => {}
    }
    if is_unsized(ty) {
        let span = hygienic(ty.span());
        *ty = Type::Verbatim(quote_spanned!(span=> &'static (#ty)));
    } else if let Type::Path(path) = ty {
        if let Some(arguments) = path.path.segments.last_mut().and_then(arguments_without_lifetime) {
            arguments.args.insert(0, GenericArgument::Lifetime(syn::parse_quote!('static)));
        }
    }
}

/// Returns a `Cow` of text or bytes with `'static` in place of its lifetime, which is what was meant: then a value for it can
/// be inferred.
pub(super) fn with_static(ty: &Type) -> Option<Type> {
    let Type::Path(path) = ty else { return None };
    let mut path = path.clone();
    let cow = path.path.segments.last_mut().filter(|segment| segment.ident == "Cow")?;
    let PathArguments::AngleBracketed(arguments) = &mut cow.arguments else { return None };
    let owned = arguments.args.last().cloned();
    let owned = owned.filter(|owned| matches!(owned, GenericArgument::Type(ty) if is_unsized(ty)))?;
    arguments.args = [GenericArgument::Lifetime(syn::parse_quote!('static)), owned].into_iter().collect();
    Some(Type::Path(path))
}

fn is_unsized(ty: &Type) -> bool {
    match ty {
        Type::Slice(_) | Type::TraitObject(_) => true,
        Type::Path(path) => path.path.is_ident("str"),
        _ => false,
    }
}

/// Returns the arguments of a `Cow` without a lifetime.
fn arguments_without_lifetime(segment: &mut PathSegment) -> Option<&mut AngleBracketedGenericArguments> {
    let PathArguments::AngleBracketed(arguments) = &mut segment.arguments else { return None };
    let has_lifetime = arguments.args.iter().any(|argument| matches!(argument, GenericArgument::Lifetime(_)));
    (segment.ident == "Cow" && !has_lifetime).then_some(arguments)
}

struct Problems {
    kind: Kind,
    found: Vec<(TokenStream, String)>,
}

impl Problems {
    fn push(&mut self, at: &impl ToTokens, message: String) {
        self.found.push((at.to_token_stream(), message));
    }

    /// Reports a type without a size, which no argument can have.
    fn check_sized(&mut self, ty: &Type) {
        let text = ty.to_token_stream().to_string();
        let instead = match ty {
            Type::Slice(slice) => {
                let element = slice.elem.to_token_stream();
                format!("`Vec<{element}>` or `Arc<[{element}]>`")
            }
            Type::TraitObject(_) => "`Arc<dyn Trait + Send + Sync>`".to_owned(),
            Type::Path(path) if path.path.is_ident("str") => "`String`, `Arc<str>` or `&'static str`".to_owned(),
            _ => return,
        };
        self.push(ty, format!("`{text}` has no size at compile time: take {instead}"));
    }

    fn visit(&mut self, ty: &Type) {
        match ty {
            Type::Array(array) => self.visit(&array.elem),
            Type::Group(group) => self.visit(&group.elem),
            Type::ImplTrait(_) => {
                let noun = self.kind.noun();
                let message = format!(
                    "a {noun} cannot take `impl Trait`, as the type of a field has a name: write a type, or `Arc<dyn .. + Send + Sync>`"
                );
                self.push(ty, message);
            }
            Type::Paren(paren) => self.visit(&paren.elem),
            Type::Path(path) => self.visit_path(&path.path),
            Type::Ptr(pointer) => self.visit(&pointer.elem),
            Type::Reference(reference) => self.visit_reference(reference),
            Type::Slice(slice) => self.visit(&slice.elem),
            Type::TraitObject(object) => self.visit_bounds(&object.bounds),
            Type::Tuple(tuple) => tuple.elems.iter().for_each(|ty| self.visit(ty)),
            // The references in a function pointer belong to its callers.
            _ => {}
        }
    }

    fn visit_reference(&mut self, reference: &TypeReference) {
        // A named lifetime is `'static`, or a generic of the function, which is reported there.
        if reference.lifetime.as_ref().is_some_and(|lifetime| lifetime.ident != "_") {
            self.visit(&reference.elem);
            return;
        }
        let instead = match (&*reference.elem, last_ident(&reference.elem).as_deref()) {
            (_, Some("str")) => "`String` or `&'static str`".to_owned(),
            (_, Some(context @ ("TaskContext" | "CancellationToken"))) => {
                format!("`{context}` by value")
            }
            (Type::Slice(_), _) => "a `Vec` or an `Arc<[..]>`".to_owned(),
            _ => "an owned value, or share it in an `Arc`".to_owned(),
        };
        let message = format!("{}: take {instead}", self.owns());
        self.push(reference, message);
    }

    fn visit_path(&mut self, path: &Path) {
        if let Some(cow) = path.segments.last().filter(|segment| segment.ident == "Cow") {
            let has_lifetime = matches!(&cow.arguments, PathArguments::AngleBracketed(arguments)
                if arguments.args.iter().any(|argument| matches!(argument, GenericArgument::Lifetime(_))));
            if let (PathArguments::AngleBracketed(arguments), false) = (&cow.arguments, has_lifetime) {
                let borrowed = arguments.args.to_token_stream();
                self.push(path, format!("{}: write `Cow<'static, {borrowed}>`", self.owns()));
            }
        }
        for segment in &path.segments {
            // The references in `Fn(&str)` belong to its callers, as in a function pointer.
            if let PathArguments::AngleBracketed(arguments) = &segment.arguments {
                self.visit_arguments(arguments);
            }
        }
    }

    fn visit_arguments(&mut self, arguments: &AngleBracketedGenericArguments) {
        for argument in &arguments.args {
            match argument {
                GenericArgument::Type(ty) => self.visit(ty),
                GenericArgument::AssocType(associated) => self.visit(&associated.ty),
                GenericArgument::Lifetime(lifetime) => self.visit_lifetime(lifetime),
                _ => {}
            }
        }
    }

    fn visit_bounds<'a>(&mut self, bounds: impl IntoIterator<Item = &'a TypeParamBound>) {
        for bound in bounds {
            match bound {
                TypeParamBound::Trait(bound) => self.visit_path(&bound.path),
                TypeParamBound::Lifetime(lifetime) => self.visit_lifetime(lifetime),
                _ => {}
            }
        }
    }

    /// Named lifetimes are generics of the function, and are reported there.
    fn visit_lifetime(&mut self, lifetime: &Lifetime) {
        if lifetime.ident == "_" {
            let message = format!("{}: write `'static`", self.owns());
            self.push(lifetime, message);
        }
    }

    fn owns(&self) -> &'static str {
        match self.kind {
            Kind::Task => "a task owns its arguments, which outlive this borrow",
            Kind::Subscriber => "a subscriber owns its state, which outlives this borrow",
        }
    }
}

/// Returns the first occurrence of that word, at any depth.
pub(crate) fn find_word(tokens: TokenStream, word: &str) -> Option<Ident> {
    tokens.into_iter().find_map(|tree| match tree {
        TokenTree::Ident(ident) => (ident == word).then_some(ident),
        TokenTree::Group(group) => find_word(group.stream(), word),
        _ => None,
    })
}

/// Returns `true` if the type has a parameter of the function in it.
pub(super) fn has_parameter(ty: &Type, generics: &Generics) -> bool {
    let has = |name: &Ident| find_word(ty.to_token_stream(), &name.to_string()).is_some();
    generics.params.iter().any(|parameter| match parameter {
        GenericParam::Type(parameter) => has(&parameter.ident),
        GenericParam::Const(parameter) => has(&parameter.ident),
        GenericParam::Lifetime(parameter) => has(&parameter.lifetime.ident),
    })
}

/// Returns `true` for `String`, for which `spec` takes whatever becomes one.
pub(crate) fn is_string(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.qself.is_none() && path.path.segments.last().is_some_and(|last| last.ident == "String"))
}

/// Returns the last segment of the path of the type, if it is a path.
pub(crate) fn last_ident(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        Type::Group(group) => last_ident(&group.elem),
        Type::Paren(paren) => last_ident(&paren.elem),
        _ => None,
    }
}
