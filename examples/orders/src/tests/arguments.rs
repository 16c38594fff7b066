//! The command line.

use std::time::Duration;

use crate::arguments::Arguments;

fn parse(given: &[&str]) -> Result<Arguments, String> {
    Arguments::parse(given.iter().map(ToString::to_string))
}

#[test]
fn options_are_read() {
    let all = parse(&["--listen", "127.0.0.1:0", "--load", "200", "--chaos", "7", "--claim", "0.5"]).unwrap();
    assert_eq!((all.load, all.chaos, all.claim), (Some(200), Some(7), Duration::from_millis(500)));
    assert!(parse(&["broker", "--outage", "60"]).unwrap().only_broker);
    assert_eq!(parse(&["--postgres", "postgres://db"]).unwrap().database(), "postgres://db");
    assert_eq!(parse(&["--sqlite", "/data/o"]).unwrap().database(), "sqlite:///data/o?mode=rwc");
}

#[test]
fn a_wrong_option_is_told() {
    assert_eq!(parse(&["--load", "x"]).unwrap_err(), "`--load x`: a number is expected");
    assert_eq!(parse(&["--sqlite"]).unwrap_err(), "`--sqlite` needs a value");
    assert_eq!(parse(&["--verbose", "1"]).unwrap_err(), "unknown argument `--verbose`");
    assert!(parse(&["--sqlite", "a", "--postgres", "b"]).unwrap_err().starts_with("there is one database"));
    assert!(parse(&["--claim", "-1"]).unwrap_err().contains("a number of seconds"));
}
