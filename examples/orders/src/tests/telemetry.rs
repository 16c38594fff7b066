//! What `RUST_LOG` selects.

use std::ffi::OsStr;

use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::telemetry::targets;

fn read(value: &str) -> Result<Targets, String> {
    targets(Some(OsStr::new(value)))
}

#[test]
fn levels_and_targets_are_read() {
    let plain = Targets::new();
    assert_eq!(targets(None), Ok(plain.clone().with_default(LevelFilter::INFO)));
    assert_eq!(read(""), targets(None));
    assert_eq!(read("warn"), Ok(plain.clone().with_default(LevelFilter::WARN)));
    let both = plain.with_default(LevelFilter::INFO).with_target("sqlx::query", LevelFilter::OFF);
    assert_eq!(read("info, sqlx::query=off,"), Ok(both));
}

#[test]
fn a_wrong_value_is_told_with_the_part_that_is_wrong() {
    let expected = "a level or TARGET=LEVEL is expected";
    for (value, part) in [("inof", "inof"), ("info,sqlx=wran", "sqlx=wran"), ("info,sqlx", "sqlx"), ("sqlx=", "sqlx=")]
    {
        let wrong = read(value).unwrap_err();
        assert_eq!(wrong, format!("`RUST_LOG={value}`: {expected} for `{part}`, as in `info,sqlx=warn`"));
    }
    for value in ["attempt[{task=relay}]=debug", "=warn", "a b=warn"] {
        assert!(read(value).is_err(), "{value}");
    }
}
