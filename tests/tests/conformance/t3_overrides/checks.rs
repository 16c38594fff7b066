//! The values of overrides.

use taskvisor::{BackoffPolicy, Origin, SlotSpec};

use super::*;

#[test]
fn t3_texts_that_are_no_values_are_refused() {
    for (key, given, message) in [
        ("grace", "", "grace: it is empty: leave it out"),
        ("grace", " \n", "grace: it is empty: leave it out"),
        ("timeout", "", "timeout: it is empty: leave it out, or write `none` for no value"),
        ("timeout", " \n", "timeout: it is empty: leave it out, or write `none` for no value"),
        ("grace", "10s\n", "grace: \"10s\\n\" has blanks around the value: write \"10s\""),
        ("grace", "10", "grace: \"10\" has no unit after `10`: write for example \"10s\" or \"10ms\""),
        ("grace", "none", "grace: it cannot be `none`: it always has a value"),
        ("poll.max_retries", "many", "poll.max_retries: \"many\" is not a whole number: write for example \"5\""),
        ("poll.max_retries", "-1", "poll.max_retries: \"-1\" is negative: write zero or more"),
        ("grace", " 10", "grace: \"10\" has no unit after `10`: write for example \"10s\" or \"10ms\""),
        (
            "poll.timeout",
            "0",
            "poll.timeout: \"0\" is no value of `timeout`: expected a time longer than zero, or `none`",
        ),
        ("timeout", "0", "timeout: \"0\" is no value of `timeout`: expected more than zero, or `none`"),
        (
            "max_concurrent",
            "-1",
            "max_concurrent: \"-1\" is no value of `max_concurrent`: expected more than zero, or `none`",
        ),
        (
            "store.max_concurrent",
            "-1",
            "store.max_concurrent: \"-1\" is no value of `max_concurrent`: expected at least 1",
        ),
        ("max_concurrent", "0", "max_concurrent: \"0\" means no `max_concurrent`: write `none`"),
        (
            "store.limit",
            "5",
            "store.limit: \"5\" is no limit: set `limit.max_restarts` and `limit.within`, or write `none`",
        ),
    ] {
        assert_eq!(refused_key(builder(), key, given), message);
    }
}

#[test]
fn t3_none_clears() {
    for key in ["poll.every", "store.pool.timeout", "store.limit", "max_concurrent", "timeout", "poll.max_retries"] {
        assert_eq!(value(builder(), [(key, "none")], key), "none");
    }
}

#[test]
fn t3_what_the_program_could_not_set_names_the_override() {
    for (key, given, message) in [
        ("poll.every", "0s", "poll.every: task `poll`: `every` is 0ns, expected a period longer than zero"),
        (
            "poll.timeout",
            "0s",
            "poll.timeout: task `poll`: `timeout` is 0s, expected a time longer than zero, or `none`",
        ),
        (
            "poll.backoff.max",
            "1ms",
            "poll.backoff.max: task `poll`: `backoff.first` is 100ms, above `backoff.max`, which is 1ms, expected at \
             most `backoff.max`",
        ),
        (
            "store.limit.within",
            "0s",
            "store.limit.within: group `store`: `limit.within` is 0ns, expected a time longer than zero",
        ),
        (
            "store.max_concurrent",
            "0",
            "store.max_concurrent: group `store`: `max_concurrent` is 0, expected at least 1",
        ),
        ("limits.db", "0", "limits.db: limit `db`: `max_concurrent` is 0, expected at least 1"),
        ("bus_capacity", "0", "bus_capacity: config: `bus_capacity` is 0, expected at least 1"),
        (
            "max_starting",
            "0",
            "max_starting: group `root`: `max_starting` is 0, expected at least 1: nothing could start",
        ),
        (
            "store.pool.splay",
            "5s",
            "store.pool.splay: task `pool`: `splay` is 5s, expected a period, an interval or a schedule beside it",
        ),
        ("slots.deploy.capacity", "0", "slots.deploy.capacity: slot `deploy`: `capacity` is 0, expected at least 1"),
        (
            "controller.slot_capacity",
            "0",
            "controller.slot_capacity: controller: `slot_capacity` is 0, expected at least 1",
        ),
        (
            "poll.interval",
            "1s",
            "poll.interval: task `poll`: `every` is 60s, expected either `every` or `interval`, not both",
        ),
        ("interval", "1s", "interval: it needs the restart policy `Always`, which is the program's structure"),
    ] {
        assert_eq!(refused_key(builder().with_slot(SlotSpec::new("deploy")), key, given), message);
    }
}

#[test]
fn t3_of_two_values_that_exclude_each_other_that_of_the_refused_option_is_named() {
    let (first, max) = (("poll.backoff.first", "10s"), ("poll.backoff.max", "1s"));
    for overrides in [[first, max], [max, first]] {
        let invalid = refused(builder(), overrides);
        let origins: Vec<_> = invalid.iter().map(|invalid| invalid.origin.to_string()).collect();
        assert_eq!(origins, ["poll.backoff.first"]);
    }
}

