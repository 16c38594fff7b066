//! The normal form of a pattern.

use std::fmt;

use super::field::{DAYS, Field, Values, steps};
use super::pattern::{LAST_ONE, Pattern};

/// The number of values from which on a step is shorter than a list.
const LONG: u32 = 5;

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last_day = self.last_day.then(|| String::from("L"));
        let days = list(Field::DayOfMonth, self.day, last_day);
        let weekdays = list(Field::DayOfWeek, self.weekday, self.ordinals_as_items());
        write!(
            f,
            "{} {} {days} {} {weekdays}",
            list(Field::Minute, self.minute, None),
            list(Field::Hour, self.hour, None),
            list(Field::Month, self.month, None),
        )
    }
}

impl Pattern {
    /// Returns items such as `mon#2` and `fri#L`.
    fn ordinals_as_items(&self) -> Vec<String> {
        let mut items = Vec::new();
        for (day, ordinals) in DAYS.iter().zip(self.ordinals) {
            for ordinal in (1..=LAST_ONE).filter(|ordinal| ordinals >> ordinal & 1 == 1) {
                items.push(if ordinal == LAST_ONE { format!("{day}#L") } else { format!("{day}#{ordinal}") });
            }
        }
        items
    }
}

/// Formats the values of a field as a list, with more items at its end.
pub(super) fn list(field: Field, values: Values, more: impl IntoIterator<Item = String>) -> String {
    let Values { mut set, star } = values;
    let mut items = Vec::new();
    if star {
        let (step, covered) = star_step(field, set);
        items.push(if step == 1 { String::from("*") } else { format!("*/{step}") });
        set &= !covered;
    }
    // Sunday comes last, as 7.
    if field == Field::DayOfWeek {
        set = set & !1 | (set & 1) << 7;
    }
    match progression(set) {
        Some((first, last, step)) => items.push(format!("{}-{}/{step}", name(field, first), name(field, last))),
        None => push_runs(field, set, &mut items),
    }
    items.extend(more);
    items.join(",")
}

/// Returns the smallest step of a `*` whose values are all in the set, and these values.
fn star_step(field: Field, set: u64) -> (u32, u64) {
    let of_step = |step| steps(field.first(), field.last(), step);
    let fitting = |step: &u32| of_step(*step) & !set == 0;
    let step = (1..=field.count()).find(fitting).unwrap_or(1);
    (step, of_step(step))
}

/// Returns the first value, the last value and the step, if the set is long and has one step of 2 or more.
fn progression(set: u64) -> Option<(u32, u32, u32)> {
    let first = set.trailing_zeros();
    let last = set.checked_ilog2()?;
    let step = (set & (set - 1)).trailing_zeros() - first;
    (set.count_ones() >= LONG && step > 1 && steps(first, last, step) == set).then_some((first, last, step))
}

fn push_runs(field: Field, mut set: u64, items: &mut Vec<String>) {
    while set != 0 {
        let first = set.trailing_zeros();
        let length = (set >> first).trailing_ones();
        let last = first + length - 1;
        if length > 2 {
            items.push(format!("{}-{}", name(field, first), name(field, last)));
        } else {
            items.extend((first..=last).map(|value| name(field, value)));
        }
        set &= !steps(first, last, 1);
    }
}

/// Formats a value.
pub(super) fn name(field: Field, value: u32) -> String {
    let index = if field == Field::DayOfWeek { value % 7 } else { value.wrapping_sub(field.first()) };
    let name = usize::try_from(index).ok().and_then(|index| field.names().get(index));
    name.map_or_else(|| value.to_string(), ToString::to_string)
}
