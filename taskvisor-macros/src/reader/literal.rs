//! Literals, and what was written in place of one.

use std::fmt::Display;
use std::str::FromStr;

use proc_macro2::Ident;
use quote::ToTokens;
use syn::{BinOp, Expr, ExprLit, Lit, UnOp};
#[cfg(feature = "cron")]
use taskvisor_parse::cron;

use super::Words;
use crate::argument::{self, Form, as_ident, peel};
use crate::synonyms;

/// Returns the message for a word with `-` in place of `_`, which is a difference: `on-failure`.
pub(super) fn dashed<W>(key: &Ident, expr: &Expr, words: &Words<W>) -> Option<String> {
    let Expr::Binary(binary) = expr else { return None };
    let (BinOp::Sub(_), Some(left), Some(right)) = (&binary.op, as_ident(&binary.left), as_ident(&binary.right)) else {
        return None;
    };
    let written = format!("{left}-{right}");
    let word = synonyms::snake_case(&written);
    let known = words.names().find(|known| *known == word).or_else(|| synonyms::ours(words.list, &word).next())?;
    Some(format!("unknown `{key}` `{written}`: write `{known}`"))
}

/// Returns the message for a word with a list, such as `always(interval = "5s")`.
pub(super) fn word_with_list<W>(key: &Ident, expr: &Expr, words: &Words<W>) -> Option<String> {
    let (word, Form::List(list)) = argument::form(expr)? else { return None };
    let options: Vec<(Ident, &Expr)> = list.iter().filter_map(argument::form).filter_map(value_of).collect();
    let is_known = words.known.iter().any(|(known, _)| word == known);
    if options.is_empty() || options.len() < list.len() {
        // Another name is that of a function.
        return is_known.then(|| format!("`{word}` takes no list: write `{key} = {word}`"));
    }
    let ours = synonyms::ours(words.list, &word.to_string()).next().map(str::to_owned);
    let ours = ours.unwrap_or_else(|| word.to_string());
    let beside = options.iter().map(|(option, value)| format!(", {option} = {}", value.to_token_stream()));
    let beside: String = beside.collect();
    Some(format!("`{word}` takes no list, its options stand beside it: write `{key} = {ours}{beside}`"))
}