#[test]
fn t3_one_part_of_a_limit_needs_the_other() {
    assert_eq!(
        refused_key(builder(), "poll.limit.max_restarts", "5"),
        "poll.limit.max_restarts: it needs `limit.within` beside it, which the program does not set"
    );
    let both = [("poll.limit.max_restarts", "5"), ("poll.limit.within", "1m")];
    assert_eq!(value(builder(), both, "poll.limit.within"), "1m");
    assert_eq!(value(builder(), [("store.limit.within", "2m")], "store.limit.max_restarts"), "3");
    // A file clears the limit, and a variable sets one part.
    let cleared = || Overrides::from([("store.limit", "none")]);
    let invalid = refused(builder(), cleared().then([("store.limit.within", "2m")]));
    assert!(invalid[0].message.starts_with("it needs `limit.max_restarts`"), "{invalid:?}");
    let again = cleared().then([("store.limit.within", "2m"), ("store.limit.max_restarts", "7")]);
    assert_eq!(value(builder(), again.clone(), "store.limit.max_restarts"), "7");
    assert_eq!(value(builder(), again.then(cleared()), "store.limit"), "none");
}

#[test]
fn t3_all_errors_are_reported_at_once_each_with_its_origin() {
    let file = Overrides::file("app.toml", Overrides::from([("poll.every", "often"), ("poll.backoff.max", "1ms")]));
    let variables = Overrides::variables("APP", [("APP_POLL_WATCHDOG", "0s"), ("APP_GRACE", "1"), ("APP_X", "1")]);
    let invalid = refused(builder(), file.then(variables));
    let origins: Vec<_> = invalid.iter().map(|invalid| invalid.origin.to_string()).collect();
    assert_eq!(
        origins,
        ["APP_X", "APP_GRACE", "app.toml: poll.every", "app.toml: poll.backoff.max", "APP_POLL_WATCHDOG"]
    );
    assert_eq!(invalid[0].origin, Origin::Variable { name: "APP_X".into() });
    let error = RuntimeError::InvalidOverrides(invalid[..2].to_vec());
    assert_eq!(
        error.to_string(),
        "2 invalid overrides: APP_X: unknown setting: nothing that the tree declares has it, and what is added at run \
         time has no settings; APP_GRACE: \"1\" has no unit after `1`: write for example \"1s\" or \"1ms\""
    );
    assert_eq!((error.exit_code(), error.as_label()), (2, "runtime_invalid_overrides"));
}

#[test]
fn t3_a_name_is_given_once_in_each_source() {
    let invalid = refused(builder(), [("grace", "1s"), ("grace", "2s")]);
    assert_eq!(invalid[0].to_string(), "grace: it is given twice, keep one");
    assert_eq!(value(builder(), Overrides::from([("grace", "1s")]).then([("grace", "2s")]), "grace"), "2s");
}

#[test]
fn t3_what_the_program_does_wrong_is_not_the_fault_of_an_override() {
    let wrong = endless("wrong").with_watchdog(Duration::ZERO);
    let built = builder().task(wrong.clone()).with_overrides([("grace", "1m"), ("wrong.timeout", "1s")]).try_build();
    assert!(matches!(built, Err(RuntimeError::InvalidOption(invalid)) if invalid.option == "watchdog"));
    // An override can mend it.
    assert_eq!(value(builder().task(wrong), [("wrong.watchdog", "1s")], "wrong.watchdog"), "1s");
}

#[test]
fn t3_an_override_of_the_tree_that_a_task_cannot_inherit_is_refused() {
    let config = SupervisorConfig { restart: ALWAYS, ..config() };
    let poll = |name: &str| endless(name).with_every(Duration::from_secs(60));
    let tree = || Tree::builder(config.clone()).task(poll("a")).task(poll("b"));
    assert_eq!(
        refused_key(tree(), "interval", "9s"),
        "interval: task `a`: `every` is 60s, expected either `every` or `interval`, not both"
    );
    // With an override of each task, it can.
    let each = [("interval", "9s"), ("a.every", "none"), ("b.every", "none")];
    assert_eq!(value(tree(), each, "b.interval"), "9s");
}

#[test]
fn t3_an_invalid_override_leaves_the_others_without_effect() {
    let backoff = BackoffPolicy { max: Duration::from_secs(1), ..BackoffPolicy::default() };
    let tree = builder()
        .task(endless("a").with_backoff(backoff))
        .with_overrides([("grace", "1m"), ("a.backoff.max", "1ms")])
        .build();
    assert!(tree.child("poll").current().is_none());
    assert_eq!(tree.settings().get("grace").unwrap().value(), "30s");
    assert_eq!(tree.settings().get("a.backoff.max").unwrap().value(), "1s");
}

#[cfg(unix)]
#[test]
fn t3_texts_that_are_not_utf_8_are_refused() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;

    let bytes = |text: &[u8]| OsString::from_vec(text.to_vec());
    let variables = [(bytes(b"APP_GRACE"), bytes(b"1\xff")), (bytes(b"APP_\xffGRACE"), bytes(b"1s"))];
    let invalid = refused(builder(), Overrides::variables("APP", variables));
    let texts: Vec<_> = invalid.iter().map(ToString::to_string).collect();
    assert_eq!(texts[0], "APP_GRACE: it is not UTF-8");
    assert!(texts[1].starts_with("APP_\u{fffd}GRACE: unknown setting"), "{texts:?}");
}
