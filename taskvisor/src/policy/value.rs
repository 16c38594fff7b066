//! Parses and formats the values of options: overrides set values from text, and `Tree::settings` shows them.

#[cfg(feature = "cron")]
use std::sync::Arc;
use std::time::Duration;

use taskvisor_parse::{duration, suggest};

#[cfg(feature = "cron")]
use super::Missed;
use super::{BackoffPolicy, JitterPolicy, RestartPolicy};

/// The text that clears an option.
pub(crate) const NONE: &str = "none";

/// Returns `true` if a text is negative, or can only mean zero, whether or not it has the form of a value.
pub(crate) fn is_at_most_zero(text: &str) -> bool {
    let mut digits = text.chars().filter(char::is_ascii_digit).peekable();
    digits.peek().is_some() && (text.starts_with('-') || digits.all(|digit| digit == '0'))
}

/// Refuses zero, and what is less, where zero would mean no value.
pub(crate) fn refuse_zero(name: &str, text: &str, is_zero: bool) -> Result<(), String> {
    match is_zero {
        true => Err(format!("\"{text}\" means no `{name}`: write `none`")),
        false if is_at_most_zero(text) => {
            Err(format!("\"{text}\" is no value of `{name}`: expected more than zero, or `none`"))
        }
        false => Ok(()),
    }
}

/// The kind of child whose options overrides can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Task,
    Group,
}

/// A value of an option that can be set from text.
///
/// Most values have one name, that of the option. Other values consist of parts, each with a name of its own.
pub(crate) trait Value {
    /// Returns the names under which `row` is set.
    fn names(&self, row: &'static str) -> Vec<&'static str> {
        vec![row]
    }

    /// Returns the text of the part of this name. `None` if the value has no such part now.
    fn show(&self, name: &str) -> Option<String>;

    /// Sets the part of this name.
    ///
    /// # Errors
    /// The message says what is wrong with the text.
    fn set(&mut self, name: &str, text: &str) -> Result<(), String>;

    /// Returns the name of a part that is missing and must be set together with these.
    fn lacks(&self, given: &[&str]) -> Option<&'static str> {
        let _ = given;
        None
    }

    /// Returns `true` if the value is zero.
    fn is_zero(&self) -> bool {
        false
    }

    /// Sets the value to zero, if its type has a zero.
    fn set_to_zero(&mut self) {}
}

/// A value that is parsed from one text.
trait Scalar: Sized {
    fn read(text: &str) -> Result<Self, String>;
    fn write(&self) -> String;
}

impl Scalar for Duration {
    fn read(text: &str) -> Result<Self, String> {
        duration::parse(text)
    }

    fn write(&self) -> String {
        duration::display(*self)
    }
}