/// Returns the key and the value of `key = value`.
fn value_of((key, form): (Ident, Form<'_>)) -> Option<(Ident, &Expr)> {
    match form {
        Form::Value(value) => Some((key, value)),
        _ => None,
    }
}

/// Returns the message for a value that is no list in brackets.
pub(super) fn not_a_list(key: &Ident, value: &Expr) -> String {
    let can_spread = key == "tasks" || key == "subscribers";
    match (peel(value), as_ident(value)) {
        (Expr::Repeat(_), _) => format!(
            "`{key}` is a list, and `;` repeats nothing: write `,` between entries, or `..(0..3).map(|number| ..)` for several"
        ),
        (_, Some(name)) if can_spread => {
            format!(
                "`{key}` is a list: write `{key} = [..{name}]` for all of an iterator, or `{key} = [{name}]` for one"
            )
        }
        (_, Some(name)) => format!("`{key}` is a list: write `{key} = [{name}]`"),
        (Expr::Macro(call), _) if can_spread && call.mac.path.is_ident("vec") => {
            format!("`{key}` is a list in brackets: write `{key} = [..]`, without `vec!`")
        }
        (Expr::Call(_) | Expr::MethodCall(_) | Expr::Field(_), _) if can_spread => {
            format!("`{key}` is a list: write `{key} = [..]`, with `..` before an expression that is an iterator")
        }
        _ => format!("`{key}` is a list: write `{key} = [..]`"),
    }
}

/// Returns a literal, with or without a minus sign.
pub(super) enum Literal<'a> {
    Plain(&'a Lit),
    Negative(&'a Lit),
}

pub(super) fn literal(expr: &Expr) -> Option<Literal<'_>> {
    match peel(expr) {
        Expr::Lit(literal) => Some(Literal::Plain(&literal.lit)),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => match peel(&unary.expr) {
            Expr::Lit(literal) => Some(Literal::Negative(&literal.lit)),
            _ => None,
        },
        _ => None,
    }
}

/// Returns `true` for `'5s'`, which the compiler reports itself: a character in quotes is one.
pub(super) fn is_told(literal: &Lit) -> bool {
    let text = literal.to_token_stream().to_string();
    let inside = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    inside.is_some_and(|inside| !inside.starts_with('\\') && inside.chars().count() > 1)
}

/// Returns the number of `5 * 60`, which is an expression of numbers alone.
pub(super) fn computed(expr: &Expr) -> Option<u64> {
    fn number(expr: &Expr) -> Option<u64> {
        match peel(expr) {
            Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse().ok(),
            Expr::Paren(paren) => number(&paren.expr),
            expr => computed(expr),
        }
    }
    let Expr::Binary(binary) = peel(expr) else { return None };
    let (left, right) = (number(&binary.left)?, number(&binary.right)?);
    match binary.op {
        BinOp::Add(_) => left.checked_add(right),
        BinOp::Sub(_) => left.checked_sub(right),
        BinOp::Mul(_) => left.checked_mul(right),
        BinOp::Div(_) => left.checked_div(right),
        _ => None,
    }
}

pub(super) fn unquoted_duration(key: &Ident, digits: &str, suffix: &str) -> String {
    // `5u64` has no unit.
    if suffix.is_empty() || suffix.ends_with(|digit: char| digit.is_ascii_digit()) || suffix.ends_with("size") {
        let (unit, name) = if digits.len() > 3 { ("ms", "milliseconds") } else { ("s", "seconds") };
        format!("`{key}` is a duration with a unit, in quotes: `{key} = \"{digits}{unit}\"` for {name}")
    } else {
        format!("a duration stands in quotes: `{key} = \"{digits}{suffix}\"`")
    }
}

/// Returns `true` for a zero of a duration that refuses it: to write it as `"0s"` is of no use.
pub(super) fn is_never_zero(key: &Ident, text: &str) -> bool {
    const KEYS: [&str; 8] =
        ["timeout", "every", "watchdog", "start_timeout", "reset_after", "within", "debounce", "late"];
    let mut digits = text.chars().filter(char::is_ascii_digit).peekable();
    digits.peek().is_some() && digits.all(|digit| digit == '0') && KEYS.iter().any(|never| key == never)
}

/// Returns the message for a zero of such a duration.
pub(super) fn never_zero(key: &Ident) -> String {
    let none = if key == "timeout" || key == "watchdog" { "leave it out for none, or " } else { "" };
    format!("`{key}` must be longer than zero: {none}write for example `{key} = \"10s\"`")
}

/// Returns the message for a text that is no duration: `error`, or what was meant by a word or a pattern.
pub(super) fn no_duration(key: &Ident, text: &str, error: String) -> String {
    const NONE: [&str; 9] = ["none", "off", "never", "no", "forever", "infinity", "infinite", "unlimited", "disabled"];
    let word = text.trim().to_lowercase();
    if NONE.contains(&&*word) {
        match &*key.to_string() {
            "timeout" | "watchdog" | "initial_delay" | "interval" | "splay" | "late" => {
                return format!("`{key}` is a duration: leave it out for none");
            }
            "stop_timeout" => {
                return format!("`{key}` is a duration: leave it out, and a stop may take as long as `grace`");
            }
            _ => {}
        }
    }
    if is_never_zero(key, &word) {
        return never_zero(key);
    }
    let nickname = format!("@{word}");
    let pattern = [text, &nickname].into_iter().find(|pattern| is_pattern(pattern));
    match pattern.filter(|_| key == "every" || key == "interval") {
        Some(pattern) => format!("`{key}` is a duration: write `cron = {pattern:?}` in place of it"),
        None => error,
    }
}

#[cfg(feature = "cron")]
fn is_pattern(text: &str) -> bool {
    cron::Pattern::parse(text).is_ok()
}

/// Judges by the look alone, without the parser.
#[cfg(not(feature = "cron"))]
fn is_pattern(text: &str) -> bool {
    let begins = |field: &str| field.starts_with(|first: char| first.is_ascii_digit() || first == '*');
    text.split_whitespace().count() == 5 && text.split_whitespace().all(begins)
}

pub(super) fn whole<N>(key: &Ident, literal: &Lit, ty: &str, max: &N) -> Result<N, String>
where
    N: FromStr<Err: Display> + Display,
{
    match literal {
        Lit::Int(number) if number.suffix().is_empty() || number.suffix() == ty => number
            .base10_parse::<N>()
            .map_err(|_| format!("`{key}` is at most {max}, and {} is more", number.base10_digits())),
        Lit::Int(number) => Err(format!("`{key}` is a `{ty}`, not a `{}`", number.suffix())),
        Lit::Str(text) if text.value().parse::<N>().is_ok() => {
            Err(format!("`{key}` is a number, without quotes: `{key} = {}`", text.value()))
        }
        _ => Err(format!("`{key}` is a whole number: write for example `{key} = 5`")),
    }
}

pub(super) fn real(key: &Ident, literal: &Lit) -> Result<f64, String> {
    let (number, suffix) = match literal {
        Lit::Float(number) => (number.base10_parse::<f64>(), number.suffix()),
        Lit::Int(number) => (number.base10_parse::<f64>(), number.suffix()),
        _ => return Err(format!("`{key}` is a number: write for example `{key} = 2.0`")),
    };
    match number {
        Ok(number) if !number.is_finite() => Err(format!("`{key}` must be finite")),
        Ok(number) if suffix.is_empty() || suffix == "f64" => Ok(number),
        _ => Err(format!("`{key}` is an `f64`: write for example `{key} = 2.0`")),
    }
}
