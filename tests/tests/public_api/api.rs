//! The public API of a crate, one line for each item that can be named.

use std::collections::BTreeSet;

use syn::punctuated::Punctuated;
use syn::{
    Attribute, Fields, Generics, ImplItem, Item, ItemEnum, ItemImpl, ItemStruct, ItemTrait, Safety, Signature, Token,
    TraitItem, Type,
};

use crate::source::{Import, Module, Source, arguments, conditions_of, imports, is_hidden, is_public};
use crate::text::compact;

/// The lines of the record, with the paths that sort them.
struct Api<'a> {
    source: &'a Source,
    lines: BTreeSet<(String, String)>,
}

/// The public API, sorted by path.
pub(crate) fn public_api(source: &Source, name: &str) -> String {
    let mut api = Api { source, lines: BTreeSet::new() };
    api.module(&source.modules[0], name, &[]);
    api.lines.into_iter().map(|(_, line)| line + "\n").collect()
}

impl<'a> Api<'a> {
    /// Adds a line for a path, with the conditions under which it exists.
    fn add(&mut self, path: &str, line: &str, conditions: &[&[String]]) {
        let mut conditions = conditions.concat();
        conditions.dedup();
        let after = if conditions.is_empty() { String::new() } else { format!(" // {}", conditions.join(", ")) };
        self.lines.insert((path.to_owned(), format!("{line}{after}")));
    }

    fn module(&mut self, module: &'a Module, path: &str, conditions: &[String]) {
        if conditions.iter().any(|condition| condition.contains("(doc,")) {
            // The guide has pages, and no items.
            return;
        }
        for item in &module.items {
            match item {
                Item::Use(item) if is_public(&item.vis) && !is_hidden(&item.attrs) => {
                    let own = [conditions, &conditions_of(&item.attrs)].concat();
                    for import in imports(&item.tree) {
                        self.import(module, &import, path, &own);
                    }
                }
                Item::Mod(item) if is_public(&item.vis) && !is_hidden(&item.attrs) => {
                    let name = item.ident.to_string();
                    let Some(child) = self.source.module(&[&module.path[..], std::slice::from_ref(&name)].concat())
                    else {
                        continue;
                    };
                    let own = conditions_of(&item.attrs);
                    let path = format!("{path}::{name}");
                    self.add(&path, &format!("pub mod {path}"), &[conditions, &own]);
                    self.module(child, &path, &[conditions, &own].concat());
                }
                item => self.item(module, item, path, None, conditions),
            }
        }
    }

    /// Adds what a `pub use` makes public: an item or module of the crate, or an import that is listed elsewhere.
    fn import(&mut self, module: &'a Module, import: &Import, path: &str, conditions: &[String]) {
        let Import { name, path: target } = import;
        assert!(name != "*", "`pub use {}::*` hides what is public", target.join("::"));
        let is_again = target.len() == 2 && target[0] == "crate";
        match (self.source.resolve(module, target), self.source.module(&[&module.path[..], target].concat())) {
            (Some((home, item)), _) if !is_again => self.item(home, item, path, Some(name), conditions),
            (None, Some(found)) => {
                let path = format!("{path}::{name}");
                self.add(&path, &format!("pub mod {path}"), &[conditions]);
                self.module(found, &path, conditions);
            }
            _ => {
                let name = format!("{path}::{name}");
                self.add(&name, &format!("pub use {name} = {}", target.join("::")), &[conditions]);
            }
        }
    }

