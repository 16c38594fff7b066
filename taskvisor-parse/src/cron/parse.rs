//! Parses the text of a pattern.

use super::calendar::month_length;
use super::error::{Collector, Errors, Fault, NICKNAMES};
use super::field::{Field, Values, steps};
use super::normal;
use super::pattern::{LAST_ONE, Pattern};
use crate::{duration, suggest};

/// A part of the text, and the byte at which it begins.
#[derive(Debug, Clone, Copy)]
struct Token<'t> {
    start: usize,
    text: &'t str,
}

impl<'t> Token<'t> {
    fn split(self, separators: &'static [char]) -> impl Iterator<Item = Token<'t>> {
        let mut start = self.start;
        self.text.split(separators).map(move |text| {
            let token = Token { start, text };
            // Each separator has one byte.
            start = start.saturating_add(text.len() + 1);
            token
        })
    }

    fn split_once(self, separator: char) -> Option<(Self, Self)> {
        let (before, after) = self.text.split_once(separator)?;
        let start = self.start + before.len() + separator.len_utf8();
        Some((Self { text: before, ..self }, Self { start, text: after }))
    }

    fn is(self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }

    fn is_number(self) -> bool {
        !self.text.is_empty() && self.text.bytes().all(|byte| byte.is_ascii_digit())
    }
}

impl Pattern {
    /// Parses a pattern; [`cron`](super) describes the grammar. Spaces and tabs part the fields.
    ///
    /// # Errors
    ///
    /// All errors of all fields, or what is wrong with the text as a whole. A pattern that never comes is an error too.
    ///
    /// # Examples
    ///
    /// ```
    /// use taskvisor_parse::cron::Pattern;
    ///
    /// let errors = Pattern::parse("0 0 30 2 *").unwrap_err();
    /// assert_eq!(errors.to_string(), "\"0 0 30 2 *\" never comes: February has no day 30");
    /// ```
    pub fn parse(text: &str) -> Result<Self, Errors> {
        let words: Vec<Token<'_>> =
            Token { start: 0, text }.split(&[' ', '\t']).filter(|word| !word.text.is_empty()).collect();
        let mut reader = Reader { errors: Collector::new(text), pattern: Self::EMPTY };
        match *words.as_slice() {
            [] => reader.errors.push(0, text, Fault::Empty),
            [word, ref more @ ..] if word.text.starts_with('@') => reader.nickname(word, more),
            [minute, hour, day, month, weekday] => reader.fields([minute, hour, day, month, weekday]),
            [first, .., last] => reader.refuse(first.start, text.get(first.start..last.start + last.text.len()), words.len()),
            [word] => reader.refuse(word.start, Some(word.text), 1),
        }
        reader.errors.finish(reader.pattern)
    }

    const EMPTY: Self = Self {
        minute: Values { set: 0, star: false },
        hour: Values { set: 0, star: false },
        day: Values { set: 0, star: false },
        last_day: false,
        month: Values { set: 0, star: false },
        weekday: Values { set: 0, star: false },
        ordinals: [0; 7],
    };

    fn values(&mut self, field: Field) -> &mut Values {
        match field {
            Field::Minute => &mut self.minute,
            Field::Hour => &mut self.hour,
            Field::DayOfMonth => &mut self.day,
            Field::Month => &mut self.month,
            Field::DayOfWeek => &mut self.weekday,
        }
    }
}

struct Reader {
    errors: Collector,
    pattern: Pattern,
}

impl Reader {
    fn push(&mut self, token: Token<'_>, fault: Fault) {
        self.errors.push(token.start, token.text, fault);
    }

    fn nickname(&mut self, word: Token<'_>, more: &[Token<'_>]) {
        let advice = match word.text {
            "@reboot" => Some("without `cron`, a task starts with its tree"),
            "@every" => Some("write `every = \"5m\"`"),
            _ => None,
        };
        if let Some(advice) = advice {
            return self.push(word, Fault::OtherDialect { advice });
        }
        match NICKNAMES.iter().find(|(name, _)| *name == word.text) {
            Some((_, pattern)) => self.pattern = Pattern::parse(pattern).unwrap_or(Pattern::EMPTY),
            None => {
                let meant = suggest::closest(word.text, NICKNAMES.iter().map(|(name, _)| *name));
                self.push(word, Fault::UnknownNickname { meant });
            }
        }
        if let Some(first) = more.first() {
            self.push(*first, Fault::NicknameNotAlone);
        }
    }

