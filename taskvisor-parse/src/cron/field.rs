//! The five fields of a pattern, and the values that a field has.

use std::fmt;

pub(super) const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
pub(super) const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A field of a pattern. Its `Display` is its name, such as `day of month`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// The first field.
    Minute,
    /// The second field.
    Hour,
    /// The third field.
    DayOfMonth,
    /// The fourth field.
    Month,
    /// The fifth field.
    DayOfWeek,
}

impl Field {
    pub(super) const ALL: [Self; 5] = [Self::Minute, Self::Hour, Self::DayOfMonth, Self::Month, Self::DayOfWeek];

    pub(super) const fn first(self) -> u32 {
        match self {
            Self::Minute | Self::Hour | Self::DayOfWeek => 0,
            Self::DayOfMonth | Self::Month => 1,
        }
    }

    /// The last value of `*`. A day of week may also be written as 7.
    pub(super) const fn last(self) -> u32 {
        match self {
            Self::Minute => 59,
            Self::Hour => 23,
            Self::DayOfMonth => 31,
            Self::Month => 12,
            Self::DayOfWeek => 6,
        }
    }

    /// The last value that may be written.
    pub(super) const fn last_written(self) -> u32 {
        match self {
            Self::DayOfWeek => 7,
            _ => self.last(),
        }
    }

    /// The number of values.
    pub(super) const fn count(self) -> u32 {
        self.last() - self.first() + 1
    }

    /// The names of the values, from the first value on.
    pub(super) const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Month => &MONTHS,
            Self::DayOfWeek => &DAYS,
            _ => &[],
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day of month",
            Self::Month => "month",
            Self::DayOfWeek => "day of week",
        })
    }
}

/// The values of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Values {
    /// Bit `n` is set if the field has the value `n`. Sunday is 0.
    pub(super) set: u64,
    /// The field begins with `*`.
    pub(super) star: bool,
}

impl Values {
    pub(super) fn has(self, value: i64) -> bool {
        u32::try_from(value).is_ok_and(|value| self.set.checked_shr(value).unwrap_or(0) & 1 == 1)
    }

    /// The first value that is not less than `from`.
    pub(super) fn next(self, from: i64) -> Option<i64> {
        let from = u32::try_from(from).ok()?;
        let rest = self.set.checked_shr(from)?;
        (rest != 0).then(|| i64::from(from + rest.trailing_zeros()))
    }
}

/// The set of every `step`th value from `first` to `last`; values over 63 are left out.
pub(super) fn steps(first: u32, last: u32, step: u32) -> u64 {
    (first..=last.min(63)).step_by(usize::try_from(step.max(1)).unwrap_or(usize::MAX)).fold(0, |set, value| set | 1 << value)
}
