//! The wire format of a node: its snapshot, and the fields that the console adds.

use std::fmt::Write as _;

use serde_json::json;
use taskvisor::{AttemptOutcome, NodeSnapshot, PathHistory};

use super::times::{rfc3339, unix_ms};
use super::why::Why;

/// The fields that the console adds to a snapshot.
pub(crate) struct Extra<'a> {
    pub(crate) parent: Option<&'a str>,
    pub(crate) index: u32,
    pub(crate) why: &'a Why,
    pub(crate) recent: Option<String>,
    pub(crate) children: Option<usize>,
}

/// Writes a snapshot without children as an object.
pub(crate) fn of_snapshot(node: &NodeSnapshot) -> String {
    // A snapshot has only texts and numbers, whose serialization cannot fail.
    serde_json::to_string(node).unwrap_or_else(|_| "{}".to_owned())
}

/// Adds fields to an object.
pub(crate) fn with_extra(snapshot: &str, extra: &Extra<'_>) -> String {
    let object = snapshot.strip_suffix('}').unwrap_or(snapshot);
    let mut out = String::with_capacity(object.len() + 160 + extra.recent.as_ref().map_or(0, String::len));
    out.push_str(object);
    let _ = write!(out, ",\"index\":{}", extra.index);
    if let Some(parent) = extra.parent {
        let _ = write!(out, ",\"parent\":{}", json!(parent));
    }
    let _ = write!(out, ",\"why\":{}", why(extra.why));
    if let Some(recent) = &extra.recent {
        let _ = write!(out, ",\"recent\":{recent}");
    }
    if let Some(children) = extra.children {
        let _ = write!(out, ",\"children\":{children}");
    }
    out.push('}');
    out
}

pub(crate) fn why(why: &Why) -> serde_json::Value {
    match why.until {
        Some(until) => json!({ "text": why.text, "until": rfc3339(until) }),
        None => json!({ "text": why.text }),
    }
}

/// The largest number of attempts of a node.
const RECENT: usize = 30;

/// Writes the last attempts: when each began and ended in milliseconds since 1970, its outcome and its number.
pub(crate) fn recent(history: &PathHistory) -> String {
    let mut out = String::from("[");
    let all = history.attempts().count();
    for attempt in history.attempts().skip(all.saturating_sub(RECENT)) {
        if out.len() > 1 {
            out.push(',');
        }
        let ms = |at: Option<_>| at.map_or("null".to_owned(), |at| unix_ms(at).to_string());
        let (began, ended) = (ms(attempt.began), ms(attempt.ended));
        let _ = write!(out, "[{began},{ended},\"{}\",{}]", attempt.outcome, attempt.attempt);
    }
    out.push(']');
    out
}

/// Returns `true` if the history does not have the current state of the node yet.
pub(crate) fn is_behind(history: &PathHistory, attempt: u32, is_running: bool) -> bool {
    match history.last() {
        Some(last) => (last.attempt, last.outcome == AttemptOutcome::Running) != (attempt, is_running),
        // A history without the path has dropped it, unless this is the first attempt.
        None => attempt == 1,
    }
}
