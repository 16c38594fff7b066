//! What only the expansion for an editor has. `benches/editor` tests it with rust-analyzer.

use std::str::FromStr;

use proc_macro2::TokenStream;

use crate::options::{Backoff, Place};
use crate::{echo, keys, subscriber, supervise, supervisor};

/// The names of the items in a module of the keys.
fn items(list: &str) -> Vec<String> {
    let file: syn::File = syn::parse2(keys::expand()).unwrap();
    let modules = |items: Vec<syn::Item>| {
        items.into_iter().filter_map(|item| match item {
            syn::Item::Mod(module) => Some(module),
            _ => None,
        })
    };
    let list = modules(file.items).find(|module| module.ident == list).unwrap();
    modules(list.content.unwrap().1).map(|module| module.ident.to_string()).collect()
}

#[test]
fn each_key_has_an_item_with_its_docs() {
    let [tree, group, limit, slot, signals] = supervise::names();
    let lists = [
        ("attribute", Place::Attribute.names()),
        ("entry", Place::Entry.names()),
        ("group", group),
        ("defaults", Place::Defaults.names()),
        ("tree", tree),
        ("backoff", Backoff::names()),
        ("limit", limit),
        ("slot", slot),
        ("signals", signals),
        ("subscriber", subscriber::names()),
        ("supervisor", supervisor::names()),
    ];
    for (list, names) in lists {
        let mut names: Vec<_> = names
            .into_iter()
            .map(|name| keys::name(name).map_or_else(|| name.to_owned(), |name| name.to_string()))
            .collect();
        let mut items = items(list);
        names.sort();
        items.sort();
        assert_eq!(items, names, "{list}");
    }
}

#[test]
fn the_docs_of_an_item_have_its_setter_and_only_a_mended_name_is_hidden() {
    let expanded = keys::expand().to_string();
    assert!(expanded.contains(" Setter: `with_timeout`."), "{expanded}");
    assert!(!expanded.contains("Setter: -"), "{expanded}");
    let hidden = expanded.matches("# [doc (hidden)] pub mod").count();
    assert_eq!(hidden, expanded.matches("# [doc (hidden)] pub mod krate").count());
    assert!(hidden > 0, "{expanded}");
}

fn without_spaces(tokens: &TokenStream) -> String {
    tokens.to_string().replace(' ', "")
}

#[test]
fn a_missing_name_is_mended() {
    let mended = |text: &str| echo::mend(&TokenStream::from_str(text).unwrap()).map(|tokens| without_spaces(&tokens));
    let same = |text: &str| without_spaces(&TokenStream::from_str(text).unwrap());
    assert_eq!(mended("tasks = [ping::]"), Some(same("tasks = [ping::missing]")));
    assert_eq!(mended("tasks = [ping { host: a. }, b]"), Some(same("tasks = [ping { host: a.missing }, b]")));
    assert_eq!(mended("grace =, tasks = []"), Some(same("grace = missing, tasks = []")));
    for complete in ["tasks = [ping::spec(1.0), ..all]", "a = ping { b: 0.., ..c }", "a == b, c?.d"] {
        assert_eq!(mended(complete), None, "{complete}");
    }
}

/// The imports of an expansion for an editor resolve only if each word that a table accepts is an item of its module.
#[test]
fn each_word_has_an_item() {
    let words = include_str!("../../../taskvisor/src/macro_support/keys.rs");
    let tables = concat!(
        include_str!("../options/mod.rs"),
        include_str!("../options/of_group.rs"),
        include_str!("../options/schedule.rs"),
        include_str!("../options/singleton.rs"),
        include_str!("../supervise/signals.rs"),
        include_str!("../supervise/slot/mod.rs"),
        include_str!("../supervise/strategy.rs"),
    );
    let mut lists: Vec<_> = words.split("pub mod words_of_").skip(1).collect();
    let of = |list: &str| tables.split_once(&format!("\"words_of_{list}\"")).unwrap().1.split('}').next().unwrap();
    lists.retain(|module| {
        let (list, items) = module.split_once(' ').unwrap();
        let is_word =
            |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let known: Vec<_> = of(list).split('"').skip(1).step_by(2).filter(is_word).collect();
        assert!(!known.is_empty(), "{list}");
        known.iter().any(|word| !["as", "mod"].iter().any(|before| items.contains(&format!("{before} {word}"))))
    });
    assert_eq!(lists, Vec::<&str>::new(), "modules without an item for a word");
}
