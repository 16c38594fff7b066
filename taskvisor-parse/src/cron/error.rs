//! What is wrong with the text of a pattern.

use std::error::Error;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::field::{Field, MONTHS};
use crate::suggest;

/// The maximum number of errors that are reported about one pattern.
const MOST: usize = 16;

/// What is wrong with a pattern: at least one error, and at most 16. Its `Display` joins their messages.
///
/// # Examples
///
/// ```
/// use taskvisor_parse::cron::Pattern;
///
/// let errors = Pattern::parse("70 2 * * mno").unwrap_err();
/// let messages: Vec<String> = errors.iter().map(ToString::to_string).collect();
/// assert_eq!(
///     messages,
///     [
///         "minute `70` in \"70 2 * * mno\" is not within 0 to 59",
///         "unknown day of week `mno` in \"70 2 * * mno\", did you mean `mon`?",
///     ]
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors(Vec<PatternError>);

impl Errors {
    /// Returns the errors in the order of their places in the text.
    pub fn iter(&self) -> std::slice::Iter<'_, PatternError> {
        self.0.iter()
    }
}

impl<'e> IntoIterator for &'e Errors {
    type Item = &'e PatternError;
    type IntoIter = std::slice::Iter<'e, PatternError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, error) in self.iter().enumerate() {
            if position > 0 {
                f.write_str("; ")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl Error for Errors {}

/// One error in the text of a pattern. Its `Display` names the token, the text, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError {
    pattern: Arc<str>,
    fault: Fault,
    span: Range<usize>,
}

impl PatternError {
    /// Returns the kind of the error.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// Returns where the token is in the text, in bytes. Both ends are boundaries of characters.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Returns the token that is wrong.
    pub fn token(&self) -> &str {
        self.pattern.get(self.span()).unwrap_or_default()
    }
}

impl Error for PatternError {}

/// The kinds of errors.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing is written.
    Empty,
    /// There are not five fields but this many.
    FieldCount(usize),
    /// A time of day is written, such as `02:30`.
    TimeOfDay {
        /// The pattern of that time.
        write: String,
    },
    /// A duration is written, such as `10m`.
    Duration,
    /// A word that begins with `@` is not a nickname.
    UnknownNickname {
        /// The nickname that was probably meant.
        meant: Option<&'static str>,
    },
    /// More is written after a nickname.
    NicknameNotAlone,
    /// A list has an item without text.
    EmptyItem(Field),
    /// A number is not a value of its field.
    OutOfRange(Field),
    /// A word is not a name of its field.
    UnknownName {
        /// The field, whose values have names.
        field: Field,
        /// The name that was probably meant.
        meant: Option<&'static str>,
    },
    /// The token is not a value of its field.
    NotAValue(Field),
    /// The end of a range is less than its begin.
    Reversed {
        /// The same values in ascending order.
        write: String,
    },
    /// A step follows a single value.
    StepWithoutRange {
        /// The range that is probably meant.
        write: String,
    },
    /// The step is not a number, or zero.
    NotAStep,
    /// The step exceeds the number of values of the field.
    StepTooLarge(Field),
    /// What follows `#` is neither 1 to 5 nor `L`.
    NotAnOrdinal,
    /// The token means something in another dialect.
    OtherDialect {
        /// What to write.
        advice: &'static str,
    },
    /// No month of the pattern has a day of the pattern.
    NeverComes {
        /// The first day of the pattern.
        day: u32,
        /// The months of the pattern, 1 to 12.
        months: Vec<u32>,
    },
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pattern, token) = (&*self.pattern, self.token());
        match &self.fault {
            Fault::Empty => write!(f, "{pattern:?} has no fields: write for example \"30 2 * * *\""),
            Fault::FieldCount(count) => {
                let plural = if *count == 1 { "" } else { "s" };
                write!(f, "{pattern:?} has {count} field{plural}, expected 5: {}", advice_on_count(*count, pattern))
            }
            Fault::TimeOfDay { write } => write!(f, "{pattern:?} is a time of day: write {write:?}"),
            Fault::Duration => write!(f, "{pattern:?} is a duration: write `every = {token:?}`"),
            Fault::UnknownNickname { meant: Some(meant) } => {
                write!(f, "unknown pattern {token:?}, did you mean {meant:?}?")
            }
            Fault::UnknownNickname { meant: None } => {
                write!(f, "unknown pattern {token:?}, expected {} or five fields", nicknames())
            }
            Fault::NicknameNotAlone => write!(f, "`{token}` in {pattern:?} follows a whole pattern: leave it out"),
            Fault::EmptyItem(field) => write!(f, "{field} `{token}` in {pattern:?} has nothing at one side of a comma"),
            Fault::OutOfRange(field) => {
                write!(f, "{field} `{token}` in {pattern:?} is not within {} to {}", field.first(), field.last_written())
            }
            Fault::UnknownName { field, meant: Some(meant) } => {
                write!(f, "unknown {field} `{token}` in {pattern:?}, did you mean `{meant}`?")
            }
            Fault::UnknownName { field, meant: None } => {
                let names = suggest::list(field.names().iter().copied(), '`');
                write!(f, "unknown {field} `{token}` in {pattern:?}, expected a number, {names}")
            }
            Fault::NotAValue(field) => {
                let (first, last) = (field.first(), field.last_written());
                write!(f, "`{token}` in {pattern:?} is not a {field}: write `*`, or numbers from {first} to {last}")
            }
            Fault::Reversed { write } => {
                write!(f, "range `{token}` in {pattern:?} ends before it begins: write `{write}`")
            }
            Fault::StepWithoutRange { write } => {
                write!(f, "`{token}` in {pattern:?} has a step, but no range: write `{write}`")
            }
            Fault::NotAStep => write!(f, "step `{token}` in {pattern:?} is not a number from 1 on"),
            Fault::StepTooLarge(field) => {
                write!(f, "step `{token}` in {pattern:?} is too large: the {field} starts over after {}", field.last())
            }
            Fault::NotAnOrdinal => {
                write!(f, "`{token}` in {pattern:?} is not within 1 to 5: write for example `mon#1` or `mon#L`")
            }
            Fault::OtherDialect { advice } => write!(f, "`{token}` in {pattern:?} is of another dialect: {advice}"),
            Fault::NeverComes { day, months } => {
                let have = if months.len() == 1 { "has" } else { "have" };
                write!(f, "{pattern:?} never comes: {} {have} no day {day}", full_names(months))
            }
        }
    }
}

