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

/// The guides, whose examples are tests, as those of the macros are.
const GUIDES: [&str; 10] = [
    include_str!("../../../taskvisor/src/guide/first_service.md"),
    include_str!("../../../taskvisor/src/guide/fleets.md"),
    include_str!("../../../taskvisor/src/guide/groups.md"),
    include_str!("../../../taskvisor/src/guide/limits.md"),
    include_str!("../../../taskvisor/src/guide/outcomes_and_events.md"),
    include_str!("../../../taskvisor/src/guide/pausing.md"),
    include_str!("../../../taskvisor/src/guide/readiness.md"),
    include_str!("../../../taskvisor/src/guide/restarts.md"),
    include_str!("../../../taskvisor/src/guide/slots.md"),
    include_str!("../../../taskvisor/src/guide/stopping.md"),
];

/// Each option is used in an example of the macros or of a guide, as `name = ..`, `name(..)` or alone.
#[test]
fn each_option_is_in_an_example() {
    let docs: String = LIB.lines().filter_map(|line| line.strip_prefix("///")).collect::<Vec<_>>().join("\n");
    let pages = [&*docs].into_iter().chain(GUIDES);
    let blocks = pages.flat_map(|page| page.split("```").skip(1).step_by(2));
    let code: String =
        blocks.filter(|block| !block.starts_with("text") && !block.starts_with("compile_fail")).collect();
    let is_used = |name: &str| {
        code.match_indices(name).any(|(at, _)| {
            let before = code[..at].chars().next_back();
            let after = code[at + name.len()..].trim_start();
            let is_whole = !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '"'));
            let is_given = after.starts_with("= ") || after.starts_with('(') || after.starts_with([',', ')']);
            is_whole && is_given
        })
    };
    let lists = [Place::Attribute.names(), Backoff::names(), crate::subscriber::names()];
    for name in lists.into_iter().chain(crate::supervise::names()).flatten() {
        assert!(is_used(name), "no example has `{name}`");
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
