//! The source of a crate: its modules, and name resolution in them.

use std::path::Path;

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream, Parser};
use syn::{
    Attribute, Expr, Field, FnArg, ImplItemFn, Item, Meta, ReturnType, Token, UseTree, Variant, Visibility, braced,
    parenthesized, parse_quote,
};

use crate::text::compact;

/// The modules of a crate, the root first.
pub(crate) struct Source {
    pub(crate) modules: Vec<Module>,
}

/// One module, with the conditions under which it is compiled.
pub(crate) struct Module {
    pub(crate) path: Vec<String>,
    pub(crate) items: Vec<Item>,
    pub(crate) conditions: Vec<String>,
}

/// An item, and the module that defines it.
pub(crate) type Defined<'a> = (&'a Module, &'a Item);

/// A name that a `use` brings into a module.
pub(crate) struct Import {
    pub(crate) name: String,
    pub(crate) path: Vec<String>,
}

impl Source {
    /// Loads the crate with this root file; `read` returns the text of a file, if it exists.
    pub(crate) fn load(root: &Path, read: &dyn Fn(&Path) -> Option<String>) -> Self {
        let mut source = Self { modules: Vec::new() };
        let items = parse(&read(root).expect("the root of the crate"));
        source.add(Vec::new(), items, Vec::new(), root.parent().expect("a folder"), read);
        source
    }

    fn add(
        &mut self,
        path: Vec<String>,
        items: Vec<Item>,
        conditions: Vec<String>,
        folder: &Path,
        read: &dyn Fn(&Path) -> Option<String>,
    ) {
        let mut children = Vec::new();
        for item in &items {
            let Item::Mod(module) = item else { continue };
            let own = conditions_of(&module.attrs);
            if own.iter().any(|condition| condition == "test") {
                continue;
            }
            let name = module.ident.to_string();
            let given = path_of(&module.attrs).map(|file| folder.join(file));
            let below = match &given {
                Some(file) => file.parent().expect("a folder").to_owned(),
                None => folder.join(&name),
            };
            let items = match (&module.content, given) {
                (Some((_, items)), _) => items.clone(),
                (None, Some(file)) => parse(&read(&file).unwrap_or_else(|| panic!("no {}", file.display()))),
                (None, None) => {
                    let files = [folder.join(format!("{name}.rs")), below.join("mod.rs")];
                    parse(&files.iter().find_map(|file| read(file)).unwrap_or_else(|| panic!("none of {files:?}")))
                }
            };
            let path = [&path[..], &[name]].concat();
            children.push((path, items, [&conditions[..], &own[..]].concat(), below));
        }
        self.modules.push(Module { path, items, conditions });
        for (path, items, conditions, folder) in children {
            self.add(path, items, conditions, &folder, read);
        }
    }

    pub(crate) fn module(&self, path: &[String]) -> Option<&Module> {
        self.modules.iter().find(|module| module.path == path)
    }

    /// The item that a path refers to in `module`. `None` if it is in another crate, or is a module.
    pub(crate) fn resolve(&self, module: &Module, path: &[String]) -> Option<Defined<'_>> {
        self.follow(module, path, 0)
    }

    fn follow(&self, module: &Module, path: &[String], depth: usize) -> Option<Defined<'_>> {
        assert!(depth < 20, "{path:?} is defined by itself");
        let (name, parents) = path.split_last()?;
        let Some((first, between)) = parents.split_first() else { return self.named(module, name, depth) };
        let mut at = match first.as_str() {
            "crate" => Vec::new(),
            "self" => module.path.clone(),
            "super" => module.path[..module.path.len() - 1].to_vec(),
            child => [&module.path[..], &[child.to_owned()]].concat(),
        };
        for segment in between {
            if segment == "super" { drop(at.pop()) } else { at.push(segment.clone()) }
        }
        self.named(self.module(&at)?, name, depth)
    }

    /// The item that is defined or imported under a name in a module.
    fn named(&self, module: &Module, name: &str, depth: usize) -> Option<Defined<'_>> {
        let module = self.module(&module.path)?;
        if let Some(item) = module.items.iter().find(|item| ident_of(item).is_some_and(|ident| ident == name)) {
            return Some((module, item));
        }
        let imported =
            module.items.iter().filter_map(|item| if let Item::Use(item) = item { Some(item) } else { None });
        imported
            .flat_map(|item| imports(&item.tree))
            .filter(|import| import.name == name && import.path != [name])
            .find_map(|import| self.follow(module, &import.path, depth + 1))
    }
}