    /// Adds an item under the name that it is exported as. Without a name it must be public where it is defined.
    fn item(&mut self, home: &'a Module, item: &'a Item, parent: &str, name: Option<&str>, conditions: &[String]) {
        let exported = name.is_some();
        let path = |ident: &syn::Ident| format!("{parent}::{}", name.map_or_else(|| ident.to_string(), str::to_owned));
        match item {
            Item::Struct(item) if exported || is_public(&item.vis) => {
                let own = [conditions, &conditions_of(&item.attrs)].concat();
                self.structure(item, &path(&item.ident), &own);
                self.implementations(home, &item.ident, &path(&item.ident), &own);
            }
            Item::Enum(item) if exported || is_public(&item.vis) => {
                let own = [conditions, &conditions_of(&item.attrs)].concat();
                self.enumeration(item, &path(&item.ident), &own);
                self.implementations(home, &item.ident, &path(&item.ident), &own);
            }
            Item::Trait(item) if (exported || is_public(&item.vis)) && !is_hidden(&item.attrs) => {
                let own = [conditions, &conditions_of(&item.attrs)].concat();
                self.interface(item, &path(&item.ident), &own);
                self.implementors(home, &item.ident, &path(&item.ident), &own);
            }
            Item::Fn(item) if (exported || is_public(&item.vis)) && !is_hidden(&item.attrs) => {
                let path = path(&item.sig.ident);
                let line = format!("pub {}", signature(&item.sig, &path));
                self.add(&path, &line, &[conditions, &conditions_of(&item.attrs)]);
            }
            Item::Type(item) if exported || is_public(&item.vis) => {
                let path = path(&item.ident);
                let line = format!("pub type {path}{} = {}", generics(&item.generics), compact(&item.ty));
                self.add(&path, &line, &[conditions, &conditions_of(&item.attrs)]);
            }
            Item::Const(item) if exported || is_public(&item.vis) => {
                let path = path(&item.ident);
                self.add(&path, &format!("pub const {path}: {}", compact(&item.ty)), &[conditions]);
            }
            Item::Static(item) if exported || is_public(&item.vis) => {
                let path = path(&item.ident);
                self.add(&path, &format!("pub static {path}: {}", compact(&item.ty)), &[conditions]);
            }
            _ => {}
        }
    }

    fn structure(&mut self, item: &ItemStruct, path: &str, conditions: &[String]) {
        let is_unit = matches!(item.fields, Fields::Unit);
        let form = if is_unit {
            ""
        } else if matches!(item.fields, Fields::Named(_)) {
            " { .. }"
        } else {
            "(..)"
        };
        let line = format!("{}pub struct {path}{}{form}", prefix(&item.attrs), generics(&item.generics));
        self.add(path, &line, &[conditions]);
        self.derives(&item.attrs, path, conditions);
        self.fields(&item.fields, path, "pub ", conditions);
    }

    fn enumeration(&mut self, item: &ItemEnum, path: &str, conditions: &[String]) {
        let line = format!("{}pub enum {path}{}", prefix(&item.attrs), generics(&item.generics));
        self.add(path, &line, &[conditions]);
        self.derives(&item.attrs, path, conditions);
        for variant in &item.variants {
            let path = format!("{path}::{}", variant.ident);
            let form = match &variant.fields {
                Fields::Named(_) => " { .. }".to_owned(),
                Fields::Unnamed(fields) => compact(fields),
                Fields::Unit => String::new(),
            };
            let line = format!("{}{path}{form}", prefix(&variant.attrs));
            self.add(&path, &line, &[conditions, &conditions_of(&variant.attrs)]);
            if matches!(variant.fields, Fields::Named(_)) {
                self.fields(&variant.fields, &path, "", conditions);
            }
        }
    }

    /// Adds the fields that can be named: all those of a variant, and the public ones of a struct.
    fn fields(&mut self, fields: &Fields, path: &str, prefix: &str, conditions: &[String]) {
        for (index, field) in fields.iter().enumerate() {
            if (prefix.is_empty() || is_public(&field.vis)) && !is_hidden(&field.attrs) {
                let name = field.ident.as_ref().map_or_else(|| index.to_string(), ToString::to_string);
                let path = format!("{path}::{name}");
                self.add(&path, &format!("{prefix}{path}: {}", compact(&field.ty)), &[conditions]);
            }
        }
    }

    fn derives(&mut self, attrs: &[Attribute], path: &str, conditions: &[String]) {
        for derived in
            arguments(attrs, "derive").flat_map(|list| list.split(", ").map(str::to_owned).collect::<Vec<_>>())
        {
            self.add(path, &format!("impl {derived} for {path}"), &[conditions]);
        }
    }

