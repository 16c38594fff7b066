//! Suggestions for texts that other dialects accept.

use super::field::Field;
use super::parse::NICKNAMES;
use super::token::Token;
use crate::{duration, suggest};

/// Returns the message about a text that does not have five fields.
pub(super) fn on_number_of_fields(text: &str, words: &[Token<'_>]) -> String {
    if let Some(pattern) = of_time_of_day(text) {
        return format!("{text:?} is a time of day: write {pattern:?}");
    }
    if duration::parse(text).is_ok() {
        return format!("{text:?} is a duration: write `every = {text:?}`");
    }
    let nickname = format!("@{}", text.to_lowercase());
    if NICKNAMES.iter().any(|(name, _)| *name == nickname) {
        return format!("unknown pattern {text:?}, did you mean {nickname:?}?");
    }
    let zone = words.first().and_then(|word| word.split_once('=')).filter(|(key, _)| key.text.ends_with("TZ"));
    if let Some((_, zone)) = zone {
        return format!("{text:?} has its zone within the pattern: write `zone = {:?}` beside it", zone.text);
    }
    let count = words.len();
    let has_spaced_list = words.iter().any(|word| {
        let is_joint = |c| matches!(c, ',' | '-' | '/');
        word.text.starts_with(is_joint) || word.text.ends_with(is_joint)
    });
    let has_year = words.last().is_some_and(|word| word.text.len() == 4 && word.number().is_some());
    let has_seconds = words.first().is_some_and(|word| word.number().is_some());
    let rest = || {
        let fields = [Field::Minute, Field::Hour, Field::DayOfMonth, Field::Month, Field::DayOfWeek];
        let words = words.iter().skip(1).zip(fields).map(|(word, field)| of_quartz(word.text, field));
        words.collect::<Vec<_>>().join(" ")
    };
    let advice = match count {
        6.. if has_spaced_list => "there are no spaces within a field".to_owned(),
        6 if has_year => "a pattern has no year".to_owned(),
        6 if has_seconds => format!("leave out the seconds: {:?}", rest()),
        7 if has_seconds => format!("leave out the seconds and the year: {:?}", rest()),
        6 | 7 => "seconds are said by `every`".to_owned(),
        _ => "minute, hour, day of month, month and day of week".to_owned(),
    };
    format!("{text:?} has {count} field{}, expected 5: {advice}", if count == 1 { "" } else { "s" })
}

/// Returns a field of Quartz, whose `?` is `*` here, and whose `5/15` begins with 5.
fn of_quartz(word: &str, field: Field) -> String {
    let Some((first, step)) = word.split_once('/') else { return word.replace('?', "*") };
    match first.parse::<u32>() {
        Ok(first) if first == field.first() => format!("*/{step}"),
        Ok(first) => format!("{first}-{}/{step}", field.last()),
        Err(_) => word.to_owned(),
    }
}

/// Returns the pattern for a text such as `02:30`.
fn of_time_of_day(text: &str) -> Option<String> {
    let (hour, minute) = Token { start: 0, text }.split_once(':')?;
    let (hour, minute) = (hour.number()?, minute.number()?);
    (hour <= Field::Hour.last() && minute <= Field::Minute.last()).then(|| format!("{minute} {hour} * * *"))
}

/// Returns the replacement of a nickname of other dialects.
pub(super) fn on_nickname(word: &str) -> Option<&'static str> {
    match word {
        "@reboot" => Some("without `cron`, a task starts with its tree"),
        "@every" => Some("write for example `every = \"5m\"`"),
        _ => None,
    }
}

/// Returns the replacement of an item of other dialects.
pub(super) fn on_item(field: Field, item: &str) -> Option<&'static str> {
    let is_day_of_month = field == Field::DayOfMonth;
    let upper = item.to_ascii_uppercase();
    if item == "?" && matches!(field, Field::DayOfMonth | Field::DayOfWeek) {
        Some("write `*`")
    } else if upper == "H" || upper.starts_with("H/") || upper.starts_with("H(") || item.contains('~') {
        Some("write a number; `splay` spreads tasks that are due at one time")
    } else if is_day_of_month && upper.ends_with('W') {
        Some("write a day of the month, or a day of the week such as `mon#1`")
    } else if is_day_of_month && upper.starts_with("L-") {
        Some("`L` is the last day, and no days are counted from it")
    } else if field == Field::DayOfWeek && upper == "L" {
        Some("write for example `fri#L` for the last Friday")
    } else {
        None
    }
}

/// Returns the suggestion for an unknown name in a field.
pub(super) fn on_name(field: Field, word: &str) -> String {
    let lower = word.to_lowercase();
    let names = || field.names().iter().copied();
    // `monday` means `mon`.
    let meant = names().find(|name| lower.starts_with(name)).or_else(|| suggest::closest(&lower, names()));
    match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("expected a number, {}", suggest::list(names(), '`')),
    }
}