fn parse(text: &str) -> Vec<Item> {
    syn::parse_file(text).expect("valid source").items.into_iter().flat_map(expanded).collect()
}

/// The public items that a macro of the crate makes; any other item as it is.
fn expanded(item: Item) -> Vec<Item> {
    let Item::Macro(call) = &item else { return vec![item] };
    let (path, tokens) = (&call.mac.path, call.mac.tokens.clone());
    if path.is_ident("options") {
        vec![methods_of_options(tokens)]
    } else if path.is_ident("labels") {
        enum_with_labels.parse2(tokens).expect("an enum")
    } else if path.is_ident("events") {
        enums_of_events.parse2(tokens).expect("rows of events")
    } else {
        vec![item]
    }
}

/// An enum of `labels!`, whose variants have a label: `enum Name: Display { Variant = label, .. }`.
fn enum_with_labels(input: ParseStream<'_>) -> syn::Result<Vec<Item>> {
    let attrs = input.call(Attribute::parse_outer)?;
    let visibility: Visibility = input.parse()?;
    input.parse::<Token![enum]>()?;
    let name: Ident = input.parse()?;
    let is_shown = input.parse::<Option<Token![:]>>()?.is_some();
    if is_shown {
        input.parse::<Ident>()?;
    }
    let body;
    braced!(body in input);
    let mut variants = body.parse_terminated(Variant::parse, Token![,])?;
    variants.iter_mut().for_each(|variant| variant.discriminant = None);
    let mut items = vec![parse_quote!(#(#attrs)* #visibility enum #name { #variants })];
    if is_shown {
        items.push(parse_quote!(impl fmt::Display for #name {}));
    }
    Ok(items)
}

/// The two enums of `events!`: their heads, and then rows of `Kind: Level { field: Type = value, .. }`.
fn enums_of_events(input: ParseStream<'_>) -> syn::Result<Vec<Item>> {
    let head = |input: ParseStream<'_>| -> syn::Result<(Vec<Attribute>, Ident)> {
        let attrs = input.call(Attribute::parse_outer)?;
        input.parse::<Token![pub]>()?;
        input.parse::<Token![enum]>()?;
        let name = input.parse()?;
        if input.parse::<Option<Token![=]>>()?.is_some() {
            input.parse::<Expr>()?;
        }
        input.parse::<Token![;]>()?;
        Ok((attrs, name))
    };
    let ((kind_attrs, kinds), (data_attrs, data)) = (head(input)?, head(input)?);
    let (mut names, mut variants) = (Vec::new(), Vec::new());
    while !input.is_empty() {
        input.call(Attribute::parse_outer)?;
        let name: Ident = input.parse()?;
        input.parse::<Token![:]>()?;
        input.parse::<Ident>()?;
        let row;
        braced!(row in input);
        let fields = row.parse_terminated(field_of_event, Token![,])?;
        variants.push(quote!(#[non_exhaustive] #name { #fields }));
        names.push(name);
    }
    Ok(vec![
        parse_quote!(#(#kind_attrs)* pub enum #kinds { #(#names),* }),
        parse_quote!(impl fmt::Display for #kinds {}),
        parse_quote!(#(#data_attrs)* pub enum #data<'a> { #(#variants),* }),
    ])
}

fn field_of_event(row: ParseStream<'_>) -> syn::Result<Field> {
    let field = row.call(Field::parse_named)?;
    if row.parse::<Option<Token![=]>>()?.is_some() {
        row.parse::<Expr>()?;
    }
    Ok(field)
}

/// The methods of `TaskSpec` that are written in the rows of the table of options.
fn methods_of_options(table: TokenStream) -> Item {
    let rows = table.into_iter().filter_map(|token| match token {
        TokenTree::Group(row) if row.delimiter() == Delimiter::Brace => Some(row.stream()),
        _ => None,
    });
    let methods = rows.flat_map(|row| methods_of_row.parse2(row).expect("a row of options"));
    parse_quote!(impl TaskSpec { #(#methods)* })
}

/// `get name() -> Type;`, `set name(argument: Type) = value;` and `unset name();`.
fn methods_of_row(row: ParseStream<'_>) -> syn::Result<Vec<ImplItemFn>> {
    let mut methods = Vec::new();
    while !row.is_empty() {
        row.call(Attribute::parse_outer)?;
        let (kind, name): (Ident, Ident) = (row.parse()?, row.parse()?);
        let arguments;
        parenthesized!(arguments in row);
        let arguments = arguments.parse_terminated(FnArg::parse, Token![,])?.into_iter();
        let returned: ReturnType = row.parse()?;
        if row.parse::<Option<Token![=]>>()?.is_some() {
            row.parse::<Expr>()?;
        }
        row.parse::<Token![;]>()?;
        methods.push(match kind {
            get if get == "get" => parse_quote!(pub fn #name(&self) #returned {}),
            _ => parse_quote!(pub fn #name(self #(, #arguments)*) -> Self {}),
        });
    }
    Ok(methods)
}

/// The names that a `use` imports.
pub(crate) fn imports(tree: &UseTree) -> Vec<Import> {
    fn walk(tree: &UseTree, path: &mut Vec<String>, found: &mut Vec<Import>) {
        let mut import = |name: &Ident, last: &Ident| {
            let own = if last == "self" { Vec::new() } else { vec![last.to_string()] };
            let path = [&path[..], &own[..]].concat();
            let name = if name == "self" { path.last().cloned().unwrap_or_default() } else { name.to_string() };
            found.push(Import { name, path });
        };
        match tree {
            UseTree::Name(it) => import(&it.ident, &it.ident),
            UseTree::Rename(it) => import(&it.rename, &it.ident),
            UseTree::Path(it) => {
                path.push(it.ident.to_string());
                walk(&it.tree, path, found);
                path.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| walk(tree, path, found)),
            UseTree::Glob(_) => found.push(Import { name: "*".into(), path: path.clone() }),
        }
    }
    let mut found = Vec::new();
    walk(tree, &mut Vec::new(), &mut found);
    found
}

/// The name of an item other than a module.
fn ident_of(item: &Item) -> Option<&Ident> {
    match item {
        Item::Const(item) => Some(&item.ident),
        Item::Enum(item) => Some(&item.ident),
        Item::Fn(item) => Some(&item.sig.ident),
        Item::Macro(item) => item.ident.as_ref(),
        Item::Static(item) => Some(&item.ident),
        Item::Struct(item) => Some(&item.ident),
        Item::Trait(item) => Some(&item.ident),
        Item::Type(item) => Some(&item.ident),
        Item::Union(item) => Some(&item.ident),
        _ => None,
    }
}

pub(crate) fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// The conditions in the `#[cfg(..)]` attributes.
pub(crate) fn conditions_of(attrs: &[Attribute]) -> Vec<String> {
    arguments(attrs, "cfg").collect()
}

pub(crate) fn is_hidden(attrs: &[Attribute]) -> bool {
    arguments(attrs, "doc").any(|argument| argument == "hidden")
}

/// The arguments of the attributes of this name.
pub(crate) fn arguments<'a>(attrs: &'a [Attribute], name: &'a str) -> impl Iterator<Item = String> + 'a {
    attrs.iter().filter(move |attr| attr.path().is_ident(name)).filter_map(|attr| match &attr.meta {
        Meta::List(list) => Some(compact(&list.tokens)),
        _ => None,
    })
}

fn path_of(attrs: &[Attribute]) -> Option<String> {
    let attr = attrs.iter().find(|attr| attr.path().is_ident("path"))?;
    let Meta::NameValue(pair) = &attr.meta else { return None };
    Some(pair.value.to_token_stream().to_string().trim_matches('"').to_owned())
}
