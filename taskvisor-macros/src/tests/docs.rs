//! The tables in the documentation have exactly the options that the parser reads.

use std::collections::BTreeSet;

use crate::keys::{LIB, tables_of};
use crate::options::{Backoff, Place};

fn assert_documented(documented: &[String], read: &[&str], what: &str) {
    let as_set: BTreeSet<&str> = documented.iter().map(String::as_str).collect();
    assert_eq!(as_set, read.iter().copied().collect(), "{what}");
    assert_eq!(as_set.len(), documented.len(), "{what}: one is there twice");
}

#[test]
fn each_option_of_the_attributes_is_documented() {
    let [options, backoff, _words] = &*tables_of("task") else { panic!("three tables of `#[task]`") };
    assert_documented(&options.names(), &Place::Attribute.names(), "`#[task]`");
    assert_documented(&backoff.names(), &Backoff::names(), "`backoff(..)`");
    let [options] = &*tables_of("subscriber") else { panic!("one table of `#[subscriber]`") };
    assert_documented(&options.names(), &crate::subscriber::names(), "`#[subscriber]`");
    let [options] = &*tables_of("supervisor") else { panic!("one table of `#[supervisor]`") };
    assert_documented(&options.names(), &crate::supervisor::names(), "`#[supervisor]`");
}

/// The text of the guides, whose examples are tests, as those of the macros are.
fn guides() -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../taskvisor/src/guide");
    let pages = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let pages = pages.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// The code of the examples that are compiled, in the docs of the macros and in the guides.
fn examples() -> Vec<String> {
    let docs: String = LIB.lines().filter_map(|line| line.strip_prefix("///")).collect::<Vec<_>>().join("\n");
    let pages = [docs].into_iter().chain(guides());
    let mut blocks: Vec<String> =
        pages.flat_map(|page| page.split("```").skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()).collect();
    blocks.retain(|block| {
        let kind = block.lines().next().unwrap_or_default().trim();
        matches!(kind, "" | "rust" | "no_run")
    });
    blocks
}

/// Returns `true` if the code has that option of a list, as `name = ..`, `name(..)` or alone. `opens` is what the list
/// begins with, such as `slot(`; an empty one is any list.
fn is_used(code: &str, opens: &str, name: &str) -> bool {
    lists(code, opens).any(|list| {
        list.match_indices(name).any(|(at, _)| {
            let before = list[..at].chars().next_back();
            let after = list[at + name.len()..].trim_start();
            let is_whole = !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '"' | ':' | '&'));
            let is_given = after.starts_with("= ") || after.starts_with('(') || after.starts_with([',', ')']);
            is_whole && is_given
        })
    })
}

/// The code inside of each list that begins so, up to its closing parenthesis.
fn lists<'a>(code: &'a str, opens: &'a str) -> impl Iterator<Item = &'a str> {
    code.match_indices(opens).map(move |(at, _)| {
        let inside = &code[at + opens.len()..];
        let mut depth = 1_usize;
        let end = inside.find(|c| {
            depth = match c {
                '(' => depth + 1,
                ')' => depth - 1,
                _ => depth,
            };
            depth == 0
        });
        // With the parenthesis, which ends an option that stands alone.
        &inside[..end.map_or(inside.len(), |end| end + 1)]
    })
}

/// Each option is used in a list of its kind, in an example of the macros or of a guide.
#[test]
fn each_option_is_in_an_example() {
    let code = examples().concat();
    let [keys, of_group, of_limit, of_slot, of_signals] = crate::supervise::names();
    let of_strategy = ["one_for_one(", "one_for_all(", "rest_for_one(", "limit("];
    let lists: [(&[&str], Vec<&str>); 10] = [
        (&["#[task("], Place::Attribute.names()),
        (&["backoff("], Backoff::names()),
        (&["#[subscriber("], crate::subscriber::names()),
        (&["#[supervisor("], crate::supervisor::names()),
        (&["supervise!("], keys),
        (&["group("], of_group),
        (&["defaults(", "#[task("], Place::Defaults.names()),
        (&of_strategy, of_limit),
        (&["slot("], of_slot),
        (&["signals("], of_signals),
    ];
    let mut missing = Vec::new();
    for (opens, names) in lists {
        for name in names {
            if !opens.iter().any(|opens| is_used(&code, opens, name)) {
                missing.push(format!("{}..): {name}", opens[0]));
            }
        }
    }
    // What only an entry has; the others have the meaning that they have in `#[task]`.
    for name in ["last_run", "after", "name"] {
        if !is_used(&code, "task(", name) {
            missing.push(format!("task(..): {name}"));
        }
    }
    assert!(missing.is_empty(), "no example has {missing:#?}");
    assert!(!is_used(&code, "slot(", "timeout") && !is_used(&code, "#[task(", "tasks"), "it finds what is not there");
}

/// What a user looks for, and where he looks first: a page, and words that stand together in it.
#[test]
fn what_was_not_found_is_where_one_looks_first() {
    let docs: String = LIB.lines().filter_map(|line| line.strip_prefix("///")).collect::<Vec<_>>().join("\n");
    let found =
        |text: &str, words: &[&str]| text.split("\n \n").any(|part| words.iter().all(|word| part.contains(word)));
    for words in [
        // A receiver or a listener as an argument.
        &["receiver", "`Inbox`"][..],
        &["listener", "`Arc`"],
        // Entries by a flag at run time.
        &["flag", "then_some("],
        // Handles of spread tasks.
        &["spread", "tree.child("],
        &["`#[instrument]`", "`tracing`"],
        // M25.
        &["E0255", "`struct = PingTask`"],
        // The setter of each option.
        &["The last column has the setter of `TaskSpec`"],
    ] {
        assert!(found(&docs, words), "no paragraph has all of {words:?}");
    }
}

#[test]
fn each_key_and_option_of_a_tree_is_documented() {
    let [keys, places, of_entry, of_group, of_limit, of_slot, of_signals] = &*tables_of("supervise") else {
        panic!("tables of a tree")
    };
    let [key_names, group_names, limit_names, slot_names, signal_names] = crate::supervise::names();
    assert_documented(&keys.names(), &key_names, "`supervise!`");
    assert_documented(&of_entry.names(), &["last_run"], "what only `task(..)` has");
    assert_documented(&of_group.names(), &group_names, "`group(..)`");
    assert_documented(&of_limit.names(), &limit_names, "the limit");
    assert_documented(&of_slot.names(), &slot_names, "`slot(..)`");
    assert_documented(&of_signals.names(), &signal_names, "`signals(..)`");
    let columns = [
        ("`#[task(..)]`", Place::Attribute.names()),
        ("`task(..)`", Place::Entry.names()),
        ("`group(..)`", group_names),
        ("`defaults(..)`", Place::Defaults.names()),
    ];
    assert_eq!(places.header.len(), columns.len() + 1);
    for (column, (title, names)) in columns.iter().enumerate().map(|(index, column)| (index + 1, column)) {
        assert_eq!(places.header[column], *title);
        let given = places.rows.iter().zip(places.names()).filter(|(row, _)| row[column] == "yes");
        assert_documented(&given.map(|(_, name)| name).collect::<Vec<_>>(), names, title);
        assert!(places.rows.iter().all(|row| matches!(&*row[column], "yes" | "-")), "{title}");
    }
}
