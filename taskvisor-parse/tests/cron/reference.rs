//! Another implementation, written from the rules alone: it watches a clock, and compares each minute with the words
//! of the pattern.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

const DAY: i64 = 86_400;
const MONTHS: &str = "jan feb mar apr may jun jul aug sep oct nov dec";
const DAYS: &str = "sun mon tue wed thu fri sat";

/// A pattern as its words.
pub(crate) struct Rule {
    pub(crate) text: String,
    fields: Vec<String>,
    /// The minutes of a day.
    times: Vec<bool>,
    /// The day that was asked for last, and whether it matches.
    day: (i64, bool),
}

/// An occurrence: the instant, the local time that was due, and the local time at the instant.
pub(crate) type Found = (i64, i64, i64);

impl Rule {
    pub(crate) fn new(text: &str) -> Self {
        let fields: Vec<String> = text.split(' ').map(numbers).collect();
        let times = (0..1_440).map(|time| has(&fields[0], time % 60, 0) && has(&fields[1], time / 60, 0)).collect();
        Self { text: text.to_owned(), fields, times, day: (i64::MIN, false) }
    }

    pub(crate) fn is_fixed(&self) -> bool {
        !self.fields[0].starts_with('*') && !self.fields[1].starts_with('*')
    }

    /// Returns whether a minute matches, in seconds of the local clock.
    pub(crate) fn matches(&mut self, minute: i64) -> bool {
        let day = minute.div_euclid(DAY);
        if !self.times[usize::try_from(minute.rem_euclid(DAY) / 60).unwrap()] {
            return false;
        }
        if self.day.0 != day {
            self.day = (day, self.has_day(day));
        }
        self.day.1
    }

    /// Returns the matching minutes of a number of days from a day on, which is counted from 1970-01-01.
    pub(crate) fn of_days(&self, first: i64, count: i64) -> impl Iterator<Item = i64> {
        let times = (0..1_440).zip(&self.times).filter(|(_, matches)| **matches).map(|(time, _)| time * 60);
        let days = (first..first + count).filter(|day| self.has_day(*day));
        days.flat_map(move |day| times.clone().map(move |time| day * DAY + time))
    }

    fn has_day(&self, day: i64) -> bool {
        let date = Date::constant(1970, 1, 1) + Span::new().days(day);
        let (day, length) = (i64::from(date.day()), i64::from(date.days_in_month()));
        let by_day = self.fields[2].split(',').any(|item| if item == "L" { day == length } else { has(item, day, 1) });
        let weekday = i64::from(date.weekday().to_sunday_zero_offset());
        let by_weekday = self.fields[4].split(',').any(|item| match item.split_once('#') {
            Some((of, "L")) => has(of, weekday, 0) && day + 7 > length,
            Some((of, ordinal)) => has(of, weekday, 0) && (day + 6) / 7 == ordinal.parse::<i64>().unwrap(),
            None => has(item, weekday, 0) || weekday == 0 && has(item, 7, 0),
        });
        let is_either = !self.fields[2].starts_with('*') && !self.fields[4].starts_with('*');
        let is_day = if is_either { by_day || by_weekday } else { by_day && by_weekday };
        is_day && has(&self.fields[3], i64::from(date.month()), 1)
    }
}

/// Replaces names by numbers. Sunday at the end of a range is 7.
fn numbers(field: &str) -> String {
    let mut field = field.replace("-sun", "-7");
    for (names, first) in [(MONTHS, 1), (DAYS, 0)] {
        for (number, name) in (first..).zip(names.split(' ')) {
            field = field.replace(name, &i32::to_string(&number));
        }
    }
    field
}

/// Returns whether a list has a value.
fn has(list: &str, value: i64, first: i64) -> bool {
    list.split(',').any(|item| {
        let (range, step) = item.split_once('/').unwrap_or((item, "1"));
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (from.parse().unwrap(), to.parse().unwrap()),
            None if range == "*" => (first, i64::MAX),
            None => (range.parse().unwrap(), range.parse().unwrap()),
        };
        from <= value && value <= to && (value - from) % step.parse::<i64>().unwrap() == 0
    })
}

/// Watches the clock of a zone, and returns the occurrences of each rule from `begin` to `end`.
///
/// A wildcard occurs when the clock shows a matching minute. A fixed time occurs when the clock shows a matching minute
/// that it has not shown before, or jumps over one; over how many does not matter.
pub(crate) fn watch(zone: &TimeZone, rules: &mut [Rule], begin: i64, end: i64, tick: i64) -> Vec<Vec<Found>> {
    let show = |instant| instant + i64::from(zone.to_offset(Timestamp::from_second(instant).unwrap()).seconds());
    // No change that sets a clock back repeats more than a day.
    let warm_up = begin - 2 * DAY;
    let mut found = vec![Vec::new(); rules.len()];
    let mut highest = show(warm_up);
    for instant in (warm_up..=end).step_by(usize::try_from(tick).unwrap()).skip(1) {
        let shown = show(instant);
        let next_minute = (highest.div_euclid(60) + 1) * 60;
        for (rule, found) in rules.iter_mut().zip(&mut found) {
            let due = if rule.is_fixed() {
                (next_minute..=shown).step_by(60).find(|minute| rule.matches(*minute))
            } else {
                (shown % 60 == 0 && rule.matches(shown)).then_some(shown)
            };
            if let Some(due) = due.filter(|_| instant >= begin) {
                found.push((instant, due, shown));
            }
        }
        highest = highest.max(shown);
    }
    found
}
