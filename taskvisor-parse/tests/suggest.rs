use taskvisor_parse::suggest::{closest, list};

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
    assert_eq!(closest("stop", ["stop_timeout", "stop_signal"]), None);
}

#[test]
fn a_list_reads_as_a_sentence() {
    assert_eq!(list([], '`'), "");
    assert_eq!(list(["a"], '`'), "`a`");
    assert_eq!(list(["a", "b"], '"'), "\"a\" or \"b\"");
    assert_eq!(list(["a", "b", "c"], '`'), "`a`, `b` or `c`");
}
