//! `limits = [limit(db, 4)]`: the limits with names, which `limit = db` refers to.

use std::collections::HashMap;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Attribute, Expr, ExprLit, Lit};

use super::{Child, ChildKind, Declaration, Group, entry};
use crate::argument::{self, as_ident, peel};
use crate::errors::Errors;
use crate::options::{LimitName, plain};
use crate::path::is_name;
use crate::reader::{Given, Reader, Value};
use crate::suggest;
use crate::table::{Key, Read};

/// A declared limit.
pub(super) struct Limit {
    pub(super) name: Ident,
    pub(super) cfgs: Vec<Attribute>,
    max_concurrent: Given<usize>,
}

impl Key<Declaration> {
    pub(super) const LIMITS: Self = Self::new(
        "limits",
        "limits = [limit(db, 4)]",
        Read::Value(|declaration, key, value, reader| {
            let before = reader.errors.count();
            let elements = reader.elements(key, value);
            let is_refused = reader.errors.count() > before;
            for expr in elements {
                declaration.limits.extend(read(&expr, reader));
            }
            if is_refused {
                reader.errors.truncate(before + 1);
            }
        }),
    );
}

const USAGE: &str = "a limit is declared as `limit(db, 4)`: its name, and how many attempts that need it run at a time";

/// Returns the name of a limit that was refused: `db`, `"db"`, or that of `("db", 4)`.
fn name_of(expr: &Expr) -> Option<Ident> {
    match peel(expr) {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text.parse().ok(),
        Expr::Tuple(tuple) => name_of(tuple.elems.first()?),
        Expr::Call(call) => as_ident(&call.func),
        Expr::Assign(assign) => name_of(&assign.right),
        expr => as_ident(expr),
    }
}

fn read(expr: &Expr, reader: &mut Reader) -> Option<Limit> {
    if reader.is_unread(expr) {
        return None;
    }
    let entry::Before { expr, cfgs, .. } = entry::Before::of(expr, reader);
    let list = argument::call_of(&expr, "limit").map(|list| list.iter().collect::<Vec<_>>());
    let Some([first, number]) = list.as_deref() else {
        let assigned = match (list.as_deref(), peel(&expr)) {
            (Some([Expr::Assign(assign)]), _) | (None, Expr::Assign(assign)) => {
                as_ident(&assign.left).zip(Some(assign))
            }
            _ => None,
        };
        // The limit exists, so that its uses cause no further errors.
        let cfgs = [&*reader.key_cfgs, &cfgs].concat();
        let refused = |name: Ident| {
            let max_concurrent = Given::new(&name, Value::Refused);
            Some(Limit { name, cfgs, max_concurrent })
        };
        let Some((name, assign)) = assigned.filter(|(name, _)| is_name(name)) else {
            let name = list.as_deref().map_or_else(|| name_of(&expr), |list| name_of(list.first()?));
            let limit = name.filter(is_name).and_then(refused);
            reader.errors.push(&expr, USAGE);
            return limit;
        };
        let number = match peel(&assign.right) {
            Expr::Lit(number) => number.to_token_stream().to_string(),
            _ => "4".to_owned(),
        };
        reader.errors.push(&expr, format!("a limit is declared without `=`: write `limit({name}, {number})`"));
        return refused(name);
    };
    if let Some(attribute) = argument::attributes(first).first().or(argument::attributes(number).first()) {
        reader.errors.push(attribute, "an attribute of a limit stands before `limit(..)`");
    }
    let Some(name) = as_ident(first).filter(is_name) else {
        if !reader.is_unread(first) {
            reader.errors.push(first, "the name of a limit is a bare name, as in `limit(db, 4)`");
        }
        let name = name_of(first).filter(is_name)?;
        let max_concurrent = Given::new(&name, Value::Refused);
        return Some(Limit { name, cfgs: [&*reader.key_cfgs, &cfgs].concat(), max_concurrent });
    };
    let outer = reader.cfgs.len();
    reader.cfgs.extend(cfgs.iter().cloned());
    let max_concurrent = match peel(number) {
        Expr::Assign(assign) => {
            let number = assign.right.to_token_stream();
            reader.errors.push(&assign.left, format!("a limit has no names in it: write `limit({name}, {number})`"));
            Value::Refused
        }
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if text.value().parse::<usize>().is_ok() => {
            let message = format!("a number stands without quotes: write `limit({name}, {})`", text.value());
            reader.errors.push(number, message);
            Value::Refused
        }
        Expr::Lit(ExprLit { lit: Lit::Str(_) | Lit::Float(_) | Lit::Bool(_), .. }) => {
            let message = format!("the number of a limit is a whole one: write for example `limit({name}, 4)`");
            reader.errors.push(number, message);
            Value::Refused
        }
        _ => reader.usize(&name, number),
    };
    let max_concurrent = Given::new(&name, max_concurrent);
    reader.cfgs.truncate(outer);
    Some(Limit { name, cfgs: [&*reader.key_cfgs, &cfgs].concat(), max_concurrent })
}

