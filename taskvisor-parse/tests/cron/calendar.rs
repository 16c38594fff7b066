//! The calendar, against that of `jiff`.

use jiff::civil::DateTime;
use taskvisor_parse::cron::{Civil, Pattern, Utc};

const DAY: i64 = 86_400;
const FIRST: i64 = -62_135_596_800;
const LAST: i64 = 253_402_300_799;

fn check(seconds: i64) {
    let expected = DateTime::constant(1970, 1, 1, 0, 0, 0, 0) + jiff::Span::new().seconds(seconds);
    assert_eq!(Civil::from_seconds(seconds).to_string(), expected.to_string(), "{seconds}");
}

#[test]
fn days_are_those_of_the_gregorian_calendar() {
    for day in (-719_162..2_932_897).step_by(29) {
        check(day * DAY + (day * 7_919).rem_euclid(DAY));
    }
    for century in 0..=99 {
        for day in 0..=366 {
            check((century * 146_097 / 4 + day - 719_162) * DAY);
        }
    }
    check(FIRST);
    check(LAST);
}

#[test]
fn times_outside_of_the_calendar_are_its_first_and_last() {
    for seconds in [i64::MIN, FIRST - 1, FIRST] {
        assert_eq!(Civil::from_seconds(seconds).to_string(), "0001-01-01T00:00:00");
    }
    for seconds in [i64::MAX, LAST + 1, LAST] {
        assert_eq!(Civil::from_seconds(seconds).to_string(), "9999-12-31T23:59:59");
    }
}

#[test]
fn patterns_occur_in_the_years_1_to_9999_only() {
    let minutely = Pattern::parse("* * * * *").unwrap();
    let yearly = Pattern::parse("@yearly").unwrap();
    for pattern in [minutely, yearly] {
        for after in [i64::MIN, FIRST - DAY, FIRST - 1] {
            let first = pattern.next(after, &Utc).unwrap();
            assert!(first.at > after && first.at > FIRST, "{first:?}");
        }
        for after in [LAST, LAST + 1, i64::MAX] {
            assert_eq!(pattern.next(after, &Utc), None);
        }
        assert_eq!(pattern.latest(i64::MIN, i64::MAX, &Utc), pattern.upcoming(LAST - 366 * DAY, &Utc).last());
    }
    assert_eq!(minutely.next(LAST - 60, &Utc).unwrap().due.to_string(), "9999-12-31T23:59:00");
    assert_eq!(minutely.next(LAST - 59, &Utc), None);
    let leap_days = Pattern::parse("0 0 29 2 *").unwrap();
    assert_eq!(leap_days.next(LAST - 1_000 * DAY, &Utc), None, "9996 is the last leap year");
}

#[test]
fn leap_days_follow_the_rule_of_centuries() {
    let pattern = Pattern::parse("0 0 29 2 *").unwrap();
    let from_1896 = -2_335_219_200;
    let years: Vec<u16> = pattern.upcoming(from_1896, &Utc).take(3).map(|next| next.due.year).collect();
    assert_eq!(years, [1896, 1904, 1908]);
    for weekday in ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] {
        let rare = Pattern::parse(&format!("0 0 */28 2 {weekday}#5")).expect(weekday);
        assert!(rare.next(0, &Utc).is_some_and(|next| next.due.day == 29), "{weekday}");
    }
    let rarest = Pattern::parse("0 0 */28 2 mon#5").unwrap();
    let years: Vec<u16> = rarest.upcoming(0, &Utc).take(8).map(|next| next.due.year).collect();
    assert_eq!(years, [1988, 2016, 2044, 2072, 2112, 2140, 2168, 2196]);
}