    fn interface(&mut self, item: &ItemTrait, path: &str, conditions: &[String]) {
        let bounds =
            if item.supertraits.is_empty() { String::new() } else { format!(": {}", compact(&item.supertraits)) };
        self.add(path, &format!("pub trait {path}{}{bounds}", generics(&item.generics)), &[conditions]);
        for item in &item.items {
            match item {
                TraitItem::Fn(item) if !is_hidden(&item.attrs) => {
                    let path = format!("{path}::{}", item.sig.ident);
                    let provided = if item.default.is_some() { " { .. }" } else { "" };
                    self.add(&path, &format!("{}{provided}", signature(&item.sig, &path)), &[conditions]);
                }
                TraitItem::Type(item) => {
                    let path = format!("{path}::{}", item.ident);
                    self.add(&path, &format!("type {path}"), &[conditions]);
                }
                TraitItem::Const(item) => {
                    let path = format!("{path}::{}", item.ident);
                    self.add(&path, &format!("const {path}: {}", compact(&item.ty)), &[conditions]);
                }
                _ => {}
            }
        }
    }

    /// Adds the implementations of a public trait for types outside of the crate.
    fn implementors(&mut self, home: &Module, ident: &syn::Ident, path: &str, conditions: &[String]) {
        for (module, item) in all_impls(self.source) {
            let Some((of, _)) = &item.trait_ else { continue };
            let segments: Vec<_> = of.segments.iter().map(|segment| segment.ident.to_string()).collect();
            if self.is_of_crate(module, item) || !self.is(module, &segments, home, ident) {
                continue;
            }
            let own = [conditions, &module.conditions, &conditions_of(&item.attrs)].concat();
            self.add(path, &trait_impl(item, &compact(&item.self_ty)), &[&own]);
        }
    }

    /// Adds the public methods and constants of a type, and its trait implementations.
    fn implementations(&mut self, home: &Module, ident: &syn::Ident, path: &str, conditions: &[String]) {
        self.macros(home, ident, path, conditions);
        for (module, item) in all_impls(self.source) {
            let Type::Path(of) = &*item.self_ty else { continue };
            let segments: Vec<_> = of.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            if !self.is(module, &segments, home, ident) {
                continue;
            }
            let own = [&module.conditions[..], &conditions_of(&item.attrs)].concat();
            let own: Vec<_> = [conditions, &own].concat();
            if item.trait_.is_some() {
                if !self.is_of_inner_trait(module, item) {
                    self.add(path, &trait_impl(item, path), &[&own]);
                }
            } else {
                self.inherent(item, path, &own);
            }
        }
    }

    /// Adds item macros that name the type, since their expansion is not visible.
    fn macros(&mut self, home: &Module, ident: &syn::Ident, path: &str, conditions: &[String]) {
        for module in &self.source.modules {
            for item in &module.items {
                let Item::Macro(item) = item else { continue };
                let named = compact(&item.mac.tokens);
                let mut words = named.split(|sign: char| !sign.is_alphanumeric() && sign != '_');
                if item.ident.is_none()
                    && words.any(|word| ident == word)
                    && self.is(module, &[ident.to_string()], home, ident)
                {
                    let line = format!("{}!(..) for {path}", compact(&item.mac.path));
                    self.add(path, &line, &[conditions, &module.conditions, &conditions_of(&item.attrs)]);
                }
            }
        }
    }

    /// Returns whether the `impl` is for a type of the crate. It is then listed with the type, if that is public.
    fn is_of_crate(&self, module: &Module, item: &ItemImpl) -> bool {
        let Type::Path(of) = &*item.self_ty else { return false };
        let segments: Vec<_> = of.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.source.resolve(module, &segments).is_some()
    }

    /// Returns `true` if the `impl` is of a trait that nobody outside of the crate can name.
    fn is_of_inner_trait(&self, module: &Module, item: &ItemImpl) -> bool {
        let Some((of, _)) = &item.trait_ else { return false };
        let segments: Vec<_> = of.segments.iter().map(|segment| segment.ident.to_string()).collect();
        matches!(self.source.resolve(module, &segments), Some((_, Item::Trait(item))) if !is_public(&item.vis))
    }

