//! Events as lines of text.

use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use super::{Event, Subscribe};
use crate::sync::lock;

/// A subscriber that writes one line an event: UTC time of day, kind, task, and what is known beside it. Control
/// characters are escaped, so that no task can forge a line.
///
/// ```text
/// 08:15:30.123 TaskFailed               ping attempt=3 reason="connection refused"
/// ```
///
/// Meant for development: it writes while the event is delivered. What cannot be written is dropped.
///
/// # Examples
/// ```
/// use taskvisor::{LogWriter, Supervisor, SupervisorConfig};
/// use std::sync::Arc;
///
/// let supervisor = Supervisor::new(SupervisorConfig::default(), vec![Arc::new(LogWriter::default())]);
/// ```
pub struct LogWriter<W = io::Stdout> {
    writer: Mutex<W>,
}

impl Default for LogWriter {
    /// Writes to standard output.
    fn default() -> Self {
        Self::new(io::stdout())
    }
}

impl<W: Write + Send + 'static> LogWriter<W> {
    /// Writes to `writer`.
    pub const fn new(writer: W) -> Self {
        Self { writer: Mutex::new(writer) }
    }
}

#[async_trait]
impl<W: Write + Send + 'static> Subscribe for LogWriter<W> {
    async fn on_event(&self, event: &Event) {
        let line = line(event);
        let mut writer = lock(&self.writer);
        // There is nobody to tell that telling failed.
        let _ = writer.write_all(line.as_bytes()).and_then(|()| writer.flush());
    }

    fn name(&self) -> &'static str {
        "LogWriter"
    }
}

impl<W> fmt::Debug for LogWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogWriter").finish_non_exhaustive()
    }
}

fn line(event: &Event) -> String {
    let mut line = String::with_capacity(96);
    // Writing to a string cannot fail.
    let _ = write_line(&mut line, event);
    line.push('\n');
    line
}

fn write_line(line: &mut String, event: &Event) -> fmt::Result {
    write!(line, "{} {:<24}", time_of_day(event.at), event.kind.as_str())?;
    if let Some(task) = &event.task {
        write!(line, " {}", task.escape_debug())?;
    }
    if let Some(attempt) = event.attempt {
        write!(line, " attempt={attempt}")?;
    }
    for (key, value) in [("delay", event.delay_ms), ("timeout", event.timeout_ms)] {
        if let Some(ms) = value {
            write!(line, " {key}={ms}ms")?;
        }
    }
    if let Some(slot) = &event.slot {
        write!(line, " slot={}", slot.escape_debug())?;
    }
    if let Some(count) = event.count {
        write!(line, " {}={count}", if event.slot.is_some() { "waiting" } else { "count" })?;
    }
    match &event.reason {
        Some(reason) => write!(line, " reason={:?}", reason.as_str()),
        None => Ok(()),
    }
}

fn time_of_day(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, millis) = (since.as_secs() % 86_400, since.subsec_millis());
    format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::EventKind;

    #[test]
    fn one_escaped_line_an_event() {
        let event = Event {
            attempt: Some(3),
            at: UNIX_EPOCH + Duration::from_millis(29_730_123),
            ..Event::about(EventKind::TaskFailed, &Arc::from("pi\nng")).because("refused\r\nTaskRemoved \"x\"")
        };
        assert_eq!(
            line(&event),
            "08:15:30.123 TaskFailed               pi\\nng attempt=3 reason=\"refused\\r\\nTaskRemoved \\\"x\\\"\"\n"
        );
        let of_slot = Event {
            at: UNIX_EPOCH,
            slot: Some("a\nb".into()),
            count: Some(2),
            ..Event::about(EventKind::ControllerSlotTransition, &Arc::from("up")).because("idle -> running")
        };
        assert_eq!(
            line(&of_slot),
            "00:00:00.000 ControllerSlotTransition up slot=a\\nb waiting=2 reason=\"idle -> running\"\n"
        );
        let bare = Event { at: UNIX_EPOCH, delay_ms: Some(100), ..Event::new(EventKind::BackoffScheduled) };
        assert_eq!(line(&bare), "00:00:00.000 BackoffScheduled         delay=100ms\n");
    }
}
