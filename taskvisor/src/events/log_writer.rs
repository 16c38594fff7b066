//! A subscriber that writes events as lines of text.

use std::any::TypeId;
use std::env;
use std::ffi::OsStr;
use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;

use async_trait::async_trait;

use super::line::{name, write_fields};
use super::log_repeats::{Addition, LogRepeats};
use super::log_sieve::of_log;
use super::sieve::Sieve;
use super::{Event, LogLevel, Subscribe};
use crate::inspect::TimeOfDay;
use crate::sync::lock;

/// A subscriber that writes one line for each event: time of day (UTC), level, kind, task (or slot, of an event without a
/// task), and the other fields.
///
/// ```text
/// 08:15:30.123 WARN  TaskFailed               store/pool           attempt=3 reason="connection refused"
/// 08:15:30.123 DEBUG BackoffScheduled         store/pool           attempt=3 delay=400ms reason="connection refused"
/// 08:15:31.005 INFO  ActorExhausted           migrate              attempt=1 outcome=completed
/// 08:15:31.007 INFO  ShutdownRequested                             reason="SIGTERM"
/// ```
///
/// Repeated failures of a task with the same error are written ever more rarely: the first three one by one, and then
/// the 8th, the 32nd, the 128th and so on, with ` repeated="same error, 128 times in 5 min"`. In between, the attempts
/// of the task are not written either, except for the first `TaskReady` after a written failure, which can be a
/// recovery. Another error is written at once, and the next success says `recovered="after 600 failures in 4 min"`. The
/// line of another error does not have the number of failures that were left out before it; its attempt number shows
/// it. If the error has changed eight times without a success, as those do that have the id of a request in them, it is
/// written at most each 10 minutes, with ` repeated="errors that differ, 6009 times in 10 min"`. An attempt that was
/// requested to stop is no success, and the failures before it still count. The failures of a group are written alike;
/// in between, the begins and ends of what is in it are not written, and neither are those of siblings that restart
/// with a task that keeps failing. Rejections by one slot for the same reason are written as rarely, unless the caller
/// canceled or superseded the submission. Events and metrics stay complete, and
/// [`with_every_failure`](Self::with_every_failure) writes them all.
///
/// Control characters are escaped and names with spaces are quoted, so that no task can forge a line or a field. A name
/// that is longer than its column shifts the rest of its own line only.
///
/// Each line is written during the delivery of its event. A blocked terminal or pipe blocks the thread that delivers,
/// which is the only thread of a current-thread runtime. If that can happen, write to a file or to a writer with its
/// own thread. Output that cannot be written is dropped, for example after standard error is closed.
///
/// [`LogLevel`] lists the level of each kind of event. A further run of a periodic task is
/// [routine](crate::Event::routine), and its events are at `DEBUG`. The order of events is described in [outcomes and
/// events](crate::guide::outcomes_and_events). For `tracing` subscribers use the feature `tracing` instead; the guide
/// lists [its spans and lines](crate::guide::observing).
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use taskvisor::{LogLevel, LogWriter, Supervisor, SupervisorConfig};
///
/// // Everything, to standard error, in color on a terminal.
/// let supervisor = Supervisor::new(SupervisorConfig::default(), vec![Arc::new(LogWriter::default())]);
///
/// // What goes wrong, to standard output.
/// let writer = LogWriter::new(std::io::stdout()).with_colors_on_terminal().with_level(LogLevel::Warn);
/// let supervisor = Supervisor::new(SupervisorConfig::default(), vec![Arc::new(writer)]);
/// ```
#[must_use = "a writer does nothing until it is given to a supervisor"]
pub struct LogWriter<W = io::Stderr> {
    /// Guards the writer, which is called under the lock: it is the only lock that user code runs under. The engine
    /// holds no lock during a delivery, so it cannot deadlock with this one.
    writer: Mutex<W>,
    level: LogLevel,
    colors: bool,
    /// `true` to write every failure.
    every: bool,
    /// The failures of tasks and groups by path. The lock is a leaf: nothing else is locked, and no user code runs, under
    /// it, so it cannot deadlock.
    repeats: Mutex<Option<LogRepeats>>,
}

impl Default for LogWriter {
    /// Writes all events to standard error, [in color on a terminal](Self::with_colors_on_terminal).
    fn default() -> Self {
        Self::new(io::stderr()).with_colors_on_terminal()
    }
}

