//! The latest occurrence within a time, against all of them.

use taskvisor_parse::cron::{Occurrence, Utc};

use crate::kit::{Changes, instant, pattern};

#[test]
fn it_is_the_last_one_of_all() {
    let spring = Changes::one(3_600, "2026-03-29T01:00:00Z", 7_200);
    let autumn = Changes::one(7_200, "2026-10-25T01:00:00Z", 3_600);
    for (zone, begin) in [(&spring, instant("2026-03-28T00:00:00Z")), (&autumn, instant("2026-10-24T00:00:00Z"))] {
        for text in ["30 2 * * *", "*/30 * * * *", "0 */5 * * *", "0,30 2-3 * * sun", "0 0 29 2 *"] {
            let pattern = pattern(text);
            for until in (begin..begin + 3 * 86_400).step_by(1_800).flat_map(|until| [until - 1, until, until + 1]) {
                let all = pattern.upcoming(begin, zone).take_while(|next| next.at <= until);
                assert_eq!(pattern.latest(begin, until, zone), all.last(), "{text} up to {until}");
            }
        }
    }
}

#[test]
fn it_may_follow_another_one_within_a_second() {
    // The clock skips from 11:59:30 to 12:00:59.
    let zone = Changes::one(0, "2026-01-01T11:59:30Z", 89);
    let (pattern, change) = (pattern("0,1,2 12 * * *"), instant("2026-01-01T11:59:30Z"));
    let latest = |until| pattern.latest(change - 1_000, until, &zone).map(|latest| latest.at - change);
    let expected =
        [(-1, None), (0, Some(0)), (1, Some(1)), (2, Some(1)), (60, Some(1)), (61, Some(61)), (62, Some(61))];
    for (until, expected) in expected {
        assert_eq!(latest(change + until), expected, "up to {until}");
    }
}

#[test]
fn there_is_none_in_no_time() {
    let hourly = pattern("@hourly");
    for (after, until) in [(3_600, 3_600), (3_600, 0), (3_600, 7_199), (i64::MAX, i64::MIN), (i64::MAX, i64::MAX)] {
        assert_eq!(hourly.latest(after, until, &Utc), None, "{after} to {until}");
    }
    let at = |latest: Option<Occurrence>| latest.map(|latest| latest.at);
    assert_eq!(at(hourly.latest(3_599, 3_600, &Utc)), Some(3_600));
    assert_eq!(at(hourly.latest(3_600, 7_200, &Utc)), Some(7_200));
    assert_eq!(at(hourly.latest(i64::MIN, 7_201, &Utc)), Some(7_200));
}
