//! When patterns occur where the clock is changed.

use std::ops::Range;

use taskvisor_parse::cron::{Civil, Offset, Utc, Zone};

use crate::kit::{Changes, between, instant, pattern, show};

/// Berlin on 2026-03-29: from 02:00 to 03:00.
fn berlin_in_spring() -> Changes {
    Changes::one(3_600, "2026-03-29T01:00:00Z", 7_200)
}

/// Berlin on 2026-10-25: from 03:00 back to 02:00.
fn berlin_in_autumn() -> Changes {
    Changes::one(7_200, "2026-10-25T01:00:00Z", 3_600)
}

fn check(zone: &impl Zone, Range { start, end }: Range<&str>, rows: &[(&str, &[&str])]) {
    for (text, expected) in rows {
        assert_eq!(between(text, zone, start, end), *expected, "{text}");
    }
}

#[test]
fn a_fixed_time_in_a_gap_occurs_once_at_its_end() {
    check(
        &berlin_in_spring(),
        "2026-03-29T00:00:00Z".."2026-03-30T00:00:00Z",
        &[
            ("30 2 * * *", &["2026-03-29T01:00:00Z, 03:00:00 for 02:30:00"]),
            ("0 2 * * *", &["2026-03-29T01:00:00Z, 03:00:00 for 02:00:00", "2026-03-30T00:00:00Z, 02:00:00"]),
            ("0-59 2 29 * *", &["2026-03-29T01:00:00Z, 03:00:00 for 02:00:00"]),
            ("0,30 2-3 * mar sun", &["2026-03-29T01:00:00Z, 03:00:00 for 02:00:00", "2026-03-29T01:30:00Z, 03:30:00"]),
            ("0 3 * * *", &["2026-03-29T01:00:00Z, 03:00:00"]),
            ("59 1 * * *", &["2026-03-29T00:59:00Z, 01:59:00", "2026-03-29T23:59:00Z, 01:59:00"]),
        ],
    );
}

#[test]
fn a_wildcard_does_not_occur_in_a_gap() {
    check(
        &berlin_in_spring(),
        "2026-03-29T00:00:00Z".."2026-03-29T03:00:00Z",
        &[
            (
                "*/30 * * * *",
                &[
                    "2026-03-29T00:30:00Z, 01:30:00",
                    "2026-03-29T01:00:00Z, 03:00:00",
                    "2026-03-29T01:30:00Z, 03:30:00",
                    "2026-03-29T02:00:00Z, 04:00:00",
                    "2026-03-29T02:30:00Z, 04:30:00",
                    "2026-03-29T03:00:00Z, 05:00:00",
                ],
            ),
            ("*/15 2 * * *", &[]),
            ("30 */2 * * *", &["2026-03-29T02:30:00Z, 04:30:00"]),
            (
                "@hourly",
                &["2026-03-29T01:00:00Z, 03:00:00", "2026-03-29T02:00:00Z, 04:00:00", "2026-03-29T03:00:00Z, 05:00:00"],
            ),
        ],
    );
}

#[test]
fn a_fixed_time_in_a_fold_occurs_in_the_first_pass() {
    check(
        &berlin_in_autumn(),
        "2026-10-24T23:00:00Z".."2026-10-25T03:00:00Z",
        &[
            ("30 2 * * *", &["2026-10-25T00:30:00Z, 02:30:00"]),
            ("0 2 * * *", &["2026-10-25T00:00:00Z, 02:00:00"]),
            ("59 2 * * *", &["2026-10-25T00:59:00Z, 02:59:00"]),
            ("0 3 * * *", &["2026-10-25T02:00:00Z, 03:00:00"]),
            (
                "0,20,40 2,3 * * *",
                &[
                    "2026-10-25T00:00:00Z, 02:00:00",
                    "2026-10-25T00:20:00Z, 02:20:00",
                    "2026-10-25T00:40:00Z, 02:40:00",
                    "2026-10-25T02:00:00Z, 03:00:00",
                    "2026-10-25T02:20:00Z, 03:20:00",
                    "2026-10-25T02:40:00Z, 03:40:00",
                ],
            ),
        ],
    );
    let in_second_pass = instant("2026-10-25T01:10:00Z");
    let next = pattern("30 2 * * *").next(in_second_pass, &berlin_in_autumn()).unwrap();
    assert_eq!(show(next), "2026-10-26T01:30:00Z, 02:30:00");
}

