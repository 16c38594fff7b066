//! A pattern, and the local times that match it.

use std::str::FromStr;

use super::calendar::{self, DAY, Date, FIRST, LAST, MINUTE, first_of_month, month_length, weekday};
use super::error::Errors;
use super::field::{Values, next_in};

/// The bit of [`Pattern::ordinals`] for the last occurrence of a weekday in a month.
pub(super) const LAST_ONE: u32 = 6;

/// The first day of a month, and the days that follow it after whole weeks.
const WEEKLY: u64 = 1 << 1 | 1 << 8 | 1 << 15 | 1 << 22 | 1 << 29;

/// The calendar repeats after this number of years.
const CYCLE: i64 = 400;

/// A cron pattern of five fields; [`cron`](super) describes its grammar and meaning.
///
/// Its `Display` is a normal form, which parses to an equal pattern: values in ascending order, neighbors as ranges,
/// and months and days of the week as names. Patterns are equal if they have the same values, and the same fields begin
/// with `*`.
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
    /// `true` if the day of month has `L`.
    pub(super) last_day: bool,
    pub(super) month: Values,
    pub(super) weekday: Values,
    /// For each weekday, from Sunday on, its occurrences in a month: bits 1 to 5, and [`LAST_ONE`].
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

    /// Returns the first matching minute that does not begin before `seconds`. Both are times of the local clock, in
    /// seconds since its 1970-01-01T00:00:00. `None` if there is none before the end of the year 9999.
    pub(super) fn next_local(&self, seconds: i64) -> Option<i64> {
        // Rounded up to a minute.
        let from = (seconds.clamp(FIRST, LAST) + MINUTE - 1).div_euclid(MINUTE) * MINUTE;
        if from > LAST {
            return None;
        }
        let day = calendar::day_of(from);
        let date = Date::of(day);
        if self.has_day(date) {
            if let Some(minute) = self.next_minute(from.rem_euclid(DAY) / MINUTE) {
                return Some(day * DAY + minute * MINUTE);
            }
        }
        Some(self.next_day(date)? * DAY + self.next_minute(0)? * MINUTE)
    }

    /// Returns the first matching minute of a day that is not before `from`. Both count from midnight.
    fn next_minute(&self, from: i64) -> Option<i64> {
        let (hour, minute) = (from / 60, from % 60);
        if self.hour.has(hour) {
            if let Some(minute) = self.minute.next(minute) {
                return Some(hour * 60 + minute);
            }
        }
        Some(self.hour.next(hour + 1)? * 60 + self.minute.next(0)?)
    }

    fn has_day(&self, Date { year, month, day }: Date) -> bool {
        self.month.has(month) && next_in(self.days_of(year, month), day) == Some(day)
    }

    /// Returns the first matching day after a date, counted from 1970-01-01.
    fn next_day(&self, Date { year, month, day }: Date) -> Option<i64> {
        let rest_of_month = self.month.has(month).then(|| next_in(self.days_of(year, month), day + 1)).flatten();
        if let Some(day) = rest_of_month {
            return Some(first_of_month(year, month) + day - 1);
        }
        let rest_of_year = (month + 1..=12).map(|month| (year, month));
        // A day that does not come in a whole cycle of the calendar never comes.
        let years = (year + 1..=calendar::LAST_YEAR.min(year + CYCLE))
            .flat_map(|year| (1..=12).map(move |month| (year, month)));
        rest_of_year.chain(years).filter(|(_, month)| self.month.has(*month)).find_map(|(year, month)| {
            let day = next_in(self.days_of(year, month), 1)?;
            Some(first_of_month(year, month) + day - 1)
        })
    }

    /// Returns `false` if no day matches in any year.
    pub(super) fn has_days(&self) -> bool {
        (1..=CYCLE).any(|year| (1..=12).any(|month| self.month.has(month) && self.days_of(year, month) != 0))
    }

    /// Returns the set of the matching days of a month.
    fn days_of(&self, year: i64, month: i64) -> u64 {
        let length = month_length(year, month);
        let all = (1 << (length + 1)) - 2;
        let last = if self.last_day { 1 << length } else { 0 };
        let by_day = (self.day.set | last) & all;
        let by_weekday = self.days_by_weekday(weekday(first_of_month(year, month)), all);
        if self.day.star || self.weekday.star { by_day & by_weekday } else { by_day | by_weekday }
    }

    /// Returns the set of the days of a month that match by their day of the week. `first` is the weekday of its first
    /// day, and `all` the set of its days.
    fn days_by_weekday(&self, first: i64, all: u64) -> u64 {
        let mut days = 0;
        for (weekday, ordinals) in (0..).zip(self.ordinals) {
            let earliest = (weekday - first).rem_euclid(7);
            let same = WEEKLY << earliest & all;
            if self.weekday.has(weekday) {
                days |= same;
            }
            for ordinal in (1..=5).filter(|ordinal| ordinals >> ordinal & 1 == 1) {
                days |= 1 << (earliest + 7 * ordinal - 6) & same;
            }
            if ordinals >> LAST_ONE & 1 == 1 {
                // The last 7 days of the month.
                days |= same & !(all >> 7);
            }
        }
        days
    }
}