fn advice_on_count(count: usize, pattern: &str) -> &'static str {
    let last = pattern.split_whitespace().last().unwrap_or_default();
    let has_year = last.len() == 4 && last.bytes().all(|byte| byte.is_ascii_digit());
    match count {
        6 if has_year => "a pattern has no year",
        6 => "seconds are said by `every`",
        7 => "seconds are said by `every`, and a pattern has no year",
        _ => "minute, hour, day of month, month and day of week",
    }
}

/// Nicknames, and the patterns that they stand for.
pub(super) const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

fn nicknames() -> String {
    NICKNAMES.map(|(name, _)| format!("{name:?}")).join(", ")
}

/// Formats `April and June`.
fn full_names(months: &[u32]) -> String {
    const ENDINGS: [&str; 12] =
        ["uary", "ruary", "ch", "il", "", "e", "y", "ust", "tember", "ober", "ember", "ember"];
    let names: Vec<String> = (1..)
        .zip(MONTHS.iter().zip(ENDINGS))
        .filter(|(month, _)| months.contains(month))
        .map(|(_, (name, ending))| {
            let mut name = format!("{name}{ending}");
            if let Some(first) = name.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            name
        })
        .collect();
    match names.as_slice() {
        [init @ .., last] if !init.is_empty() => format!("{} and {last}", init.join(", ")),
        _ => names.concat(),
    }
}

/// Collects the errors about one text.
#[derive(Debug)]
pub(super) struct Collector {
    pattern: Arc<str>,
    errors: Vec<PatternError>,
}

impl Collector {
    pub(super) fn new(pattern: &str) -> Self {
        Self { pattern: pattern.into(), errors: Vec::new() }
    }

    /// Reports an error about a token, which begins at a byte of the text.
    pub(super) fn push(&mut self, start: usize, token: &str, fault: Fault) {
        self.push_span(start, token.len(), fault);
    }

    /// Reports an error about a number of bytes of the text.
    pub(super) fn push_span(&mut self, start: usize, length: usize, fault: Fault) {
        if self.errors.len() < MOST {
            let span = start..start.saturating_add(length);
            self.errors.push(PatternError { pattern: Arc::clone(&self.pattern), fault, span });
        }
    }

    /// Returns the value if nothing was reported.
    pub(super) fn finish<T>(self, value: T) -> Result<T, Errors> {
        if self.errors.is_empty() { Ok(value) } else { Err(Errors(self.errors)) }
    }
}