/// Reports errors in the limits, and each `limit = name` of a limit that is not declared.
pub(super) fn check(declaration: &Declaration, errors: &mut Errors) {
    let mut seen: HashMap<String, &Ident> = HashMap::new();
    for limit in &declaration.limits {
        let name = &limit.name;
        if let Some((0, at)) = limit.max_concurrent.known() {
            errors.push(at, format!("`{name}` must be at least 1: with 0, no attempt that needs it could run"));
        }
        // The compiler checks limits under `#[cfg(..)]`.
        if !limit.cfgs.is_empty() {
            continue;
        }
        if let Some(first) = seen.get(&name.unraw().to_string()) {
            // One error for each.
            if limit.max_concurrent.is_refused() {
                continue;
            }
            for error in repeated(first, name) {
                errors.push_error(error);
            }
        } else {
            seen.insert(name.unraw().to_string(), name);
        }
    }
    for slot in &declaration.slots {
        check_name(slot.limit(), &declaration.limits, errors);
    }
    check_group(&declaration.root, &declaration.limits, errors);
}

fn check_group(group: &Group, limits: &[Limit], errors: &mut Errors) {
    for Child { options, kind, .. } in &group.children {
        check_name(options.limit.named.as_ref(), limits, errors);
        if let ChildKind::Group(inner) = kind {
            check_group(inner, limits, errors);
        }
    }
}

fn check_name(given: Option<&Given<LimitName>>, limits: &[Limit], errors: &mut Errors) {
    let Some((name, at)) = given.and_then(Given::known) else { return };
    let mut known = limits.iter().map(|limit| limit.name.unraw().to_string()).collect::<Vec<_>>();
    known.sort_unstable();
    known.dedup();
    let name = name.text();
    if known.contains(&name) {
        return;
    }
    let known = || known.iter().map(String::as_str);
    let message = match suggest::closest(&name, known()) {
        Some(meant) => format!("no limit is called `{name}`, did you mean `{meant}`?"),
        None if limits.is_empty() => {
            format!("no limit is called `{name}`: declare it with `limits = [limit({name}, 4)]` in `supervise!`")
        }
        None => format!("no limit is called `{name}`, expected {}", suggest::list(known(), '`')),
    };
    errors.push(at, message);
}

/// Reports that a second limit has the same name, and points at the first.
pub(super) fn repeated(first: &Ident, second: &Ident) -> [syn::Error; 2] {
    let message = format!("two limits are called `{second}`, keep one");
    [syn::Error::new_spanned(second, message), syn::Error::new_spanned(first, format!("the first `{second}` is here"))]
}

/// Returns the statements that declare the limits on the local `builder`.
pub(super) fn expand(declaration: &Declaration) -> TokenStream {
    let limits = declaration.limits.iter().map(|limit| {
        let (name, cfgs) = (limit.name.unraw().to_string(), &limit.cfgs);
        let declare = plain(Some(&limit.max_concurrent)).map(|number| quote!(.with_named_limit(#name, #number)));
        quote!(#(#cfgs)* let builder = builder #declare;)
    });
    limits.collect()
}
