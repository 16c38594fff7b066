//! Tests of the values of options as text.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

/// Sets each part to the text that it shows.
fn repeats(value: &mut dyn Value, row: &'static str) {
    for name in value.names(row) {
        if let Some(text) = value.show(name) {
            value.set(name, &text).unwrap();
            assert_eq!(value.show(name), Some(text));
        }
    }
}

#[test]
fn t3_each_text_that_is_shown_sets_the_same_value() {
    let backoff = BackoffPolicy { factor: 1.5, jitter: JitterPolicy::Equal, ..BackoffPolicy::default() };
    let mut same = backoff;
    repeats(&mut same, "backoff");
    assert_eq!(same, backoff);
    for limit in [None, Some((0, MINUTE)), Some((u32::MAX, Duration::MAX))] {
        let mut same = limit;
        repeats(&mut same, "limit");
        assert_eq!(same, limit);
    }
    for rate in [None, Some((10_usize, MINUTE))] {
        let mut same = rate;
        repeats(&mut same, "rate");
        assert_eq!(same, rate);
    }
    repeats(&mut Some(Duration::from_nanos(61_000_000_001)), "timeout");
    repeats(&mut RestartPolicy::Always { interval: Some(Duration::ZERO) }, "restart");
    repeats(&mut true, "paused");
    repeats(&mut 100_usize, "capacity");
}

#[test]
fn t3_a_limit_is_set_by_both_parts_or_changed_by_one() {
    let mut limit = None::<(u32, Duration)>;
    assert_eq!(limit.lacks(&[MAX_RESTARTS]), Some(WITHIN));
    assert_eq!(limit.lacks(&[WITHIN]), Some(MAX_RESTARTS));
    assert_eq!(limit.lacks(&[WITHIN, MAX_RESTARTS]), None);
    limit.set(MAX_RESTARTS, "5").unwrap();
    limit.set(WITHIN, "1m").unwrap();
    assert_eq!(limit, Some((5, MINUTE)));
    assert_eq!(limit.lacks(&[WITHIN]), None);
    limit.set("limit", NONE).unwrap();
    assert_eq!(limit, None);
}

#[test]
fn t3_texts_that_are_no_values_are_refused() {
    let refused = |value: &mut dyn Value, text: &str| value.set("", text).unwrap_err();
    assert_eq!(refused(&mut Some(1_u32), "-1"), "\"-1\" is negative: write zero or more");
    assert_eq!(refused(&mut 1_u32, "4294967296"), "\"4294967296\" is too large: at most 4294967295");
    assert_eq!(refused(&mut 1_usize, "ten"), "\"ten\" is not a whole number: write for example \"5\"");
    assert_eq!(refused(&mut 1.0_f64, "two"), "\"two\" is not a number: write for example \"2.0\"");
    assert_eq!(refused(&mut true, "yes"), "\"yes\" is neither \"true\" nor \"false\"");
    assert_eq!(refused(&mut JitterPolicy::None, "eqal"), "\"eqal\" is no jitter, did you mean \"equal\"?");
    assert_eq!(refused(&mut Duration::default(), NONE), "it cannot be `none`: it always has a value");
    assert!(refused(&mut Duration::default(), "10").starts_with("\"10\" has no unit after `10`"));
    assert!(refused(&mut None::<(usize, Duration)>, "10").starts_with("\"10\" is not a rate"));
    assert!(refused(&mut None::<(u32, Duration)>, "10").starts_with("\"10\" is no limit"));
    let needs = "it needs the restart policy `Always`, which is the program's structure";
    assert_eq!(refused(&mut RestartPolicy::OnFailure, "10s"), needs);
}

#[test]
fn t3_only_a_value_that_is_never_none_can_be_zero() {
    let (mut number, mut time) = (5_u32, MINUTE);
    for value in [&mut number as &mut dyn Value, &mut time] {
        assert!(!value.is_zero());
        value.set_to_zero();
        assert!(value.is_zero());
    }
    assert_eq!((number, time), (0, Duration::ZERO));
    let mut none = Some(Duration::ZERO);
    none.set_to_zero();
    assert!(none == Some(Duration::ZERO) && !none.is_zero(), "`none` clears it");
}

#[test]
#[cfg(feature = "cron")]
fn t3_a_schedule_is_changed_and_neither_made_nor_cleared() {
    let mut none = None::<Arc<str>>;
    assert_eq!((none.show(CRON), none.show("zone")), (None, Some(NONE.to_owned())));
    assert!(none.set(CRON, "@daily").is_err());
    none.set("zone", "UTC").unwrap();
    assert_eq!((none.as_deref(), none.show("zone")), (Some("UTC"), Some("UTC".to_owned())));
    none.set("zone", NONE).unwrap();
    assert_eq!(none, None);
    let mut cron: Option<Arc<str>> = Some("@daily".into());
    assert!(cron.set(CRON, NONE).is_err());
    cron.set(CRON, "@hourly").unwrap();
    assert_eq!(cron.show(CRON), Some("@hourly".to_owned()));
    for missed in ["once", "skip"] {
        assert_eq!(Missed::read(missed).map(|it| it.write()), Ok(missed.to_owned()));
    }
    assert_eq!(Missed::read("skip"), Ok(Missed::Skip));
    assert!(Missed::read("never").is_err());
}
