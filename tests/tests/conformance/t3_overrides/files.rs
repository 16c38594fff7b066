//! Overrides from files.

use super::*;

fn toml(text: &str) -> Overrides {
    Overrides::file("app.toml", toml::from_str(text).unwrap())
}

fn json(text: &str) -> Overrides {
    Overrides::file("app.json", serde_json::from_str(text).unwrap())
}

#[test]
fn t3_a_file_of_any_format_has_nested_maps() {
    let of_toml = toml(
        "
        grace = '1m'
        max_concurrent = 9
        poll.max_retries = 4

        [store.pool]
        timeout = '10s'
        backoff = { first = '1s', factor = 2.5, jitter = 'equal' }

        [store.cache.limit]
        max_restarts = 5
        within = '1m'

        [limits]
        db = 8
        ",
    );
    let of_json = json(
        r#"{
            "grace": "1m",
            "max_concurrent": 9,
            "poll.max_retries": 4,
            "store": {
                "pool": { "timeout": "10s", "backoff": { "first": "1s", "factor": 2.5, "jitter": "equal" } },
                "cache": { "limit": { "max_restarts": 5, "within": "1m" } }
            },
            "limits": { "db": 8 }
        }"#,
    );
    for overrides in [of_toml, of_json] {
        for (key, expected) in [
            ("grace", "1m"),
            ("max_concurrent", "9"),
            ("poll.max_retries", "4"),
            ("store.pool.timeout", "10s"),
            ("store.pool.backoff.first", "1s"),
            ("store.pool.backoff.factor", "2.5"),
            ("store.pool.backoff.jitter", "equal"),
            ("store.cache.limit.max_restarts", "5"),
            ("store.cache.limit.within", "1m"),
            ("limits.db", "8"),
        ] {
            assert_eq!(value(builder(), overrides.clone(), key), expected);
        }
    }
}

#[test]
fn t3_values_of_other_kinds_are_refused_with_their_file_and_key() {
    let texts = |overrides| -> Vec<String> { refused(builder(), overrides).iter().map(ToString::to_string).collect() };
    let of_toml = toml("drain = ['5s']\ngrace = 00:01:00\ntimeout = 2.5\n[stroe.pool]\ntimeout = '10s'\n");
    assert_eq!(
        texts(of_toml),
        [
            "app.toml: drain: it is a list, expected one value",
            "app.toml: stroe.pool.timeout: unknown setting, did you mean `store.pool.timeout`?",
            "app.toml: grace: \"00:01:00\" is a time of day: write \"1m\"",
            "app.toml: timeout: \"2.5\" has no unit after `2.5`: write for example \"2.5s\" or \"2.5ms\"",
        ]
    );
    let of_json = json(r#"{"grace": null, "drain": true, "grace": "1s", "store": {"pool": []}, "bus_capacity": -5}"#);
    assert_eq!(
        texts(of_json),
        [
            "app.json: grace: it is empty: leave it out",
            "app.json: grace: it is given twice, keep one",
            "app.json: store.pool: it has no value of its own, but settings such as `store.pool.backoff.factor`",
            "app.json: drain: \"true\" is not a duration: write for example \"10s\", \"250ms\" or \"1h30m\"",
            "app.json: bus_capacity: \"-5\" is no value of `bus_capacity`: expected at least 1",
        ]
    );
}

#[test]
fn t3_a_file_is_a_map() {
    for text in ["5", "\"grace\"", "[]", "null"] {
        assert!(serde_json::from_str::<Overrides>(text).is_err(), "{text}");
    }
    assert_eq!(value(builder(), json("{}"), "grace"), "30s");
}