    fn inherent(&mut self, item: &ItemImpl, path: &str, conditions: &[String]) {
        // The bounds of the block apply to each of its items.
        let bounds = generics(&item.generics);
        let bounds =
            if bounds.is_empty() { String::new() } else { format!(" // in impl{bounds} {}", compact(&item.self_ty)) };
        for item in &item.items {
            match item {
                ImplItem::Fn(item) if is_public(&item.vis) && !is_hidden(&item.attrs) => {
                    let path = format!("{path}::{}", item.sig.ident);
                    let line = format!("pub {}{bounds}", signature(&item.sig, &path));
                    self.add(&path, &line, &[conditions, &conditions_of(&item.attrs)]);
                }
                ImplItem::Const(item) if is_public(&item.vis) && !is_hidden(&item.attrs) => {
                    let path = format!("{path}::{}", item.ident);
                    self.add(&path, &format!("pub const {path}: {}", compact(&item.ty)), &[conditions]);
                }
                _ => {}
            }
        }
    }

    /// Returns whether the path refers, in that module, to the item of that name in `home`.
    fn is(&self, module: &Module, path: &[String], home: &Module, ident: &syn::Ident) -> bool {
        match self.source.resolve(module, path) {
            Some((found, item)) => found.path == home.path && defines(item, ident),
            _ => false,
        }
    }
}

fn defines(item: &Item, ident: &syn::Ident) -> bool {
    match item {
        Item::Struct(item) => item.ident == *ident,
        Item::Enum(item) => item.ident == *ident,
        Item::Trait(item) => item.ident == *ident,
        _ => false,
    }
}

fn all_impls(source: &Source) -> impl Iterator<Item = (&Module, &ItemImpl)> {
    source.modules.iter().flat_map(|module| {
        module
            .items
            .iter()
            .filter_map(move |item| if let Item::Impl(item) = item { Some((module, item)) } else { None })
    })
}

/// `impl<T> Trait for Type where ..`
fn trait_impl(item: &ItemImpl, of: &str) -> String {
    let parameters: Punctuated<_, Token![,]> = item.generics.params.clone();
    let parameters = if parameters.is_empty() { String::new() } else { format!("<{}>", compact(&parameters)) };
    let name = item.trait_.as_ref().map(|(path, _)| compact(path)).unwrap_or_default();
    let of = if parameters.is_empty() { of.to_owned() } else { compact(&item.self_ty) };
    format!("impl{parameters} {name} for {of}{}", bounds(&item.generics))
}

/// Attributes that affect users.
fn prefix(attrs: &[Attribute]) -> &'static str {
    if attrs.iter().any(|attr| attr.path().is_ident("non_exhaustive")) { "#[non_exhaustive] " } else { "" }
}

fn generics(generics: &Generics) -> String {
    let parameters =
        if generics.params.is_empty() { String::new() } else { format!("<{}>", compact(&generics.params)) };
    parameters + &bounds(generics)
}

fn bounds(generics: &Generics) -> String {
    generics.where_clause.as_ref().map(|clause| format!(" {}", compact(clause))).unwrap_or_default()
}

/// A signature with the full path in place of the name.
fn signature(signature: &Signature, path: &str) -> String {
    let mut text = String::new();
    for (is_given, word) in [
        (signature.constness.is_some(), "const "),
        (signature.asyncness.is_some(), "async "),
        (matches!(signature.safety, Safety::Unsafe(_)), "unsafe "),
    ] {
        text.push_str(if is_given { word } else { "" });
    }
    let parameters = &signature.generics.params;
    let parameters = if parameters.is_empty() { String::new() } else { format!("<{}>", compact(parameters)) };
    let output = compact(&signature.output);
    let output = if output.is_empty() { output } else { format!(" {output}") };
    text + &format!(
        "fn {path}{parameters}({}){output}{}",
        compact(&signature.inputs).trim_start_matches("mut "),
        bounds(&signature.generics)
    )
}