#[test]
fn a_wildcard_in_a_fold_occurs_in_both_passes() {
    check(
        &berlin_in_autumn(),
        "2026-10-24T23:30:00Z".."2026-10-25T02:00:00Z",
        &[
            (
                "*/30 2 * * *",
                &[
                    "2026-10-25T00:00:00Z, 02:00:00",
                    "2026-10-25T00:30:00Z, 02:30:00",
                    "2026-10-25T01:00:00Z, 02:00:00",
                    "2026-10-25T01:30:00Z, 02:30:00",
                ],
            ),
            (
                "0 */1 * * *",
                &["2026-10-25T00:00:00Z, 02:00:00", "2026-10-25T01:00:00Z, 02:00:00", "2026-10-25T02:00:00Z, 03:00:00"],
            ),
        ],
    );
}

#[test]
fn changes_of_half_an_hour() {
    let spring = Changes::one(37_800, "2026-10-03T15:30:00Z", 39_600);
    check(
        &spring,
        "2026-10-03T15:00:00Z".."2026-10-03T16:00:00Z",
        &[
            ("0,10,20,30 2 * * *", &["2026-10-03T15:30:00Z, 02:30:00 for 02:00:00"]),
            ("15 2 * * *", &["2026-10-03T15:30:00Z, 02:30:00 for 02:15:00"]),
            (
                "*/15 * * * *",
                &[
                    "2026-10-03T15:15:00Z, 01:45:00",
                    "2026-10-03T15:30:00Z, 02:30:00",
                    "2026-10-03T15:45:00Z, 02:45:00",
                    "2026-10-03T16:00:00Z, 03:00:00",
                ],
            ),
        ],
    );
    let autumn = Changes::one(39_600, "2026-04-04T15:00:00Z", 37_800);
    check(
        &autumn,
        "2026-04-04T14:20:00Z".."2026-04-04T15:40:00Z",
        &[
            ("30,45 1,2 * * *", &["2026-04-04T14:30:00Z, 01:30:00", "2026-04-04T14:45:00Z, 01:45:00"]),
            ("0 2 * * *", &["2026-04-04T15:30:00Z, 02:00:00"]),
            ("*/30 1 * * *", &["2026-04-04T14:30:00Z, 01:30:00", "2026-04-04T15:00:00Z, 01:30:00"]),
        ],
    );
}

#[test]
fn a_skipped_day() {
    let samoa = Changes::one(-36_000, "2011-12-30T10:00:00Z", 50_400);
    check(
        &samoa,
        "2011-12-29T12:00:00Z".."2011-12-31T00:00:00Z",
        &[
            (
                "0 12 * * *",
                &[
                    "2011-12-29T22:00:00Z, 12:00:00",
                    "2011-12-30T10:00:00Z, 00:00:00 for 12:00:00",
                    "2011-12-30T22:00:00Z, 12:00:00",
                ],
            ),
            ("0 4,8,12 30 12 *", &["2011-12-30T10:00:00Z, 00:00:00 for 04:00:00"]),
            ("0 0 * * *", &["2011-12-30T10:00:00Z, 00:00:00 for 00:00:00"]),
            ("0 0 31 * *", &["2011-12-30T10:00:00Z, 00:00:00"]),
            ("0 */6 30 * *", &[]),
            (
                "0 */12 * * *",
                &["2011-12-29T22:00:00Z, 12:00:00", "2011-12-30T10:00:00Z, 00:00:00", "2011-12-30T22:00:00Z, 12:00:00"],
            ),
        ],
    );
    let shifted = pattern("0 0 * * *").next(instant("2011-12-30T00:00:00Z"), &samoa).unwrap();
    assert_eq!(shifted.due.to_string(), "2011-12-30T00:00:00");
    assert_eq!(shifted.local.to_string(), "2011-12-31T00:00:00");
}

#[test]
fn a_repeated_day() {
    let kwajalein = Changes::one(39_600, "1969-09-30T13:00:00Z", -43_200);
    check(
        &kwajalein,
        "1969-09-29T13:00:00Z".."1969-10-02T00:00:00Z",
        &[
            ("30 12 * * *", &["1969-09-30T01:30:00Z, 12:30:00", "1969-10-02T00:30:00Z, 12:30:00"][..1]),
            ("0 1 * * *", &["1969-09-29T14:00:00Z, 01:00:00", "1969-10-01T13:00:00Z, 01:00:00"]),
            ("0 */12 30 * *", &["1969-09-30T01:00:00Z, 12:00:00", "1969-10-01T00:00:00Z, 12:00:00"]),
        ],
    );
}

