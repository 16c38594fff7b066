//! Durations such as `"10s"`, `"250ms"`, `"1h30m"` and `"1.5s"`.

use std::time::Duration;

use crate::suggest;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// The units, largest first, in nanoseconds.
const UNITS: [(&str, u128); 7] = [
    ("d", 86_400 * NANOS_PER_SECOND),
    ("h", 3_600 * NANOS_PER_SECOND),
    ("m", 60 * NANOS_PER_SECOND),
    ("s", NANOS_PER_SECOND),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Other spellings of units, for suggestions.
const ALIASES: [(&str, &[&str]); 7] = [
    ("d", &["day", "days"]),
    ("h", &["hr", "hrs", "hour", "hours"]),
    ("m", &["min", "mins", "minute", "minutes"]),
    ("s", &["sec", "secs", "second", "seconds"]),
    ("ms", &["msec", "msecs", "milli", "millis", "millisecond", "milliseconds"]),
    ("us", &["usec", "micro", "micros", "microsecond", "microseconds"]),
    ("ns", &["nsec", "nano", "nanos", "nanosecond", "nanoseconds"]),
];

/// The names of a week.
const WEEKS: [&str; 3] = ["w", "week", "weeks"];

/// Parses `text` to an exact duration.
///
/// # Errors
///
/// The message names the problem with the text, and a valid form.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use taskvisor_parse::duration;
///
/// assert_eq!(duration::parse("1h30m"), Ok(Duration::from_secs(5_400)));
/// let error = duration::parse("1 hour").unwrap_err();
/// assert_eq!(error, "\"1 hour\" has units of other names: write \"1h\"");
/// ```
pub fn parse(text: &str) -> Result<Duration, String> {
    if let Some(meant) = in_our_units(text) {
        return Err(format!("\"{text}\" has units of other names: write \"{meant}\""));
    }
    let joined: String = text.split_whitespace().collect();
    if joined != text {
        return Err(match parse(&joined) {
            Ok(_) => format!("\"{text}\" has a space in it: write \"{joined}\""),
            Err(_) => not_a_duration(text),
        });
    }
    if let Some(meant) = from_clock(text) {
        return Err(meant);
    }
    if let Some(message) = in_other_notation(text) {
        return Err(message);
    }
    if text.starts_with('-') {
        return Err(format!("\"{text}\" is negative: a duration is zero or more"));
    }
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(not_a_duration(text));
    }
    let mut total: u128 = 0;
    let mut previous: Option<u128> = None;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split(after, |c| !c.is_ascii_digit());
        let unit_nanos = unit_in(text, number, unit)?;
        if previous.is_some_and(|previous| previous <= unit_nanos) {
            return Err(format!(
                "\"{text}\" is out of order: units go from large to small, each once, as in \"1h30m\""
            ));
        }
        let nanos = scale(text, number, unit_nanos)?;
        total = total.checked_add(nanos).ok_or_else(|| too_long(text))?;
        previous = Some(unit_nanos);
        rest = after;
    }
    let seconds = u64::try_from(total / NANOS_PER_SECOND).map_err(|_| too_long(text))?;
    let nanos = u32::try_from(total % NANOS_PER_SECOND).map_err(|_| too_long(text))?;
    Ok(Duration::new(seconds, nanos))
}

