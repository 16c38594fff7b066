//! The occurrences around every change of every clock from 1970 to 2100, against the reference.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use taskvisor_parse::cron::{Civil, Pattern, Zone};

use crate::kit::{Changes, instant, pattern};
use crate::reference::{Found, Rule, watch};

const HOUR: i64 = 3_600;

const PATTERNS: [&str; 14] = [
    "30 2 * * *",
    "0 0 * * *",
    "59 23 * * *",
    "0,15,30,45 0-3 * * *",
    "0-59 1 * * *",
    "7-52/9 0-23 * * sat,sun",
    "0 0 L * *",
    "30 1-2 15 * sun#L,sun#2,fri#1",
    "*/15 * * * *",
    "0 * * * *",
    "*/20 2 * * *",
    "30 */2 * * *",
    "*/7 0-3 1-7 * sun",
    "3 */1 */5 mar-apr,oct,nov *",
];

/// A zone as `jiff` has it, and its changes.
struct Place {
    name: String,
    zone: TimeZone,
    changes: Changes,
}

impl Place {
    /// The zone of the bundled database with its changes since 1900.
    fn new(name: &str) -> Self {
        let zone = TimeZoneDatabase::bundled().get(name).unwrap();
        let (from, to) = (at(instant("1900-01-01T00:00:00Z")), at(instant("2101-01-01T00:00:00Z")));
        let following = zone.following(from).take_while(|change| change.timestamp() < to);
        let then = following.map(|change| (change.timestamp().as_second(), change.offset().seconds())).collect();
        let changes = Changes { first: zone.to_offset(from).seconds(), then };
        Self { name: name.to_owned(), zone, changes }
    }

    /// Every `stride`th zone, but only one of those whose clocks are the same.
    fn every(stride: usize) -> Vec<Self> {
        let mut seen = HashSet::new();
        let names = TimeZoneDatabase::bundled();
        let mut places: Vec<Self> = names.available().step_by(stride).map(|name| Self::new(name.as_str())).collect();
        places.retain(|Self { changes, .. }| seen.insert((changes.first, changes.then.clone())));
        places
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Compares around one change: from the day before to two days after it.
fn compare(place: &Place, change: i64, rules: &mut [Rule], patterns: &[Pattern]) {
    let Place { name, zone, changes } = place;
    let (begin, end) = (change - 25 * HOUR, change + 49 * HOUR);
    let is_of_minutes = changes.then.iter().all(|(at, offset)| {
        let is_near = (begin - 100 * HOUR..end + 100 * HOUR).contains(at);
        !is_near || at % 60 == 0 && offset % 60 == 0
    });
    let tick = if is_of_minutes && changes.offset(begin - 100 * HOUR).seconds % 60 == 0 { 60 } else { 1 };
    let begin = begin.div_euclid(60) * 60;
    let expected = watch(zone, rules, begin, end, tick);
    for ((pattern, rule), expected) in patterns.iter().zip(rules).zip(expected) {
        let found: Vec<Found> = pattern
            .upcoming(begin - 1, changes)
            .take_while(|next| next.at <= end)
            .map(|next| (next.at, seconds(next.due), seconds(next.local)))
            .collect();
        let (text, change) = (&rule.text, at(change));
        let same = found.iter().zip(&expected).take_while(|(found, expected)| found == expected).count();
        let (found, expected_here) = (found.get(same), expected.get(same));
        assert_eq!(found, expected_here, "{text} in {name} around {change}");
        let mut rest = expected.as_slice();
        for after in (begin..end).step_by(2_231) {
            rest = &rest[rest.partition_point(|(at, ..)| *at <= after)..];
            let next = pattern.next(after, changes).map(|next| next.at).filter(|at| *at <= end);
            assert_eq!(next, rest.first().map(|(at, ..)| *at), "{text} in {name} after {}", at(after));
        }
    }
}

fn seconds(civil: Civil) -> i64 {
    instant(&format!("{civil}Z"))
}

/// Compares around every `stride`th change, with as many threads as there are processors; returns how many these were.
fn compare_every(stride: usize, places: &[Place]) -> usize {
    let (from, to) = (instant("1970-01-01T00:00:00Z"), instant("2100-01-01T00:00:00Z"));
    let changes: Vec<(&Place, i64)> = places
        .iter()
        .flat_map(|place| place.changes.then.iter().map(move |(at, _)| (place, *at)))
        .filter(|(_, at)| (from..to).contains(at))
        .step_by(stride)
        .collect();
    let taken = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut rules = PATTERNS.map(Rule::new);
                let patterns = PATTERNS.map(pattern);
                while let Some((place, change)) = changes.get(taken.fetch_add(1, Ordering::Relaxed)) {
                    compare(place, *change, &mut rules, &patterns);
                }
            });
        }
    });
    changes.len()
}

#[test]
fn a_sample_of_the_changes() {
    assert!(compare_every(61, &Place::every(29)) > 20);
    let odd = ["Africa/Monrovia", "America/Sao_Paulo", "Antarctica/Troll", "Australia/Lord_Howe", "Pacific/Apia"];
    assert!(compare_every(11, &odd.map(Place::new)) > 20);
}

#[test]
#[ignore = "takes a minute in a release build: `cargo test --release -p taskvisor-parse --test cron -- --ignored`"]
fn every_change() {
    let changes = compare_every(1, &Place::every(1));
    assert!(changes > 20_000, "{changes}");
}

#[test]
fn a_wildcard_that_every_change_skips_has_an_end() {
    let berlin = Place::new("Europe/Berlin");
    let never = pattern("*/15 2 * 3 sun#L");
    let last =
        never.upcoming(instant("1970-01-01T00:00:00Z"), &berlin.changes).take_while(|next| next.due.year < 2_100);
    assert_eq!(last.last().unwrap().due.to_string(), "1980-03-30T02:45:00", "the summer time of 1980 began in April");
}
