//! The five fields of a pattern, and the values that a field has.

use std::fmt;

pub(super) const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
pub(super) const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A field of a pattern. Its `Display` is its name, such as `day of month`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Minute,
    Hour,
    DayOfMonth,
    Month,
    DayOfWeek,
}

impl Field {
    pub(super) const ALL: [Self; 5] = [Self::Minute, Self::Hour, Self::DayOfMonth, Self::Month, Self::DayOfWeek];

    /// The first value.
    pub(super) const fn first(self) -> u32 {
        match self {
            Self::Minute | Self::Hour | Self::DayOfWeek => 0,
            Self::DayOfMonth | Self::Month => 1,
        }
    }

    /// The last value of `*`.
    pub(super) const fn last(self) -> u32 {
        match self {
            Self::Minute => 59,
            Self::Hour => 23,
            Self::DayOfMonth => 31,
            Self::Month => 12,
            Self::DayOfWeek => 6,
        }
    }

    /// The last value that may be written: Sunday is 0 and 7.
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

    /// A description of valid items, for messages.
    pub(super) const fn items(self) -> &'static str {
        match self {
            Self::Minute => "`*`, a number from 0 to 59, a range such as `0-29`, or a step such as `*/15`",
            Self::Hour => "`*`, a number from 0 to 23, a range such as `9-17`, or a step such as `*/2`",
            Self::DayOfMonth => "`*`, a number from 1 to 31, a range such as `1-7`, or `L` for the last day",
            Self::Month => "`*`, a name such as `jan`, a number from 1 to 12, or a range such as `jun-aug`",
            Self::DayOfWeek => "`*`, a name such as `mon`, a number from 0 to 7, a range such as `mon-fri`, or `mon#2`",
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Values {
    /// Bit `n` is set if the field has the value `n`. Sunday is 0.
    pub(super) set: u64,
    /// `true` if the field begins with `*`.
    pub(super) star: bool,
}

impl Values {
    pub(super) const NONE: Self = Self { set: 0, star: false };

    pub(super) fn has(self, value: i64) -> bool {
        self.next(value) == Some(value)
    }

    /// Returns the first value that is not less than `from`.
    pub(super) fn next(self, from: i64) -> Option<i64> {
        next_in(self.set, from)
    }
}

/// Returns the first value of a set that is not less than `from`.
pub(super) fn next_in(set: u64, from: i64) -> Option<i64> {
    let from = u32::try_from(from).ok()?;
    let rest = set.checked_shr(from)?;
    (rest != 0).then(|| i64::from(from + rest.trailing_zeros()))
}

/// Returns the set of every `step`th value from `first` to `last`, which are at most 63; a step is at least 1.
pub(super) fn steps(first: u32, last: u32, step: u32) -> u64 {
    (first..=last).filter(|value| (value - first) % step == 0).fold(0, |set, value| set | 1 << value)
}