/// Formats a duration in the form that [`parse`] reads.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(taskvisor_parse::duration::display(Duration::from_millis(61_500)), "1m1s500ms");
/// ```
pub fn display(duration: Duration) -> String {
    let mut rest = duration.as_nanos();
    let mut text = String::new();
    for (unit, nanos) in UNITS {
        if rest >= nanos {
            text += &(rest / nanos).to_string();
            text += unit;
            rest %= nanos;
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

fn not_a_duration(text: &str) -> String {
    format!("\"{text}\" is not a duration: write for example \"10s\", \"250ms\" or \"1h30m\"")
}

/// Returns the message for `hh:mm:ss`, and for two numbers, which can be either of two durations.
fn from_clock(text: &str) -> Option<String> {
    let parts: Vec<u64> = text.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let shown = |seconds: u64| display(Duration::from_secs(seconds));
    match *parts {
        [first, second] => {
            let short = first.checked_mul(60)?.checked_add(second)?;
            let long = short.checked_mul(60)?;
            Some(format!("\"{text}\" has no units: write \"{}\" or \"{}\"", shown(short), shown(long)))
        }
        [hours, minutes, seconds] => {
            let all = hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)?.checked_add(seconds)?;
            Some(format!("\"{text}\" is a time of day: write \"{}\"", shown(all)))
        }
        _ => None,
    }
}

/// Returns the message for numbers in the notation of others: `1_000ms`, `1,5s`, `+5s` and `.5s`, and for `PT1M30S`.
fn in_other_notation(text: &str) -> Option<String> {
    let of = |meant: &str| parse(meant).is_ok().then(|| format!("\"{meant}\""));
    if let Some(mark) = text.chars().find(|c| matches!(c, '_' | '\'')) {
        return Some(format!("\"{text}\" has a `{mark}` in a number: write {}", of(&text.replace(['_', '\''], ""))?));
    }
    if let Some((before, after)) = text.split_once(',') {
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let is_number = before.ends_with(|last: char| last.is_ascii_digit()) && digits > 0;
        if !is_number {
            return Some(format!("\"{text}\" has a `,` in it: write {}", of(&text.replace(',', ""))?));
        }
        let point = of(&text.replace(',', "."));
        // `1,000` can be either.
        let none = of(&text.replace(',', "")).filter(|_| digits == 3);
        return match (none, point) {
            (Some(none), Some(point)) => Some(format!("\"{text}\" has a `,` in a number: write {none} or {point}")),
            (one, other) => Some(format!("\"{text}\" has a `,` in a number: write {}", one.or(other)?)),
        };
    }
    if let Some(rest) = text.strip_prefix('+').filter(|rest| rest.starts_with(|first: char| first.is_ascii_digit())) {
        return Some(format!("\"{text}\" has a sign: write {}", of(rest)?));
    }
    if text.starts_with('.') {
        return Some(format!("\"{text}\" has no digit before the point: write {}", of(&format!("0{text}"))?));
    }
    let period = text.strip_prefix('P')?;
    let (date, time) = period.split_once('T').unwrap_or((period, ""));
    // A month and a year have no length.
    let ours = (!date.contains(['M', 'Y'])).then(|| format!("{date}{time}").to_lowercase())?;
    Some(format!("\"{text}\" is in the notation of ISO 8601: write {}", of(&ours)?))
}

/// Splits off the longest prefix of characters that `belongs` accepts.
fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn unit_in(text: &str, number: &str, unit: &str) -> Result<u128, String> {
    if unit.is_empty() {
        let whole = |unit| format!("{number}{unit}");
        let meant = ["s", "ms"].map(whole).into_iter().filter(|meant| parse(meant).is_ok());
        let meant: Vec<_> = meant.map(|meant| format!("\"{meant}\"")).collect();
        if meant.is_empty() {
            return Err(scale(text, number, NANOS_PER_SECOND).err().unwrap_or_else(|| too_long(text)));
        }
        return Err(format!("\"{text}\" has no unit after `{number}`: write for example {}", meant.join(" or ")));
    }
    // Both signs for micro.
    let known = if matches!(unit, "µs" | "μs") { "us" } else { unit };
    if let Some((_, nanos)) = UNITS.iter().find(|(name, _)| *name == known) {
        return Ok(*nanos);
    }
    if matches!(unit, "e" | "E") {
        return Err(format!("\"{text}\" has an exponent: write the number with all its digits, as in \"1000s\""));
    }
    Err(format!(
        "unknown unit `{unit}` in \"{text}\", expected {}",
        suggest::list(UNITS.iter().rev().map(|(name, _)| *name), '`')
    ))
}

/// Returns `1h30m` for `1 hour and 30 minutes`; `None` if it has no units with other names, or is not a duration.
fn in_our_units(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let spaced = lower.replace(" and ", " ").replace(',', " ");
    let mut rest = spaced.trim();
    let mut ours = String::new();
    let mut is_other = lower != text;
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split(after.trim_start(), |c| !c.is_ascii_digit());
        let unit = unit.trim();
        let known = UNITS.iter().map(|(name, _)| *name).find(|name| *name == unit);
        let other = || ALIASES.iter().find(|(_, aliases)| aliases.contains(&unit)).map(|(name, _)| *name);
        is_other |= known.is_none();
        if WEEKS.contains(&unit) {
            ours += &number.parse::<u64>().ok()?.checked_mul(7)?.to_string();
            ours.push('d');
        } else {
            ours += number;
            ours += known.or_else(other)?;
        }
        rest = after.trim();
    }
    (is_other && parse(&ours).is_ok()).then_some(ours)
}

/// Returns `number` times `unit_nanos`, exactly.
fn scale(text: &str, number: &str, unit_nanos: u128) -> Result<u128, String> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return Err(format!("`{number}` in \"{text}\" is not a number"));
    }
    let whole: u128 = whole.parse().map_err(|_| too_long(text))?;
    let fraction = fraction.trim_end_matches('0');
    let too_fine = || format!("\"{text}\" is finer than a nanosecond");
    let fraction = scale_fraction(fraction, unit_nanos).ok_or_else(too_fine)?;
    whole.checked_mul(unit_nanos).and_then(|nanos| nanos.checked_add(fraction)).ok_or_else(|| too_long(text))
}

/// Returns the nanoseconds of the digits after the point; `None` if they are not a whole number.
fn scale_fraction(digits: &str, unit_nanos: u128) -> Option<u128> {
    if digits.is_empty() {
        return Some(0);
    }
    let places = u32::try_from(digits.len()).ok()?;
    let divisor = 10_u128.checked_pow(places)?;
    let product = digits.parse::<u128>().ok()?.checked_mul(unit_nanos)?;
    (product % divisor == 0).then_some(product / divisor)
}

fn too_long(text: &str) -> String {
    format!("\"{text}\" is longer than a `Duration` can be")
}