#[test]
fn a_gap_and_a_fold_at_midnight() {
    let spring = Changes::one(-10_800, "2018-11-04T03:00:00Z", -7_200);
    check(
        &spring,
        "2018-11-03T12:00:00Z".."2018-11-05T02:00:00Z",
        &[
            ("@daily", &["2018-11-04T03:00:00Z, 01:00:00 for 00:00:00", "2018-11-05T02:00:00Z, 00:00:00"]),
            ("59 23 3 11 *", &["2018-11-04T02:59:00Z, 23:59:00"]),
            ("*/20 0 4 11 *", &[]),
        ],
    );
    let autumn = Changes::one(-7_200, "2019-02-17T02:00:00Z", -10_800);
    check(
        &autumn,
        "2019-02-16T12:00:00Z".."2019-02-17T06:00:00Z",
        &[
            ("0 0 * * *", &["2019-02-17T03:00:00Z, 00:00:00"]),
            ("30 23 * * *", &["2019-02-17T01:30:00Z, 23:30:00"]),
            (
                "*/30 23 * * sat",
                &[
                    "2019-02-17T01:00:00Z, 23:00:00",
                    "2019-02-17T01:30:00Z, 23:30:00",
                    "2019-02-17T02:00:00Z, 23:00:00",
                    "2019-02-17T02:30:00Z, 23:30:00",
                ],
            ),
        ],
    );
}

#[test]
fn an_offset_with_seconds() {
    let monrovia = Changes::one(-2_670, "1972-01-07T00:44:30Z", 0);
    check(
        &monrovia,
        "1972-01-06T23:44:30Z".."1972-01-07T02:00:00Z",
        &[
            ("30 23 * * *", &["1972-01-07T00:14:30Z, 23:30:00"]),
            ("0,15,30 0 * * *", &["1972-01-07T00:44:30Z, 00:44:30 for 00:00:00"]),
            ("44 0 * * *", &["1972-01-07T00:44:30Z, 00:44:30 for 00:44:00"]),
            ("45 0 * * *", &["1972-01-07T00:45:00Z, 00:45:00"]),
            (
                "*/30 * * * *",
                &[
                    "1972-01-07T00:14:30Z, 23:30:00",
                    "1972-01-07T01:00:00Z, 01:00:00",
                    "1972-01-07T01:30:00Z, 01:30:00",
                    "1972-01-07T02:00:00Z, 02:00:00",
                ],
            ),
        ],
    );
    // Within one minute: 12:00:40 becomes 11:59:50, and 12:00:00 comes twice.
    let back = Changes::one(0, "2026-01-01T12:00:40Z", -50);
    check(
        &back,
        "2026-01-01T11:59:00Z".."2026-01-01T12:01:40Z",
        &[
            ("0 12 * * *", &["2026-01-01T12:00:00Z, 12:00:00"]),
            ("* * * * *", &["2026-01-01T12:00:00Z, 12:00:00", "2026-01-01T12:00:50Z, 12:00:00"]),
        ],
    );
}

#[test]
fn a_gap_within_the_second_pass_of_a_fold() {
    // 03:00 becomes 01:00, and then 01:30 becomes 02:30: what the first pass had does not occur again.
    let zone = Changes {
        first: 7_200,
        then: vec![(instant("2026-06-01T01:00:00Z"), 0), (instant("2026-06-01T01:30:00Z"), 3_600)],
    };
    check(
        &zone,
        "2026-05-31T23:00:00Z".."2026-06-01T02:10:00Z",
        &[
            ("0 2 * * *", &["2026-06-01T00:00:00Z, 02:00:00"]),
            ("45 2 * * *", &["2026-06-01T00:45:00Z, 02:45:00"]),
            ("0 3 * * *", &["2026-06-01T02:00:00Z, 03:00:00"]),
            (
                "45 */1 * * *",
                &["2026-05-31T23:45:00Z, 01:45:00", "2026-06-01T00:45:00Z, 02:45:00", "2026-06-01T01:45:00Z, 02:45:00"],
            ),
        ],
    );
}

