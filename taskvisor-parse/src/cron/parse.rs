//! Parses the text of a pattern.

use super::calendar::month_length;
use super::error::{Collector, Errors};
use super::field::{DAYS, Field, Values, steps};
use super::pattern::{LAST_ONE, Pattern};
use super::token::Token;
use super::{advice, normal};
use crate::suggest;

/// The maximum length of a text in bytes. A pattern that lists every value is shorter.
const MAX_LENGTH: usize = 1_000;

/// Nicknames, and their patterns.
pub(super) const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

impl Pattern {
    /// Parses a pattern; [`cron`](super) describes the grammar. White space separates the fields, and may also surround
    /// the pattern.
    ///
    /// # Errors
    ///
    /// All errors of all fields, or the error of the text as a whole. A pattern that never comes, and a text of more
    /// than 1,000 bytes, are errors too.
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
        let mut reader = Reader { text, errors: Collector::default(), pattern: Self::EMPTY };
        reader.pattern(Token { start: 0, text });
        reader.errors.finish(reader.pattern)
    }

    const EMPTY: Self = Self {
        minute: Values::NONE,
        hour: Values::NONE,
        day: Values::NONE,
        last_day: false,
        month: Values::NONE,
        weekday: Values::NONE,
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

struct Reader<'t> {
    /// The whole text, for messages.
    text: &'t str,
    errors: Collector,
    pattern: Pattern,
}

impl<'t> Reader<'t> {
    fn refuse(&mut self, token: Token<'t>, message: String) {
        self.errors.push(token.span(), message);
    }

    /// Formats a token and its text.
    fn quote(&self, token: Token<'t>) -> String {
        format!("`{token}` in {:?}", self.text)
    }

    fn pattern(&mut self, whole: Token<'t>) {
        let text = self.text;
        if text.len() > MAX_LENGTH {
            let begin: String = text.chars().take(40).flat_map(char::escape_debug).collect();
            let length = text.len();
            return self.refuse(whole, format!("\"{begin}..\" has {length} bytes, expected at most {MAX_LENGTH}"));
        }
        let is_space = |c: char| c.is_ascii_whitespace();
        let words: Vec<Token<'t>> = whole.split(is_space).filter(|word| !word.text.is_empty()).collect();
        match *words.as_slice() {
            [] => self.refuse(whole, format!("{text:?} has no fields: write for example \"30 2 * * *\"")),
            [word, ref more @ ..] if word.text.starts_with('@') => self.nickname(word, more),
            [minute, hour, day, month, weekday] => self.fields([minute, hour, day, month, weekday]),
            [first, ref more @ ..] => {
                let end = more.last().unwrap_or(&first).span().end;
                let token = Token { start: first.start, text: text.get(first.start..end).unwrap_or(text) };
                self.refuse(token, advice::on_number_of_fields(token.text, &words));
            }
        }
    }