impl<W: Write + Send + 'static> LogWriter<W> {
    /// Writes all events to `writer`, without colors.
    pub const fn new(writer: W) -> Self {
        Self {
            writer: Mutex::new(writer),
            level: LogLevel::Debug,
            colors: false,
            every: false,
            repeats: Mutex::new(None),
        }
    }

    /// Writes only events of this level and above. Default: [`LogLevel::Debug`], all events. Others do not enter its
    /// queue, so no number of them makes it lose an event of this level; but for those that end a series of failures.
    pub fn with_level(self, level: LogLevel) -> Self {
        Self { level, ..self }
    }

    /// Writes every event, also of a task that fails again and again with the same error.
    pub fn with_every_failure(self) -> Self {
        Self { every: true, ..self }
    }

    /// Colors the level and dims the time, for any writer.
    pub fn with_colors(self) -> Self {
        Self { colors: true, ..self }
    }

    /// Writes without colors, for any writer.
    pub fn without_colors(self) -> Self {
        Self { colors: false, ..self }
    }

    /// Like [`with_colors`](Self::with_colors), if the writer is a terminal and the environment variable
    /// [`NO_COLOR`](https://no-color.org) is not set or empty.
    pub fn with_colors_on_terminal(mut self) -> Self
    where
        W: IsTerminal,
    {
        let terminal = lock(&self.writer).is_terminal();
        self.colors = wants_colors(terminal, env::var_os("NO_COLOR").as_deref());
        self
    }

    /// Returns `true` if no failure is left out. With the level `Error`, those that can repeat are not written.
    fn writes_each(&self) -> bool {
        self.every || self.level > LogLevel::Warn
    }

    /// Returns the end of the line of an event, or `None` if the event is not written.
    fn addition(&self, event: &Event) -> Option<Addition> {
        if self.writes_each() {
            return Some(Addition::Nothing);
        }
        lock(&self.repeats).get_or_insert_default().tell(event, NAME)
    }

    fn line(&self, event: &Event, addition: Addition) -> String {
        let mut line = String::with_capacity(128);
        // Writing to a string cannot fail.
        let _ = write_line(&mut line, event, self.colors).and_then(|()| write!(line, "{addition}"));
        line.truncate(line.trim_end_matches(' ').len());
        line.push('\n');
        line
    }
}

impl<W: 'static> LogWriter<W> {
    /// Writes to standard error or output with `eprint!` and `print!`, so that a test captures it. Returns `false` for
    /// another writer.
    fn print(line: &str) -> bool {
        let (standard_error, standard_output) = (TypeId::of::<io::Stderr>(), TypeId::of::<io::Stdout>());
        match TypeId::of::<W>() {
            writer if writer == standard_error => eprint!("{}", Lossy(line)),
            writer if writer == standard_output => print!("{}", Lossy(line)),
            _ => return false,
        }
        true
    }
}

/// Text that hides a failure to write it: `eprint!` and `print!` panic if they are told of one.
struct Lossy<'a>(&'a str);

impl fmt::Display for Lossy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = f.write_str(self.0);
        Ok(())
    }
}

fn wants_colors(terminal: bool, no_color: Option<&OsStr>) -> bool {
    terminal && no_color.is_none_or(OsStr::is_empty)
}

/// The name of each log, by which its losses are reported.
const NAME: &str = "LogWriter";

#[async_trait]
impl<W: Write + Send + 'static> Subscribe for LogWriter<W> {
    async fn on_event(&self, event: &Event) {
        // Counted even if the level of the event is not written: a success has a lower level than a failure.
        let Some(addition) = self.addition(event) else { return };
        if LogLevel::of(event) < self.level && !matches!(addition, Addition::Recovered(_)) {
            return;
        }
        let line = self.line(event, addition);
        if Self::print(&line) {
            return;
        }
        let mut writer = lock(&self.writer);
        // A failed write cannot be reported.
        let _ = writer.write_all(line.as_bytes()).and_then(|()| writer.flush());
    }

    fn name(&self) -> &'static str {
        NAME
    }

    fn __sieve(&self) -> Option<Sieve> {
        of_log(NAME, self.level, self.writes_each())
    }
}

impl<W> fmt::Debug for LogWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogWriter").field("level", &self.level).field("colors", &self.colors).finish_non_exhaustive()
    }
}

fn write_line(line: &mut String, event: &Event, colors: bool) -> fmt::Result {
    let (time, level) = (TimeOfDay(event.at), LogLevel::of(event));
    if colors {
        let color = match level {
            LogLevel::Error => 31,
            LogLevel::Warn => 33,
            LogLevel::Info => 32,
            LogLevel::Debug => 34,
        };
        write!(line, "\x1b[2m{time}\x1b[0m \x1b[{color}m{level:<5}\x1b[0m")?;
    } else {
        write!(line, "{time} {level:<5}")?;
    }
    // An event about a slot itself, such as its pause, has no task.
    let subject = event.task.as_deref().or(event.slot.as_deref()).map(name).unwrap_or_default();
    write!(line, " {:<24} {subject:<20}", event.kind.as_str())?;
    write_fields(line, event)
}

#[cfg(test)]
#[path = "log_writer_test.rs"]
mod tests;