#[test]
fn both_day_fields() {
    let days = |text: &str| -> Vec<u8> {
        let (pattern, june) = (pattern(text), instant("2026-06-30T23:59:00Z"));
        pattern
            .upcoming(instant("2026-05-31T23:59:00Z"), &Utc)
            .take_while(|next| next.at < june)
            .map(|next| next.due.day)
            .collect()
    };
    // The first of June 2026 is a Monday.
    assert_eq!(days("0 0 13 * fri"), [5, 12, 13, 19, 26], "one of both");
    assert_eq!(days("0 0 */13 * fri"), [], "both: 1, 14 and 27 are no Fridays");
    assert_eq!(days("0 0 */13 * sun"), [14], "both");
    assert_eq!(days("0 0 13,27 * */6"), [13, 27], "both: */6 is Sunday and Saturday");
    assert_eq!(days("0 0 * * mon#2"), [8]);
    assert_eq!(days("0 0 * * tue#L,wed#1"), [3, 30]);
    assert_eq!(days("0 0 L * *"), [30]);
    assert_eq!(days("0 0 L * mon#1,tue#5"), [1, 30]);
    assert_eq!(days("0 0 * * wed#5"), []);
}

#[test]
fn an_offset_of_more_than_26_hours_counts_as_26() {
    for (offset, expected) in [(i32::MAX, 93_600), (93_601, 93_600), (-93_600, -93_600), (i32::MIN, -93_600)] {
        let zone = Changes { first: offset, then: Vec::new() };
        for text in ["30 2 * * *", "*/30 * * * *"] {
            let next = pattern(text).next(0, &zone).unwrap();
            assert_eq!(next.local, Civil::from_seconds(next.at + expected), "{text} with {offset}");
            assert!(next.at <= 86_400, "{text} with {offset}: {next:?}");
        }
    }
}

#[test]
fn a_fixed_time_that_the_clock_has_shown_does_not_occur_again_however_far_the_clock_goes_back() {
    let zone = Changes { first: 93_600, then: vec![(1_000_000, -93_600)] };
    // The clock has shown day 12, goes back by 52 hours, and shows it again 36 hours after the change.
    let next = pattern("0 0 * * *").next(1_108_000, &zone).unwrap();
    assert_eq!((next.at, next.due), (1_216_800, Civil::from_seconds(13 * 86_400)));
}

#[test]
fn nothing_occurs_after_the_year_9999_of_the_clock() {
    let last = 253_402_300_799; // 9999-12-31T23:59:59Z
    let minutes = pattern("* * * * *");
    assert_eq!(minutes.next(last - 60, &Utc).map(|next| next.at), Some(last - 59));
    assert_eq!(minutes.next(last - 59, &Utc), None);
    let ahead = Changes { first: 3_600, then: Vec::new() };
    assert_eq!(minutes.next(last - 3_660, &ahead).map(|next| next.at), Some(last - 3_659));
    assert_eq!(minutes.next(last - 3_659, &ahead), None);
    assert_eq!(minutes.next(last - 1_800, &ahead), None);
}

/// A zone whose offset holds for no time at all.
#[test]
fn a_change_that_is_not_later_is_none() {
    struct Stuck;
    impl Zone for Stuck {
        fn offset(&self, instant: i64) -> Offset {
            Offset { seconds: 0, until: Some(instant) }
        }
    }
    for text in ["0 0 * * *", "*/5 * * * *"] {
        assert_eq!(pattern(text).next(1_000_000, &Stuck), pattern(text).next(1_000_000, &Utc), "{text}");
    }
}

#[test]
fn a_zone_that_does_not_keep_its_word_does_no_harm() {
    /// Any offset, and any end.
    struct Wild(u64);

    impl Zone for Wild {
        fn offset(&self, instant: i64) -> Offset {
            let mut random = fastrand::Rng::with_seed(self.0 ^ (instant.unsigned_abs() / 5_000));
            let until = match random.u8(..4) {
                0 => None,
                1 => Some(random.i64(..)),
                _ => Some(instant.saturating_add(random.i64(1_000..50_000))),
            };
            Offset { seconds: if random.bool() { random.i32(..) } else { random.i32(-90_000..90_000) }, until }
        }
    }

    for seed in 0..300 {
        for text in ["30 2 * * *", "*/15 * * * *", "0 */5 * * *", "0 0 29 2 *", "* 2 * * sun#L"] {
            let mut after = fastrand::Rng::with_seed(seed).i64(-5_000_000_000..5_000_000_000);
            for next in pattern(text).upcoming(after, &Wild(seed)).take(20) {
                assert!(next.at > after, "{text} with {seed}: {next:?}");
                after = next.at;
            }
        }
    }
}