    /// Reports a text that does not have five fields.
    fn refuse(&mut self, start: usize, text: Option<&str>, count: usize) {
        let token = Token { start, text: text.unwrap_or_default() };
        let fault = match time_of_day(token) {
            Some(write) => Fault::TimeOfDay { write },
            None if duration::parse(token.text).is_ok() => Fault::Duration,
            None => Fault::FieldCount(count),
        };
        self.push(token, fault);
    }

    fn fields(&mut self, words: [Token<'_>; 5]) {
        for (field, word) in Field::ALL.into_iter().zip(words) {
            if word.text.starts_with('*') {
                self.pattern.values(field).star = true;
            }
            for item in word.split(&[',']) {
                if item.text.is_empty() {
                    self.push(word, Fault::EmptyItem(field));
                    break;
                }
                self.item(field, item);
            }
        }
        // Each Monday has each second Monday.
        for (weekday, ordinals) in (0..).zip(&mut self.pattern.ordinals) {
            if self.pattern.weekday.has(weekday) {
                *ordinals = 0;
            }
        }
        let [_, _, day, month, _] = words;
        self.check_days(day, month);
    }

    /// Reports a pattern that never comes.
    fn check_days(&mut self, day: Token<'_>, month: Token<'_>) {
        let pattern = &self.pattern;
        if pattern.last_day || pattern.day.star || !pattern.weekday.star {
            return;
        }
        let Some(first) = pattern.day.next(1) else { return };
        let months: Vec<u32> = (1..=12).filter(|month| pattern.month.has(i64::from(*month))).collect();
        // 2000 is a leap year.
        if !months.is_empty() && months.iter().all(|month| month_length(2000, i64::from(*month)) < first) {
            let day_number = u32::try_from(first).unwrap_or_default();
            // From the day to the month.
            let length = (month.start + month.text.len()).saturating_sub(day.start);
            self.errors.push_span(day.start, length, Fault::NeverComes { day: day_number, months });
        }
    }

    fn item(&mut self, field: Field, item: Token<'_>) {
        if let Some(advice) = of_other_dialect(field, item) {
            return self.push(item, Fault::OtherDialect { advice });
        }
        if field == Field::DayOfMonth && item.is("L") {
            self.pattern.last_day = true;
            return;
        }
        if field == Field::DayOfWeek && self.ordinal(item) {
            return;
        }
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (item, None),
        };
        if let (Some((first, last)), Some(step_by)) = (self.range(field, range, step), self.step(field, step)) {
            self.add(field, item, first, last, step_by);
        }
    }

    /// Reads `*`, a value or a range.
    fn range(&mut self, field: Field, range: Token<'_>, step: Option<Token<'_>>) -> Option<(u32, u32)> {
        if range.text == "*" {
            return Some((field.first(), field.last()));
        }
        if let Some((first, last)) = range.split_once('-') {
            let (from, to) = (self.value(field, first), self.value(field, last));
            let (from, to) = (from?, to?);
            // A range may end with Sunday, as in `sat-sun`.
            return Some((from, if last.is("sun") && from > 0 { 7 } else { to }));
        }
        let value = self.value(field, range)?;
        if let Some(step) = step.filter(|step| step.is_number()) {
            let write = format!("{}-{}/{}", range.text, field.last(), step.text);
            self.errors.push_span(range.start, range.text.len() + 1 + step.text.len(), Fault::StepWithoutRange { write });
            return None;
        }
        Some((value, value))
    }

    fn value(&mut self, field: Field, token: Token<'_>) -> Option<u32> {
        if token.is_number() {
            let value = token.text.parse().unwrap_or(u32::MAX);
            if (field.first()..=field.last_written()).contains(&value) {
                return Some(value);
            }
            self.push(token, Fault::OutOfRange(field));
            return None;
        }
        let names = field.names();
        if let Some(index) = names.iter().position(|name| token.is(name)) {
            return u32::try_from(index).ok().map(|index| field.first() + index);
        }
        let is_word = !token.text.is_empty() && token.text.chars().all(char::is_alphabetic);
        if is_word && !names.is_empty() {
            // `monday` means `mon`.
            let lower = token.text.to_lowercase();
            let meant = names.iter().find(|name| lower.starts_with(**name)).copied();
            let meant = meant.or_else(|| suggest::closest(&lower, names.iter().copied()));
            self.push(token, Fault::UnknownName { field, meant });
        } else {
            self.push(token, Fault::NotAValue(field));
        }
        None
    }