    fn nickname(&mut self, word: Token<'t>, more: &[Token<'t>]) {
        if let Some(advice) = advice::on_nickname(word.text) {
            return self.refuse(word, format!("{} is of another dialect: {advice}", self.quote(word)));
        }
        if let Some((_, pattern)) = NICKNAMES.iter().find(|(name, _)| *name == word.text) {
            self.pattern = Pattern::parse(pattern).unwrap_or(Pattern::EMPTY);
        } else {
            let names = || NICKNAMES.iter().map(|(name, _)| *name);
            let right = match suggest::closest(word.text, names()) {
                Some(meant) => format!("did you mean \"{meant}\"?"),
                None => format!("expected five fields, {}", suggest::list(names(), '"')),
            };
            self.refuse(word, format!("unknown pattern \"{word}\", {right}"));
        }
        if let Some(first) = more.first() {
            self.refuse(*first, format!("{} follows a whole pattern: leave it out", self.quote(*first)));
        }
    }

    fn fields(&mut self, words: [Token<'t>; 5]) {
        let [_, _, day, month, weekday] = words;
        let mut are_days_valid = true;
        for (field, word) in Field::ALL.into_iter().zip(words) {
            let errors = self.errors.count();
            self.field(field, word);
            are_days_valid &= errors == self.errors.count() || matches!(field, Field::Minute | Field::Hour);
        }
        // Every Monday includes the second Monday.
        for (weekday, ordinals) in (0..).zip(&mut self.pattern.ordinals) {
            if self.pattern.weekday.has(weekday) {
                *ordinals = 0;
            }
        }
        if are_days_valid && !self.pattern.has_days() {
            self.never_comes(day, month, weekday);
        }
    }

    fn field(&mut self, field: Field, word: Token<'t>) {
        self.pattern.values(field).star = word.text.starts_with('*');
        if word.text.split(',').any(str::is_empty) {
            return self.refuse(word, format!("{field} {} has nothing on one side of a comma", self.quote(word)));
        }
        for item in word.split(|c| c == ',') {
            self.item(field, item);
        }
    }

    fn item(&mut self, field: Field, item: Token<'t>) {
        if let Some(advice) = advice::on_item(field, item.text) {
            return self.refuse(item, format!("{field} {} is of another dialect: {advice}", self.quote(item)));
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
        let (values, number) = (self.range(field, range, item), self.step(field, step, item));
        let (Some((first, last)), Some(number)) = (values, number) else { return };
        if step.is_some() && range.text != "*" && !range.text.contains('-') {
            // 7 is Sunday, and the last value of its field is 6.
            let begin = if first > field.last() { "0" } else { range.text };
            let end =
                if range.number().is_some() { field.last().to_string() } else { normal::name(field, field.last()) };
            let write = format!("{begin}-{end}/{number}");
            let item_in_text = self.quote(item);
            return self.refuse(item, format!("{field} {item_in_text} has a step, but no range: write `{write}`"));
        }
        if first > last {
            let write = around(field, first, last, number);
            return self.refuse(item, format!("range {} ends before it begins: write `{write}`", self.quote(item)));
        }
        let set = steps(first, last, number);
        // 7 is Sunday.
        let set = if field == Field::DayOfWeek { set & !(1 << 7) | set >> 7 } else { set };
        self.pattern.values(field).set |= set;
    }

    /// Reads `*`, a value or a range.
    fn range(&mut self, field: Field, range: Token<'t>, item: Token<'t>) -> Option<(u32, u32)> {
        if range.text == "*" {
            return Some((field.first(), field.last()));
        }
        if let Some((first, last)) = range.split_once('-') {
            let (first_value, last_value) = (self.value(field, first, item), self.value(field, last, item));
            let (first_value, last_value) = (first_value?, last_value?);
            // A range may end with Sunday, as in `sat-sun`.
            return Some((first_value, if last.is("sun") && first_value > 0 { 7 } else { last_value }));
        }
        let value = self.value(field, range, item)?;
        Some((value, value))
    }

    /// Reads a number or a name, which is a part of an item.
    fn value(&mut self, field: Field, token: Token<'t>, item: Token<'t>) -> Option<u32> {
        if let Some(value) = token.number() {
            let (first, last) = (field.first(), field.last_written());
            if (first..=last).contains(&value) {
                return Some(value);
            }
            self.refuse(token, format!("{field} {} is not within {first} to {last}", self.quote(token)));
            return None;
        }
        let value = (field.first()..).zip(field.names()).find(|(_, name)| token.is(name)).map(|(value, _)| value);
        if value.is_some() {
            return value;
        }
        let is_word = !token.text.is_empty() && token.text.chars().all(char::is_alphabetic);
        let mut others = [Field::Month, Field::DayOfWeek].into_iter();
        if let Some(other) = others.find(|other| other.names().iter().any(|name| token.is(name))) {
            let order = "minute, hour, day of month, month, day of week";
            self.refuse(token, format!("{field} {} is a {other}: the fields are {order}", self.quote(token)));
        } else if is_word && !field.names().is_empty() {
            let right = advice::on_name(field, token.text);
            self.refuse(token, format!("unknown {field} {}, {right}", self.quote(token)));
        } else {
            self.not_an_item(field, item);
        }
        None
    }

    fn not_an_item(&mut self, field: Field, item: Token<'t>) {
        let message = format!("{field} {} is not valid, expected {}", self.quote(item), field.items());
        self.refuse(item, message);
    }

    /// Reads what follows `/`; 1 if there is none.
    fn step(&mut self, field: Field, step: Option<Token<'t>>, item: Token<'t>) -> Option<u32> {
        let Some(step) = step else { return Some(1) };
        let count = field.count();
        match step.number() {
            None => self.not_an_item(field, item),
            Some(0) => self.refuse(step, format!("step {} is not a number from 1 to {count}", self.quote(step))),
            Some(number) if number > count => {
                self.refuse(step, format!("step {} is too large: {field} has {count} values", self.quote(step)));
            }
            Some(number) => return Some(number),
        }
        None
    }

    /// Reads `mon#2`, `fri#L` or `friL`; returns `false` for anything else.
    fn ordinal(&mut self, item: Token<'t>) -> bool {
        let (day, ordinal) = match (item.split_once('#'), before_l(item)) {
            (Some((day, ordinal)), _) => (day, self.after_hash(ordinal, item)),
            (None, Some(day)) => (day, Some(LAST_ONE)),
            (None, None) => return false,
        };
        if let (Some(day), Some(ordinal)) = (self.value(Field::DayOfWeek, day, item), ordinal) {
            // 7 is Sunday.
            for (_, ordinals) in (0..).zip(&mut self.pattern.ordinals).filter(|(weekday, _)| *weekday == day % 7) {
                *ordinals |= 1 << ordinal;
            }
        }
        true
    }

    /// Reads the `2` of `mon#2`.
    fn after_hash(&mut self, ordinal: Token<'t>, item: Token<'t>) -> Option<u32> {
        if ordinal.is("L") {
            return Some(LAST_ONE);
        }
        let number = ordinal.number().filter(|number| (1..=5).contains(number));
        if ordinal.text.is_empty() {
            self.not_an_item(Field::DayOfWeek, item);
        } else if number.is_none() {
            let write = "write for example `mon#1` or `mon#L`";
            self.refuse(ordinal, format!("ordinal {} is not within 1 to 5: {write}", self.quote(ordinal)));
        }
        number
    }

    /// Reports a pattern whose days do not exist.
    fn never_comes(&mut self, day: Token<'t>, month: Token<'t>, weekday: Token<'t>) {
        let (pattern, text) = (&self.pattern, self.text);
        let months = || (1..=12).filter(|month| pattern.month.has(*month));
        // 2000 is a leap year.
        let longest = months().map(|month| month_length(2_000, month)).max().unwrap_or(0);
        let first = pattern.day.next(1).unwrap_or(0);
        let (last, why) = if first > longest {
            let have = if months().count() == 1 { "has" } else { "have" };
            (month, format!("{} {have} no day {first}", full_names(months())))
        } else {
            (weekday, format!("no day of month `{day}` is a day of week `{weekday}`"))
        };
        self.errors.push(day.start..last.span().end, format!("{text:?} never comes: {why}"));
    }
}

/// Returns the day of `friL`.
fn before_l(item: Token<'_>) -> Option<Token<'_>> {
    let day = Token { text: item.text.strip_suffix(['L', 'l'])?, ..item };
    (day.number().is_some() || DAYS.iter().any(|name| day.is(name))).then_some(day)
}

/// Formats the values of a range that ends before it begins, and so wraps around the end of the field, in order.
fn around(field: Field, first: u32, last: u32, step: u32) -> String {
    let of_offset = |offset| field.first() + (first - field.first() + offset) % field.count();
    let offsets = (0..=last + field.count() - first).step_by(usize::try_from(step).unwrap_or(1));
    let set = offsets.fold(0, |set, offset| set | 1 << of_offset(offset));
    normal::list(field, Values { set, star: false }, None)
}

/// Formats `April and June`.
fn full_names(months: impl Iterator<Item = i64>) -> String {
    const NAMES: &str = "January February March April May June July August September October November December";
    let names: Vec<&str> = months.filter_map(|month| NAMES.split(' ').nth(usize::try_from(month - 1).ok()?)).collect();
    match names.as_slice() {
        [init @ .., last] if !init.is_empty() => format!("{} and {last}", init.join(", ")),
        _ => names.concat(),
    }
}
