//! The module of the keys, which has an item for each key of each list, with its docs from the tables of the macros.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use crate::markdown::{Table, tables};
use crate::{options, synonyms};

pub(crate) const LIB: &str = include_str!("lib.rs");

/// Returns the tables in the documentation of a macro.
pub(crate) fn tables_of(name: &str) -> Vec<Table> {
    let (before, _) = LIB.split_once(&format!("\npub fn {name}(")).unwrap_or_default();
    let (_, docs) = before.rsplit_once("\n}\n").unwrap_or(("", before));
    let lines = docs.lines().filter_map(|line| match line {
        "#[doc = options::options_of_tasks!()]" => Some(options::options_of_tasks!().trim_end()),
        "#[doc = options::options_of_entries!()]" => Some(options::options_of_entries!().trim_end()),
        "#[doc = options::places_of_options!()]" => Some(options::places_of_options!().trim_end()),
        "#[doc = synonyms::words_of_others!()]" => Some(synonyms::words_of_others!().trim_end()),
        line => line.strip_prefix("///"),
    });
    tables(&lines.collect::<Vec<_>>().join("\n"))
}

/// Returns a module for each kind of list, with a module for each key.
pub(crate) fn expand() -> TokenStream {
    let of_task = tables_of("task");
    let of_tree = tables_of("supervise");
    let (Some([attribute, backoff]), Some([tree, places, of_entry, group, limit, slot, signals])) =
        (of_task.first_chunk(), of_tree.first_chunk())
    else {
        return TokenStream::new();
    };
    // The columns of `task(..)` and `defaults(..)`.
    let [entry, defaults] = ["`task(..)`", "`defaults(..)`"].map(|title| {
        let column = places.header.iter().position(|column| column == title).unwrap_or_default();
        let given = places.rows.iter().filter(|row| row.get(column).is_some_and(|cell| cell == "yes"));
        let names = given.filter_map(|row| row.first()).collect::<Vec<_>>();
        let documented = [attribute, of_entry, group].into_iter().flat_map(|table| &table.rows);
        names.into_iter().filter_map(move |name| documented.clone().find(|row| row.first() == Some(name))).collect()
    });
    let [subscriber, supervisor] = ["subscriber", "supervisor"].map(tables_of);
    let lists: [(&str, Vec<&Vec<String>>); 11] = [
        ("attribute", attribute.rows.iter().collect()),
        ("entry", entry),
        ("group", group.rows.iter().collect()),
        ("defaults", defaults),
        ("tree", tree.rows.iter().collect()),
        ("backoff", backoff.rows.iter().collect()),
        ("limit", limit.rows.iter().collect()),
        ("slot", slot.rows.iter().collect()),
        ("signals", signals.rows.iter().collect()),
        ("subscriber", subscriber.iter().flat_map(|table| &table.rows).collect()),
        ("supervisor", supervisor.iter().flat_map(|table| &table.rows).collect()),
    ];
    let lists = lists.iter().map(|(list, rows)| {
        let list = Ident::new(list, Span::call_site());
        let items = rows.iter().copied().map(|row| item(row));
        quote!(pub mod #list { #(#items)* })
    });
    quote!(#(#lists)*)
}

/// Returns the item of a row: key, what it takes, its default and its setter if the table has them, what it does.
fn item(row: &[String]) -> Option<TokenStream> {
    let (key, takes, default, does, setter) = match row {
        [key, takes, does] => (key, takes, None, does, None),
        [key, takes, default, does] => (key, takes, Some(default), does, None),
        [key, takes, default, does, setter] => (key, takes, Some(default), does, Some(setter)),
        _ => return None,
    };
    let default = default.map_or_else(String::new, |default| format!(" Default: {default}."));
    let setter = setter.filter(|setter| *setter != "-");
    let setter = setter.map_or_else(String::new, |setter| format!(" Setter: {setter}."));
    let key = key.trim_matches('`');
    let doc = format!("`{key}`: {does}.\n\nTakes: {takes}.{default}{setter}");
    let name = name(key).unwrap_or_else(|| Ident::new(key, Span::call_site()));
    // An editor would complete the name of the item.
    let hidden = (key == "crate").then(|| quote!(#[doc(hidden)]));
    Some(quote!(#[doc = #doc] #hidden pub mod #name {}))
}

/// Returns the name of the item of a key that is a keyword.
pub(crate) fn name(key: &str) -> Option<Ident> {
    match key {
        "crate" => Some(Ident::new("krate", Span::call_site())),
        "struct" => Some(Ident::new_raw("struct", Span::call_site())),
        _ => None,
    }
}
