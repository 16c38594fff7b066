//! What was meant by a key of others, as far as its value tells.

use quote::ToTokens;
use syn::{Expr, ExprLit, Lit};

use crate::argument::{self, Form, as_ident, peel};
use crate::synonyms;

/// The words of others for a number of attempts, of which the first is one.
const ATTEMPTS: [&str; 6] =
    ["max_attempts", "maximum_attempts", "attempts", "max_tries", "tries", "stop_after_attempt"];

/// The options whose value can be any text.
const TEXTS: [&str; 5] = ["name", "zone", "cron", "singleton", "last_run"];

/// Returns the option that has that value as a word, and the value as written: `ticks` for `tick = "at_least_once"`. A key that
/// stands for an option with words of its own means that, and so does one whose value can be any text.
pub(crate) fn option_of_word(
    lists: &'static [&'static str],
    key: &str,
    form: &Form<'_>,
) -> Option<(&'static str, String)> {
    let Form::Value(value) = form else { return None };
    let word = match peel(value) {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text.value(),
        value => as_ident(value)?.to_string(),
    };
    let meant = synonyms::ours(lists, key).next()?;
    let option = synonyms::option_of_word(&word)?;
    let is_own = synonyms::is_word_of(meant, &word) || TEXTS.contains(&meant);
    (!is_own).then(|| (option, value.to_token_stream().to_string()))
}

/// Returns the place and the message for `timeout = 1,5s` and `factor = 1,5`, whose second part is an argument.
pub(crate) fn with_point<'a>(argument: &'a Expr, next: Option<&Expr>) -> Option<(&'a Expr, String)> {
    let (key, Form::Value(value)) = argument::form(argument)? else { return None };
    let (Expr::Lit(whole), Expr::Lit(rest)) = (peel(value), peel(next?)) else { return None };
    let (Lit::Int(whole), Lit::Int(rest)) = (&whole.lit, &rest.lit) else { return None };
    // As written: `050` has a zero in front.
    let fraction = rest.to_token_stream().to_string();
    let number = match rest.suffix() {
        "" if key == "factor" => format!("{whole}.{fraction}"),
        "" if fraction.len() == 3 => format!("{whole}{fraction}"),
        "" => return None,
        _ => format!("\"{whole}.{fraction}\""),
    };
    Some((value, format!("a number has no `,` in it: write `{key} = {number}`")))
}

/// Returns the message with what to write for the value: a number of attempts, or a word of Erlang such as
/// `shutdown = "brutal_kill"`.
pub(crate) fn with_value(message: String, key: &str, form: &Form<'_>) -> String {
    let Form::Value(value) = form else { return message };
    if message.ends_with("write `max_retries`") && ATTEMPTS.contains(&&*synonyms::snake_case(key)) {
        let number = match peel(value) {
            Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse::<u32>().ok(),
            _ => None,
        };
        let retries = number.and_then(|attempts| attempts.checked_sub(1));
        let instead =
            retries.map_or_else(|| "`max_retries`".to_owned(), |retries| format!("`max_retries = {retries}`"));
        let message = message.replace("`max_retries`", &instead);
        return format!("{message}, which does not count the first attempt");
    }
    let word = value.to_token_stream().to_string();
    let timeout = ["`stop_timeout`", "`grace`"].into_iter().find(|word| message.ends_with(word));
    match (timeout, word.trim_matches('"')) {
        (Some(timeout), "brutal_kill") => {
            let key = timeout.trim_matches('`');
            message.replace(timeout, &format!("`{key} = \"0s\"`"))
        }
        (Some("`stop_timeout`"), "infinity") => {
            message.replace("write `stop_timeout`", "leave it out, and a stop may take as long as `grace`")
        }
        _ => message,
    }
}
