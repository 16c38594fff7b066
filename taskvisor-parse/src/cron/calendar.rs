//! The proleptic Gregorian calendar of the years 1 to 9999, in whole numbers.

use std::fmt;

pub(super) const MINUTE: i64 = 60;
pub(super) const DAY: i64 = 86_400;

/// The days from 0001-01-01 to 1970-01-01.
const EPOCH: i64 = 719_162;

pub(super) const LAST_YEAR: i64 = 9_999;

/// The first and the last second, as seconds since 1970-01-01T00:00:00.
pub(super) const FIRST: i64 = -EPOCH * DAY;
pub(super) const LAST: i64 = (days_before_year(LAST_YEAR + 1) - EPOCH) * DAY - 1;

/// A date and a time of day, without a zone. Its `Display` is ISO 8601, such as `2026-03-29T02:30:00`.
///
/// Years are 1 to 9999, months 1 to 12, days 1 to 31, hours 0 to 23, minutes and seconds 0 to 59.
///
/// # Examples
///
/// ```
/// use taskvisor_parse::cron::Civil;
///
/// let time = Civil::from_seconds(1_774_751_400);
/// assert_eq!((time.year, time.month, time.day), (2026, 3, 29));
/// assert_eq!(time.to_string(), "2026-03-29T02:30:00");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Civil {
    /// The year, 1 to 9999.
    pub year: u16,
    /// The month, 1 to 12.
    pub month: u8,
    /// The day of the month, 1 to 31.
    pub day: u8,
    /// The hour, 0 to 23.
    pub hour: u8,
    /// The minute, 0 to 59.
    pub minute: u8,
    /// The second, 0 to 59.
    pub second: u8,
}

impl Civil {
    /// Returns the date and time of a local clock, `seconds` after it showed 1970-01-01T00:00:00: the seconds since the
    /// Unix epoch plus the offset of the zone. Values outside of the years 1 to 9999 give the first or the last second
    /// of these years.
    #[must_use]
    pub fn from_seconds(seconds: i64) -> Self {
        let seconds = seconds.clamp(FIRST, LAST);
        let date = Date::of(day_of(seconds));
        let time = seconds.rem_euclid(DAY);
        Self {
            year: narrow(date.year),
            month: narrow(date.month),
            day: narrow(date.day),
            hour: narrow(time / 3_600),
            minute: narrow(time / MINUTE % 60),
            second: narrow(time % MINUTE),
        }
    }
}

impl fmt::Display for Civil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}

/// A day of a month, in wide numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
}

impl Date {
    /// The date of a day that is counted from 1970-01-01.
    pub(super) fn of(day: i64) -> Self {
        let day = day + EPOCH;
        // 400 years have 146,097 days. The estimate is right, or one year too early: leap days are never more than 0.72
        // days ahead of their average.
        let mut year = day * 400 / 146_097 + 1;
        if days_before_year(year + 1) <= day {
            year += 1;
        }
        let mut rest = day - days_before_year(year);
        let mut month = 1;
        while rest >= month_length(year, month) {
            rest -= month_length(year, month);
            month += 1;
        }
        Self { year, month, day: rest + 1 }
    }
}

/// The day of `seconds`, counted from 1970-01-01.
pub(super) fn day_of(seconds: i64) -> i64 {
    seconds.div_euclid(DAY)
}

/// The first day of a month, counted from 1970-01-01.
pub(super) fn first_of_month(year: i64, month: i64) -> i64 {
    days_before_year(year) + (1..month).map(|month| month_length(year, month)).sum::<i64>() - EPOCH
}

/// The day of the week, 0 to 6 from Sunday on, of a day that is counted from 1970-01-01, a Thursday.
pub(super) fn weekday(day: i64) -> i64 {
    (day + 4).rem_euclid(7)
}

pub(super) const fn month_length(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// The days from 0001-01-01 to the first day of the year.
const fn days_before_year(year: i64) -> i64 {
    let years = year - 1;
    years * 365 + years / 4 - years / 100 + years / 400
}

fn narrow<T: TryFrom<i64> + Default>(value: i64) -> T {
    T::try_from(value).unwrap_or_default()
}
