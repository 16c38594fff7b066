//! A pattern, and the civil times that match it.

use std::str::FromStr;

use super::calendar::{self, DAY, Date, LAST, MINUTE, first_of_month, month_length, weekday};
use super::error::Errors;
use super::field::Values;

/// The occurrence of a weekday in a month that is the last one, in [`Pattern::ordinals`].
pub(super) const LAST_ONE: u32 = 6;

/// A cron pattern of five fields; [`cron`](super) describes its grammar and meaning.
///
/// Its `Display` is a normal form, which parses to an equal pattern: values in ascending order, neighbors as ranges, and
/// months and days of the week as names. Patterns are equal if they have the same values and the same fields begin with
/// `*`.
///
/// # Examples
///
/// ```
/// use taskvisor_parse::cron::Pattern;
///
/// let pattern = Pattern::parse("05,30 2 * 3,2,1 1-5")?;
/// assert_eq!(pattern.to_string(), "5,30 2 * jan-mar mon-fri");
/// assert_eq!(Pattern::parse("@daily")?, "0 0 * * *".parse()?);
/// # Ok::<(), taskvisor_parse::cron::Errors>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pattern {
    pub(super) minute: Values,
    pub(super) hour: Values,
    pub(super) day: Values,
    /// The day of month has `L`.
    pub(super) last_day: bool,
    pub(super) month: Values,
    pub(super) weekday: Values,
    /// For each weekday the occurrences in a month: bits 1 to 5, and [`LAST_ONE`].
    pub(super) ordinals: [u8; 7],
}

impl FromStr for Pattern {
    type Err = Errors;

    fn from_str(text: &str) -> Result<Self, Errors> {
        Self::parse(text)
    }
}

impl Pattern {
    /// Returns `true` for a fixed time: neither the minute nor the hour begins with `*`.
    ///
    /// # Examples
    ///
    /// ```
    /// use taskvisor_parse::cron::Pattern;
    ///
    /// assert!(Pattern::parse("0,15,30,45 2 * * *")?.is_fixed());
    /// assert!(!Pattern::parse("*/15 2 * * *")?.is_fixed());
    /// # Ok::<(), taskvisor_parse::cron::Errors>(())
    /// ```
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        !self.minute.star && !self.hour.star
    }

    /// Returns the first matching minute that does not begin before `seconds`. Both count from 1970-01-01T00:00:00 of the
    /// local clock. `None` if there is none before the end of the year 9999.
    pub(super) fn next_civil(&self, seconds: i64) -> Option<i64> {
        let seconds = seconds.max(calendar::FIRST);
        let minutes = seconds.div_euclid(MINUTE) + i64::from(seconds.rem_euclid(MINUTE) > 0);
        let from = minutes * MINUTE;
        if from > LAST {
            return None;
        }
        let day = calendar::day_of(from);
        let date = Date::of(day);
        if self.has_day(date) {
            if let Some(minute) = self.next_time(from.rem_euclid(DAY) / MINUTE) {
                return Some(day * DAY + minute * MINUTE);
            }
        }
        Some(self.next_day(date)? * DAY + self.next_time(0)? * MINUTE)
    }

    /// Returns the first matching minute of a day that is not before the minute `from` of the day.
    fn next_time(&self, from: i64) -> Option<i64> {
        let (hour, minute) = (from / 60, from % 60);
        if self.hour.has(hour) {
            if let Some(minute) = self.minute.next(minute) {
                return Some(hour * 60 + minute);
            }
        }
        Some(self.hour.next(hour + 1)? * 60 + self.minute.next(0)?)
    }

    fn has_day(&self, Date { year, month, day }: Date) -> bool {
        self.month.has(month) && Values { set: self.days_of(year, month), star: false }.has(day)
    }

    /// Returns the first matching day after a date, counted from 1970-01-01.
    fn next_day(&self, Date { mut year, mut month, day }: Date) -> Option<i64> {
        let mut from = day + 1;
        // The calendar repeats after 400 years, so what has not come by then never comes.
        let end = (year + 401).min(10_000);
        while year < end {
            if self.month.has(month) {
                let days = Values { set: self.days_of(year, month), star: false };
                if let Some(day) = days.next(from) {
                    return Some(first_of_month(year, month) + day - 1);
                }
            }
            from = 1;
            if let Some(next) = self.month.next(month + 1) {
                month = next;
            } else {
                year += 1;
                month = self.month.next(1)?;
            }
        }
        None
    }

    /// The set of the matching days of a month.
    fn days_of(&self, year: i64, month: i64) -> u64 {
        let length = month_length(year, month);
        let all = (1 << (length + 1)) - 2;
        let by_day = (self.day.set | if self.last_day { 1 << length } else { 0 }) & all;
        let by_weekday = self.days_by_weekday(weekday(first_of_month(year, month)), all);
        if self.day.star || self.weekday.star { by_day & by_weekday } else { by_day | by_weekday }
    }

    /// The set of the days of a month that match by their day of the week. `first` is that of the first day.
    fn days_by_weekday(&self, first: i64, all: u64) -> u64 {
        let mut days = 0;
        for (weekday, ordinals) in (0..).zip(self.ordinals) {
            let earliest = 1 + (weekday - first).rem_euclid(7);
            let of_weekday = (0b1_0000_0010_0000_0100_0000_1000_0001 << earliest) & all;
            if self.weekday.has(weekday) {
                days |= of_weekday;
            }
            for ordinal in 1..=5 {
                if ordinals >> ordinal & 1 == 1 {
                    days |= (1 << (earliest + 7 * (ordinal - 1))) & of_weekday;
                }
            }
            if ordinals >> LAST_ONE & 1 == 1 {
                days |= 1 << of_weekday.checked_ilog2().unwrap_or(0);
            }
        }
        days & all
    }
}
