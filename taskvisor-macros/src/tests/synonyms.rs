//! The words of other libraries.

use std::collections::HashSet;

use proc_macro2::TokenStream;

use super::messages;
use crate::options::{Backoff, Place};
use crate::synonyms::{ours, words};

#[test]
fn m06_each_word_means_one_that_is_read() {
    let [keys, of_group, of_limit, of_slot, of_signals] = crate::supervise::names();
    for (list, ours, theirs) in words() {
        let known: Vec<&str> = match *list {
            "option" => [&*Place::Attribute.names(), &Place::Entry.names(), &keys, &of_group].concat(),
            "`backoff`" => Backoff::names(),
            "limit" => of_limit.clone(),
            "slot" => of_slot.clone(),
            "`signals`" => of_signals.clone(),
            "`restart`" => vec!["always", "on_failure", "never"],
            "`strategy`" => vec!["one_for_one", "one_for_all", "rest_for_one"],
            "`jitter`" => vec!["none", "full", "equal", "decorrelated"],
            "`ready`" => vec!["start", "signal", "completed", "first_success"],
            "`critical`" => vec!["any_end"],
            "`missed`" => vec!["once", "skip"],
            "`standby`" => vec!["ready", "not_ready"],
            "`overrun`" => vec!["report", "abort"],
            "`ticks`" => vec!["at_most_once", "at_least_once"],
            "`blocking`" => vec!["pool"],
            "`admission`" => vec!["queue", "replace", "latest", "drop_if_running"],
            other => panic!("no such list: {other}"),
        };
        assert!(known.contains(ours), "{list}: {ours}");
        assert_eq!(theirs.iter().collect::<HashSet<_>>().len(), theirs.len(), "{list}: {ours}: one is there twice");
        for word in *theirs {
            let is_ours = known.contains(word) && !matches!((*list, *word), ("option", "stop_timeout"));
            assert!(!is_ours, "{list}: {word} is a word of ours");
        }
    }
}

/// What `#[task(..)]` and `supervise!(..)` say of the word.
fn said(code: &str) -> String {
    let tokens = |code: &str| code.parse::<TokenStream>().unwrap();
    let expanded = match code.strip_prefix("tree ") {
        Some(keys) => crate::supervise::expand(tokens(keys)),
        None => crate::task::expand(tokens(code), tokens("async fn ping() {}")),
    };
    messages(&expanded).join(" ")
}

#[test]
fn m06_the_words_of_others_are_known() {
    let in_task = "max_attempts retries deadline period schedule delay depends_on requires before shutdown_timeout \
                   heartbeat restart_policy permanent transient temporary initial multiplier cap";
    for word in in_task.split_whitespace() {
        let said = said(&format!("{word} = 3"));
        assert!(said.contains("write `") || said.contains("cannot be given here: "), "{word}: {said}");
        assert!(!said.contains("crate") && !said.contains("did you mean"), "{word}: {said}");
    }
    for word in "concurrency children grace_period intensity one_for_all members workers".split_whitespace() {
        let said = said(&format!("tree {word} = 3"));
        let is_told = said.contains("write `") || said.contains("cannot be given here: ") || word == "one_for_all";
        assert!(is_told, "{word}: {said}");
    }
    assert_eq!(said("retry = 3"), "unknown option `retry`: write `max_retries`");
    assert!(!said("rate = \"1s\"").contains("`crate`"));
}

#[test]
fn m06_a_word_is_known_in_any_case() {
    for written in ["OnError", "on-error", "ON_ERROR", "onError", "on error"] {
        assert_eq!(ours(&["`restart`"], written).next(), Some("on_failure"), "{written}");
    }
}
