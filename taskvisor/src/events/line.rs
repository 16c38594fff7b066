//! An event as a line of text, and the names that its fields have in lines and in JSON.

use std::fmt;

use super::{Event, EventKind};

/// The names of the fields whose meaning follows from the kind: those of [`EventData`](super::EventData).
pub(crate) struct Words {
    #[cfg_attr(not(any(feature = "serde", test)), expect(dead_code, reason = "a line has no name for it"))]
    pub(crate) task: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) delay_ms: &'static str,
    pub(crate) timeout_ms: &'static str,
    pub(crate) count: &'static str,
}

impl Words {
    const USUAL: Self =
        Self { task: "task", reason: "reason", delay_ms: "delay_ms", timeout_ms: "timeout_ms", count: "count" };

    pub(crate) const fn of(kind: EventKind) -> Self {
        let usual = Self::USUAL;
        match kind {
            EventKind::ShutdownWaiting => {
                Self { delay_ms: "since_ms", timeout_ms: "left_ms", count: "waiting", ..usual }
            }
            EventKind::GroupFailed => Self { count: "failures", ..usual },
            EventKind::GroupRestarted => Self { count: "restarts", ..usual },
            EventKind::ControllerSubmitted | EventKind::ControllerRejected => Self { count: "waiting", ..usual },
            EventKind::ControllerSlotTransition => Self { reason: "change", count: "waiting", ..usual },
            EventKind::LeaseAcquired | EventKind::LeaseReleased => Self { reason: "key", count: "token", ..usual },
            EventKind::LeaseOverrun => Self { reason: "key", ..usual },
            EventKind::SubscriberPanicked => Self { task: "subscriber", ..usual },
            EventKind::SubscriberOverflow => Self { task: "subscriber", count: "lost", ..usual },
            _ => usual,
        }
    }
}

/// Formats the event as one line, without its time: the kind, the path of the task or group, and the other fields with
/// their names. Names and texts are escaped, so that none can forge a line or a field.
///
/// ```
/// use taskvisor::{Event, EventKind};
///
/// let mut event = Event::new(EventKind::TaskFailed);
/// event.task = Some("store/pool".into());
/// event.attempt = Some(3);
/// event.reason = Some("connection refused".into());
/// assert_eq!(event.to_string(), r#"TaskFailed store/pool attempt=3 reason="connection refused""#);
/// ```
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        match self.task.as_deref() {
            // The root.
            Some("") => f.write_str(" \"\"")?,
            Some(task) => write!(f, " {}", name(task))?,
            None => {}
        }
        write_fields(f, self)
    }
}

/// Writes the fields after the kind and the task, each after a space.
pub(super) fn write_fields(out: &mut impl fmt::Write, event: &Event) -> fmt::Result {
    let words = Words::of(event.kind);
    if let Some(attempt) = event.attempt {
        write!(out, " attempt={attempt}")?;
    }
    for (word, value) in [(words.delay_ms, event.delay_ms), (words.timeout_ms, event.timeout_ms)] {
        if let Some(ms) = value {
            write!(out, " {}={ms}ms", word.trim_end_matches("_ms"))?;
        }
    }
    if let Some(slot) = &event.slot {
        write!(out, " slot={}", name(slot))?;
    }
    if let Some(count) = event.count {
        write!(out, " {}={count}", words.count)?;
    }
    match &event.reason {
        Some(reason) => write!(out, " {}={:?}", words.reason, reason.as_str()),
        // The kind alone does not show whether the task completed or failed.
        None if event.kind == EventKind::ActorExhausted => write!(out, " outcome=completed"),
        None => Ok(()),
    }
}

/// Formats a name as one word, or quoted.
pub(super) fn name(name: &str) -> String {
    let forges = |c: char| c.is_whitespace() || matches!(c, '=' | '"');
    if name.contains(forges) { format!("{name:?}") } else { name.escape_debug().to_string() }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Checks the names of the fields of a kind with its data, such as `TaskStarting { task: "a/b", attempt: 3 }`.
    pub(in crate::events) fn check(kind: EventKind, data: &str) {
        let fields = data.split_once('{').map_or("", |(_, fields)| fields.trim_matches([' ', '}']));
        let has = |name: &str| fields.split(", ").any(|field| field.split_once(": ").is_some_and(|(it, _)| it == name));
        let words = Words::of(kind);
        let [delay, timeout] = [words.delay_ms, words.timeout_ms].map(|word| word.trim_end_matches("_ms"));
        let others: [(&str, &str, &[&str]); 5] = [
            (words.task, "task", &["subscriber"]),
            (words.reason, "reason", &["key"]),
            (delay, "delay", &["since"]),
            (timeout, "timeout", &["left"]),
            (words.count, "count", &["failures", "restarts", "waiting", "token", "lost"]),
        ];
        for (word, usual, others) in others {
            match others.iter().find(|other| has(other)) {
                Some(other) => assert_eq!(word, *other, "{kind}"),
                // The data have both sides of the change.
                None if has("from") && usual == "reason" => assert_eq!(word, "change", "{kind}"),
                None => assert_eq!(word, usual, "{kind}"),
            }
        }
    }

    #[test]
    fn t5_the_line_of_a_lease_names_its_token_and_its_key() {
        let of = |kind, count| {
            let event = Event { count, task: Some("bill".into()), ..Event::new(kind).because("eu/bill") };
            event.to_string()
        };
        assert_eq!(of(EventKind::LeaseAcquired, Some(17)), r#"LeaseAcquired bill token=17 key="eu/bill""#);
        assert_eq!(of(EventKind::LeaseReleased, Some(17)), r#"LeaseReleased bill token=17 key="eu/bill""#);
        assert_eq!(of(EventKind::LeaseOverrun, None), r#"LeaseOverrun bill key="eu/bill""#);
        let root = Event { task: Some("".into()), ..Event::new(EventKind::TaskPaused) };
        assert_eq!(root.to_string(), r#"TaskPaused """#);
    }
}
