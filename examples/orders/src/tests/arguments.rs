//! The command line.

use std::time::Duration;

use crate::arguments::Arguments;

fn parse(given: &[&str]) -> Result<Arguments, String> {
    let variable = |name: &str| (name == "DATABASE_URL").then(|| "postgres://secret@db".to_owned());
    Arguments::parse(given.iter().map(ToString::to_string), variable)
}

#[test]
fn options_are_read() {
    let all = parse(&["--listen", "127.0.0.1:0", "--load", "200", "--chaos", "7", "--claim", "7.5"]).unwrap();
    assert_eq!((all.load, all.chaos, all.claim), (Some(200), Some(7), Duration::from_millis(7500)));
    assert!(parse(&["broker", "--outage", "60"]).unwrap().only_broker);
    assert_eq!(parse(&["--postgres", "postgres://db"]).unwrap().database(), "postgres://db");
    assert_eq!(parse(&["--postgres-variable", "DATABASE_URL"]).unwrap().database(), "postgres://secret@db");
    assert_eq!(parse(&["--broker", "broker.example:9000"]).unwrap().broker.unwrap().host(), "broker.example");
    assert_eq!(parse(&["--sqlite", "/data/o"]).unwrap().database(), "sqlite:///data/o?mode=rwc");
}

#[test]
fn a_wrong_option_is_told() {
    assert_eq!(parse(&["--load", "x"]).unwrap_err(), "`--load x`: a number is expected");
    assert_eq!(parse(&["--sqlite"]).unwrap_err(), "`--sqlite` needs a value");
    for unknown in ["--verbose", "--verbose 1", "x", "ADDR", "--postgres-"] {
        let unknown: Vec<_> = unknown.split(' ').collect();
        assert_eq!(parse(&unknown).unwrap_err(), format!("unknown argument `{}`", unknown[0]));
    }
    assert!(parse(&["--sqlite", "a", "--postgres", "b"]).unwrap_err().starts_with("there is one database"));
    assert_eq!(parse(&["--claim", "1"]).unwrap_err(), "`--claim 1`: at least 5 is expected");
    assert_eq!(parse(&["--broker", "broker"]).unwrap_err(), "`--broker broker`: a host and a port is expected");
    assert_eq!(parse(&["--postgres", "secret"]).unwrap_err(), "the URL of PostgreSQL is not valid");
    let missing = parse(&["--postgres-variable", "URL"]).unwrap_err();
    assert_eq!(missing, "`--postgres-variable URL`: there is no such variable");
    assert!(parse(&["--claim", "-1"]).unwrap_err().contains("a number of seconds"));
}
