//! Durations: what is read, and what is said about other texts.

use std::time::Duration;

use taskvisor_parse::duration::{display, parse};

#[test]
fn what_is_written_is_exact() {
    for (text, expected) in [
        ("0s", Duration::ZERO),
        ("10s", Duration::from_secs(10)),
        ("250ms", Duration::from_millis(250)),
        ("7us", Duration::from_micros(7)),
        ("9ns", Duration::from_nanos(9)),
        ("1h30m", Duration::from_secs(5_400)),
        ("1d1h1m1s1ms1us1ns", Duration::new(90_061, 1_001_001)),
        ("1.5s", Duration::from_millis(1_500)),
        ("0.1h", Duration::from_secs(360)),
        ("1.000000001s", Duration::new(1, 1)),
        ("0.3333d", Duration::new(28_797, 120_000_000)),
        ("2.50s", Duration::from_millis(2_500)),
        ("18446744073709551615s", Duration::from_secs(u64::MAX)),
    ] {
        assert_eq!(parse(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (text, expected) in [
        ("", "is not a duration"),
        ("s", "is not a duration"),
        (".5s", "\".5s\" has no digit before the point: write \"0.5s\""),
        (".s", "is not a duration"),
        ("+5s", "\"+5s\" has a sign: write \"5s\""),
        ("++5s", "is not a duration"),
        ("1_000ms", "\"1_000ms\" has a `_` in a number: write \"1000ms\""),
        ("1'000ms", "write \"1000ms\""),
        ("1_x", "unknown unit `_x`"),
        ("1,5s", "\"1,5s\" has a `,` in a number: write \"1.5s\""),
        ("1,500ms", "write \"1500ms\" or \"1.500ms\""),
        ("1,000,000ms", "write \"1000000ms\""),
        ("5,s", "\"5,s\" has a `,` in it: write \"5s\""),
        ("1h,30m", "\"1h,30m\" has a `,` in it: write \"1h30m\""),
        ("1,x", "unknown unit `,x`"),
        ("PT5S", "\"PT5S\" is in the notation of ISO 8601: write \"5s\""),
        ("P1DT2H30M", "write \"1d2h30m\""),
        ("P1M", "is not a duration"),
        ("P", "is not a duration"),
        ("10", "has no unit after `10`"),
        ("1h30", "has no unit after `30`"),
        ("5sec", "\"5sec\" has units of other names: write \"5s\""),
        ("5Minutes", "write \"5m\""),
        ("5usec", "write \"5us\""),
        ("5 seconds", "write \"5s\""),
        ("1 hour and 30 minutes", "write \"1h30m\""),
        ("1 Hour, 30 min", "write \"1h30m\""),
        ("1.5 hours", "write \"1.5h\""),
        ("2 weeks", "write \"14d\""),
        ("1.5 weeks", "is not a duration"),
        ("30 minutes 1 hour", "is not a duration"),
        ("99999999999999999999 weeks", "is not a duration"),
        ("a few seconds", "is not a duration"),
        ("5 seconds ago", "is not a duration"),
        ("seconds", "is not a duration"),
        ("5 M", "write \"5m\""),
        ("1e3s", "has an exponent"),
        ("1h and 30m", "\"1h and 30m\" is not a duration"),
        ("00:05:00", "write \"5m\""),
        ("01:30", "\"01:30\" has no units: write \"1m30s\" or \"1h30m\""),
        ("18446744073709551615:0", "unknown unit `:`"),
        ("5x", "expected `ns`, `us`, `ms`, `s`, `m`, `h` or `d`"),
        ("5 s", "has a space in it: write \"5s\""),
        ("5 x", "\"5 x\" is not a duration"),
        ("30m1h", "out of order"),
        ("1s1s", "out of order"),
        ("-1s", "is negative"),
        ("1..5s", "`1..5` in \"1..5s\" is not a number"),
        ("1.s", "is not a number"),
        ("0.5ns", "finer than a nanosecond"),
        ("0.0000000001s", "finer than a nanosecond"),
        ("18446744073709551616s", "longer than a `Duration` can be"),
        ("340282366920938463463374607431768211456s", "longer than"),
        ("340282366920938463463374607431768211455d", "longer than"),
    ] {
        let message = parse(text).expect_err(text);
        assert!(message.contains(expected), "{text}: {message}");
    }
}

#[test]
fn a_number_gets_only_units_that_it_can_have() {
    for (text, expected) in [
        ("5", "\"5\" has no unit after `5`: write for example \"5s\" or \"5ms\""),
        ("0.0000005", "\"0.0000005\" has no unit after `0.0000005`: write for example \"0.0000005s\""),
        ("18446744073709551616", "write for example \"18446744073709551616ms\""),
        ("5.", "`5.` in \"5.\" is not a number"),
        ("1.2.3", "`1.2.3` in \"1.2.3\" is not a number"),
        ("0.00000000001", "\"0.00000000001\" is finer than a nanosecond"),
        ("99999999999999999999999", "\"99999999999999999999999\" is longer than a `Duration` can be"),
    ] {
        let message = parse(text).expect_err(text);
        assert!(message.ends_with(expected), "{text}: {message}");
    }
}

#[test]
fn what_is_displayed_is_read_back() {
    for nanos in [0, 1, 999, 1_000, 1_500_000, 60_000_000_000, 86_400_000_000_001, u64::MAX] {
        let duration = Duration::from_nanos(nanos);
        assert_eq!(parse(&display(duration)), Ok(duration));
    }
    assert_eq!(parse(&display(Duration::MAX)), Ok(Duration::MAX));
}
