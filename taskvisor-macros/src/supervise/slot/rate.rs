//! The rate of a slot: `"10/1m"`.

use std::time::Duration;

use proc_macro2::Ident;
use quote::ToTokens;
use syn::{Expr, ExprLit, Lit};

use super::Rate;
use crate::argument::peel;
use crate::reader::{Given, Reader, Value};

/// Reads `"10/1m"`: so many starts, and the time.
pub(super) fn read_rate(key: &Ident, value: &Expr, reader: &mut Reader) -> Option<Given<Rate>> {
    const USAGE: &str = "write for example `rate = \"10/1m\"`, for 10 starts within any minute";
    if reader.is_unreadable(value) {
        return None;
    }
    let text = match peel(value) {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text,
        other => {
            reader.errors.push(other, format!("`{key}` is a string: {USAGE}"));
            return None;
        }
    };
    let written = text.value();
    let Some((starts, per)) = written.split_once('/') else {
        reader.errors.push(text, format!("`{key}` is a number of starts and a time, with `/` between them: {USAGE}"));
        return None;
    };
    let starts = match starts.trim().parse() {
        Ok(0) => Err(format!("`{key}` must allow at least 1 start: {USAGE}")),
        Ok(starts) => Ok(starts),
        Err(_) => Err(format!("`{}` is no number of starts: {USAGE}", starts.trim())),
    };
    let rate = starts.and_then(|starts| match parse_time(starts, per.trim())? {
        per if per.is_zero() => Err(format!("the time of `{key}` must be longer than zero: {USAGE}")),
        per => Ok(Rate { starts, per }),
    });
    match rate {
        Ok(rate) => Some(Given::new(key, Value::Known(rate, value.to_token_stream()))),
        Err(message) => {
            reader.errors.push(text, message);
            None
        }
    }
}

/// Reads the time of a rate. A unit alone, as in `"10/s"`, is told with its number.
fn parse_time(starts: usize, per: &str) -> Result<Duration, String> {
    let error = match crate::duration::parse(per) {
        Ok(per) => return Ok(per),
        Err(error) => error,
    };
    if per.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(error);
    }
    let one = format!("1{per}");
    let meant = match crate::duration::parse(&one) {
        Ok(meant) => Some(meant),
        Err(message) => message.split('"').nth(3).and_then(|meant| crate::duration::parse(meant).ok()),
    };
    Err(meant.map_or(error, |meant| {
        let meant = crate::duration::display(meant);
        format!("the time has a number, as in \"{meant}\": write `rate = \"{starts}/{meant}\"`")
    }))
}