    /// Reads what follows `/`, and returns 1 if there is no step.
    fn step(&mut self, field: Field, step: Option<Token<'_>>) -> Option<u32> {
        let Some(step) = step else { return Some(1) };
        match step.text.parse().unwrap_or(u32::MAX) {
            1.. if !step.is_number() => self.push(step, Fault::NotAStep),
            0 => self.push(step, Fault::NotAStep),
            value if value > field.count() => self.push(step, Fault::StepTooLarge(field)),
            value => return Some(value),
        }
        None
    }

    /// Reads `mon#2`, `fri#L` and `friL`; returns `false` for anything else.
    fn ordinal(&mut self, item: Token<'_>) -> bool {
        let (day, ordinal) = if let Some((day, ordinal)) = item.split_once('#') {
            let last = if ordinal.is("L") { Some(LAST_ONE) } else { None };
            let number = || if ordinal.is_number() { ordinal.text.parse().ok() } else { None };
            let known = last.or_else(|| number().filter(|number| (1..=5).contains(number)));
            if known.is_none() {
                self.push(ordinal, Fault::NotAnOrdinal);
            }
            (day, known)
        } else if let Some(day) = item.text.strip_suffix(['L', 'l']).filter(|day| !day.is_empty()) {
            (Token { text: day, ..item }, Some(LAST_ONE))
        } else {
            return false;
        };
        if let (Some(day), Some(ordinal)) = (self.value(Field::DayOfWeek, day), ordinal) {
            let day = usize::try_from(day % 7).unwrap_or_default();
            if let Some(ordinals) = self.pattern.ordinals.get_mut(day) {
                *ordinals |= 1 << ordinal;
            }
        }
        true
    }

    /// Adds the values of an item.
    fn add(&mut self, field: Field, item: Token<'_>, first: u32, last: u32, step: u32) {
        if first > last {
            // Around the end of the field: its values in order.
            let length = last + field.count() - first;
            let around = steps(0, length, step);
            let values = (0..=length).filter(|offset| around >> offset & 1 == 1);
            let set = values.fold(0, |set, offset| {
                set | 1 << (field.first() + (first - field.first() + offset) % field.count())
            });
            let write = normal::list(field, Values { set, star: false }, None);
            return self.push(item, Fault::Reversed { write });
        }
        let set = steps(first, last, step);
        // 7 is Sunday.
        let set = if field == Field::DayOfWeek { set & !(1 << 7) | set >> 7 & 1 } else { set };
        self.pattern.values(field).set |= set;
    }
}

/// Returns what to write instead of a token that other dialects know.
fn of_other_dialect(field: Field, item: Token<'_>) -> Option<&'static str> {
    let is_day = matches!(field, Field::DayOfMonth | Field::DayOfWeek);
    let ends_in = |suffix| item.text.strip_suffix(suffix);
    if item.text == "?" && is_day {
        Some("write `*`")
    } else if item.text == "H" || item.text.starts_with("H/") || item.text.starts_with("H(") {
        Some("write a number; `splay` spreads the tasks of one time")
    } else if field == Field::DayOfMonth && ends_in(['W', 'w']).is_some() {
        Some("write a day of the month, or a day of the week such as `mon#1`")
    } else if field == Field::DayOfMonth && (item.text.starts_with("L-") || item.text.starts_with("l-")) {
        Some("`L` is the last day, and days are not counted from there")
    } else if field == Field::DayOfWeek && item.is("L") {
        Some("write for example `friL` for the last Friday")
    } else {
        None
    }
}

/// Returns the pattern for a text such as `02:30`.
fn time_of_day(token: Token<'_>) -> Option<String> {
    let (hour, minute) = token.split_once(':')?;
    if !(hour.is_number() && minute.is_number()) {
        return None;
    }
    let (hour, minute): (u32, u32) = (hour.text.parse().ok()?, minute.text.parse().ok()?);
    (hour <= Field::Hour.last() && minute <= Field::Minute.last()).then(|| format!("{minute} {hour} * * *"))
}
