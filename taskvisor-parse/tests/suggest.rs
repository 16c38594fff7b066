//! Words that were probably meant.

use taskvisor_parse::suggest::{closest, list, zone};

const KNOWN: [&str; 6] = ["restart", "interval", "timeout", "stop_timeout", "max_retries", "initial_delay"];

#[test]
fn the_nearest_word_is_meant() {
    for (written, meant) in [
        ("restrat", Some("restart")),
        ("intervall", Some("interval")),
        ("TimeOut", Some("timeout")),
        ("stop-timeout", Some("stop_timeout")),
        ("timeuot", Some("timeout")),
        ("imeout", Some("timeout")),
        ("delay", Some("initial_delay")),
        ("retries", Some("max_retries")),
        ("frobnicate", None),
        ("x", None),
        ("", None),
    ] {
        assert_eq!(closest(written, KNOWN), meant, "{written}");
    }
    // One edit of a short word, two of a longer one, none of a letter; a swap of neighbors is one.
    assert_eq!(closest("x", ["y"]), None);
    assert_eq!(closest("", ["y"]), None);
    assert_eq!(closest("ba", ["ab"]), Some("ab"));
    assert_eq!(closest("xa", ["ab"]), None);
    assert_eq!(closest("ab", ["xa"]), None);
    assert_eq!(closest("badcef", ["abcdef"]), Some("abcdef"));
    assert_eq!(closest("badcex", ["abcdef"]), None);
    assert_eq!(closest("stop", ["stop_timeout", "stop_signal"]), None);
}

#[test]
fn a_list_reads_as_a_sentence() {
    assert_eq!(list([], '`'), "");
    assert_eq!(list(["a"], '`'), "`a`");
    assert_eq!(list(["a", "b"], '"'), "\"a\" or \"b\"");
    assert_eq!(list(["a", "b", "c"], '`'), "`a`, `b` or `c`");
}

#[test]
fn the_zone_of_a_name_or_city_is_meant() {
    let known = [
        "America/Argentina/Buenos_Aires",
        "America/Kentucky/Louisville",
        "America/Louisville",
        "America/New_York",
        "CET",
        "EST",
        "Etc/GMT+1",
        "Europe/Berlin",
        "Europe/Oslo",
        "UTC",
    ];
    for (written, meant) in [
        ("Europe/Berlim", Some("Europe/Berlin")),
        ("europe/berlin", Some("Europe/Berlin")),
        ("Berlin", Some("Europe/Berlin")),
        ("Europa/Berlin", Some("Europe/Berlin")),
        ("Germany/Berlin", None),
        (" Europe/Berlin ", Some("Europe/Berlin")),
        ("New York", Some("America/New_York")),
        ("america/new york", Some("America/New_York")),
        ("NewYork", Some("America/New_York")),
        ("Buenos Aires", Some("America/Argentina/Buenos_Aires")),
        ("Louisville", Some("America/Kentucky/Louisville")),
        ("oslo", Some("Europe/Oslo")),
        ("Olso", None),
        ("utc", Some("UTC")),
        ("PST", None),
        ("CEST", None),
        ("GMT+1", Some("Etc/GMT+1")),
        ("+01:00", None),
        ("", None),
        ("/", None),
    ] {
        assert_eq!(zone(written, known), meant, "{written}");
    }
    assert_eq!(zone("Berlin", []), None);
    assert_eq!(zone(&"é".repeat(if cfg!(miri) { 1_000 } else { 1_000_000 }), known), None);
}