/// Implements [`Scalar`] for unsigned integers.
macro_rules! whole_numbers {
    ($($number:ident)*) => {$(
        impl Scalar for $number {
            fn read(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| not_a_whole_number(text, &$number::MAX.to_string()))
            }

            fn write(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

whole_numbers!(u32 usize);

fn not_a_whole_number(text: &str, most: &str) -> String {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    match (is_number, digits == text) {
        (true, true) => format!("\"{text}\" is too large: at most {most}"),
        (true, false) => format!("\"{text}\" is negative: write zero or more"),
        (false, _) => format!("\"{text}\" is not a whole number: write for example \"5\""),
    }
}

impl Scalar for f64 {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("\"{text}\" is not a number: write for example \"2.0\""))
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Scalar for bool {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("\"{text}\" is neither \"true\" nor \"false\""))
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

const JITTERS: [(&str, JitterPolicy); 4] = [
    ("none", JitterPolicy::None),
    ("full", JitterPolicy::Full),
    ("equal", JitterPolicy::Equal),
    ("decorrelated", JitterPolicy::Decorrelated),
];

impl Scalar for JitterPolicy {
    fn read(text: &str) -> Result<Self, String> {
        if let Some((_, jitter)) = JITTERS.iter().find(|(word, _)| *word == text) {
            return Ok(*jitter);
        }
        let words = || JITTERS.iter().map(|(word, _)| *word);
        Err(match suggest::closest(text, words()) {
            Some(meant) => format!("\"{text}\" is no jitter, did you mean \"{meant}\"?"),
            None => format!("\"{text}\" is no jitter, expected {}", suggest::list(words(), '"')),
        })
    }

    fn write(&self) -> String {
        JITTERS.iter().find(|(_, jitter)| jitter == self).map_or("none", |(word, _)| word).to_owned()
    }
}

/// A rate of starts, such as `10/1m`: at most 10 within a minute.
impl Scalar for (usize, Duration) {
    fn read(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').map(|(starts, per)| (starts.trim(), per.trim()));
        let read = parts.and_then(|(starts, per)| Some((usize::read(starts).ok()?, Duration::read(per).ok()?)));
        read.ok_or_else(|| {
            // A number is most often one of seconds.
            let seconds = parts.map(|(starts, per)| (usize::read(starts), Duration::read(&format!("{per}s"))));
            let example = match seconds {
                Some((Ok(starts), Ok(per))) if starts > 0 && !per.is_zero() => format!("\"{starts}/{}\"", per.write()),
                _ => "\"10/1m\", for 10 starts within any minute".to_owned(),
            };
            format!("\"{text}\" is not a rate: write for example {example}")
        })
    }

    fn write(&self) -> String {
        format!("{}/{}", self.0, self.1.write())
    }
}

impl<T: Scalar + Default + PartialEq> Value for T {
    fn show(&self, _: &str) -> Option<String> {
        Some(self.write())
    }

    fn set(&mut self, _: &str, text: &str) -> Result<(), String> {
        let read = T::read(text);
        *self = match read {
            Err(_) if text == NONE => return Err("it cannot be `none`: it always has a value".to_owned()),
            read => read?,
        };
        Ok(())
    }

    fn is_zero(&self) -> bool {
        *self == T::default()
    }

    fn set_to_zero(&mut self) {
        *self = T::default();
    }
}

impl<T: Scalar> Value for Option<T> {
    fn show(&self, _: &str) -> Option<String> {
        Some(self.as_ref().map_or_else(|| NONE.to_owned(), Scalar::write))
    }

    fn set(&mut self, _: &str, text: &str) -> Result<(), String> {
        *self = if text == NONE { None } else { Some(T::read(text)?) };
        Ok(())
    }
}

#[cfg(feature = "cron")]
impl Scalar for Missed {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "once" => Ok(Self::Once),
            "skip" => Ok(Self::Skip),
            _ => Err(format!("\"{text}\" is neither \"once\" nor \"skip\"")),
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Once => "once".to_owned(),
            Self::Skip => "skip".to_owned(),
        }
    }
}

/// The pattern or the zone of a schedule. A schedule cannot be added or removed.
#[cfg(feature = "cron")]
impl Value for Option<Arc<str>> {
    fn show(&self, name: &str) -> Option<String> {
        match (self, name) {
            (Some(text), _) => Some(text.to_string()),
            (None, CRON) => None,
            (None, _) => Some(NONE.to_owned()),
        }
    }

    fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
        if name == CRON && self.is_none() {
            return Err("the task has no schedule, which is the program's structure".to_owned());
        }
        if name == CRON && text == NONE {
            return Err("it cannot be `none`, as a schedule is the program's structure: `paused` keeps the task from \
                        running"
                .to_owned());
        }
        *self = (text != NONE).then(|| text.into());
        Ok(())
    }
}

#[cfg(feature = "cron")]
const CRON: &str = "cron";

impl Value for BackoffPolicy {
    fn names(&self, _: &'static str) -> Vec<&'static str> {
        vec!["backoff.first", "backoff.max", "backoff.factor", "backoff.jitter"]
    }

    fn show(&self, name: &str) -> Option<String> {
        match name {
            "backoff.first" => self.first.show(name),
            "backoff.max" => self.max.show(name),
            "backoff.factor" => self.factor.show(name),
            "backoff.jitter" => self.jitter.show(name),
            _ => None,
        }
    }

    fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
        match name {
            "backoff.first" => self.first.set(name, text),
            "backoff.max" => self.max.set(name, text),
            "backoff.factor" => self.factor.set(name, text),
            _ => self.jitter.set(name, text),
        }
    }
}

const MAX_RESTARTS: &str = "limit.max_restarts";
const WITHIN: &str = "limit.within";

/// A limit of failures. Its parts are set one by one; `none` clears the whole limit.
impl Value for Option<(u32, Duration)> {
    fn names(&self, row: &'static str) -> Vec<&'static str> {
        vec![row, MAX_RESTARTS, WITHIN]
    }

    fn show(&self, name: &str) -> Option<String> {
        match (self, name) {
            (Some((restarts, _)), MAX_RESTARTS) => Some(restarts.write()),
            (Some((_, within)), WITHIN) => Some(within.write()),
            (Some(_), _) | (None, MAX_RESTARTS | WITHIN) => None,
            (None, _) => Some(NONE.to_owned()),
        }
    }

    fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
        let (mut restarts, mut within) = self.unwrap_or_default();
        match name {
            MAX_RESTARTS => restarts.set(name, text)?,
            WITHIN => within.set(name, text)?,
            _ if text == NONE => {
                *self = None;
                return Ok(());
            }
            _ => return Err(format!("\"{text}\" is no limit: set `{MAX_RESTARTS}` and `{WITHIN}`, or write `none`")),
        }
        *self = Some((restarts, within));
        Ok(())
    }

    fn lacks(&self, given: &[&str]) -> Option<&'static str> {
        let is_given = |name| given.contains(&name);
        match (self, is_given(MAX_RESTARTS), is_given(WITHIN)) {
            (None, true, false) => Some(WITHIN),
            (None, false, true) => Some(MAX_RESTARTS),
            _ => None,
        }
    }
}

/// Only the interval of [`RestartPolicy::Always`] can be set, not the policy itself.
impl Value for RestartPolicy {
    fn names(&self, _: &'static str) -> Vec<&'static str> {
        vec!["interval"]
    }

    fn show(&self, name: &str) -> Option<String> {
        match self {
            Self::Always { interval } => interval.show(name),
            _ => None,
        }
    }

    fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
        match self {
            Self::Always { interval } => interval.set(name, text),
            _ => Err("it needs the restart policy `Always`, which is the program's structure".to_owned()),
        }
    }
}

#[cfg(test)]
#[path = "value_test.rs"]
mod tests;
