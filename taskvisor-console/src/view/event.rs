//! The form of an event on the wire: that of the runtime, with its level and a line of text.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Value, json};
use taskvisor::{Event, EventKind, LogLevel};

use super::times::rfc3339;
use crate::settings::Settings;

pub(crate) fn event(event: &Event, settings: &Settings) -> Arc<str> {
    let level = match LogLevel::of(event) {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
    };
    let text = text(event, settings);
    let mut json = match &settings.redact {
        Some(_) => redacted(event, settings),
        // An event has only texts and numbers, whose serialization cannot fail.
        None => serde_json::to_string(event).unwrap_or_else(|_| "{}".to_owned()),
    };
    json.pop();
    let _ = write!(json, ",\"level\":\"{level}\",\"text\":{}}}", Value::from(text));
    json.into()
}

/// Writes an event with the texts of its error redacted.
fn redacted(event: &Event, settings: &Settings) -> String {
    let mut value = serde_json::to_value(event).unwrap_or_default();
    for name in ["reason", "key", "change", "error", "failure"] {
        if let Some(value) = value.get_mut(name) {
            redact(value, settings);
        }
    }
    value.to_string()
}

/// The line of an action, in the form of an event.
pub(crate) fn action(what: &str, subject: &str, answer: &str) -> Arc<str> {
    let at = rfc3339(SystemTime::now());
    let text = format!("ConsoleAction {} {what}: {answer}", name(subject));
    json!({ "kind": "ConsoleAction", "at": at, "task": subject, "reason": answer, "level": "info", "text": text })
        .to_string()
        .as_str()
        .into()
}

/// Redacts the texts of an error. Its label is not a text of the program, and stays.
fn redact(value: &mut Value, settings: &Settings) {
    match value {
        Value::String(text) => *text = settings.redacted(std::mem::take(text)),
        Value::Array(values) => values.iter_mut().for_each(|value| redact(value, settings)),
        Value::Object(fields) => {
            fields.iter_mut().filter(|(name, _)| *name != "label").for_each(|(_, value)| redact(value, settings));
        }
        _ => {}
    }
}

/// Returns the line that `LogWriter` writes, without time and level.
fn text(event: &Event, settings: &Settings) -> String {
    let reason = event.reason.as_ref().filter(|_| settings.redact.is_some());
    let Some(reason) = reason else { return event.to_string() };
    let mut event = event.clone();
    event.reason = Some(settings.redacted(reason.as_str().to_owned()).into());
    event.to_string()
}

/// Formats a name as one word, or quoted.
fn name(name: &str) -> String {
    let forges = |c: char| c.is_whitespace() || matches!(c, '=' | '"');
    if name.is_empty() || name.contains(forges) { format!("{name:?}") } else { name.escape_debug().to_string() }
}

/// Returns the path whose node the event is about.
pub(crate) fn path(event: &Event) -> Option<&Arc<str>> {
    let names_subscriber = matches!(event.kind, EventKind::SubscriberPanicked | EventKind::SubscriberOverflow);
    event.task.as_ref().filter(|_| !names_subscriber)
}
