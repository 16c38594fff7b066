//! The line that shows the progress of the jobs.

use std::fmt;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, Stdout, stdout};
use tokio::sync::Mutex;

/// The number of files in each stage.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) queued: usize,
    pub(crate) running: usize,
    pub(crate) done: usize,
    pub(crate) not_done: usize,
}

impl Counts {
    /// Returns whether nothing is left to do.
    pub(crate) fn are_settled(&self) -> bool {
        self.queued + self.running == 0
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queued, running, done, not_done } = self;
        write!(f, "queued {queued}, running {running}, done {done}")?;
        if *not_done > 0 { write!(f, ", not done {not_done}") } else { Ok(()) }
    }
}

/// Shows the counts on standard output: on a terminal as one line that is rewritten, otherwise as a line for each
/// change. Clones are cheap and share the line.
#[derive(Clone)]
pub(crate) struct Progress {
    terminal: bool,
    shown: Arc<Mutex<String>>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        // The initial counts need not be shown.
        let shown = Arc::new(Mutex::new(Counts::default().to_string()));
        Self { terminal: std::io::stdout().is_terminal(), shown }
    }

    /// The interval between two updates.
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_millis(if self.terminal { 100 } else { 1000 })
    }

    pub(crate) async fn show(&self, counts: Counts) {
        self.write(counts, "").await;
    }

    /// Shows the counts a last time.
    pub(crate) async fn end(&self, counts: Counts) {
        self.write(counts, if self.terminal { "\n" } else { "" }).await;
    }

    async fn write(&self, counts: Counts, end: &str) {
        let mut shown = self.shown.lock().await;
        let line = counts.to_string();
        let text = step(self.terminal, &shown, &line) + end;
        *shown = line;
        // A failed write must not stop the jobs.
        let _ = print(stdout(), &text).await;
    }
}

async fn print(mut stdout: Stdout, text: &str) -> std::io::Result<()> {
    stdout.write_all(text.as_bytes()).await?;
    stdout.flush().await
}

/// The text that replaces the shown line with another one.
fn step(terminal: bool, shown: &str, line: &str) -> String {
    match terminal {
        _ if shown == line => String::new(),
        // Blanks cover the rest of a longer line.
        true => format!("\r{line:width$}", width = shown.len()),
        false => format!("{line}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_done_is_shown_once_there_is_any() {
        let counts = Counts { queued: 3, running: 2, done: 1, not_done: 0 };
        assert_eq!(counts.to_string(), "queued 3, running 2, done 1");
        assert_eq!(Counts { not_done: 4, ..counts }.to_string(), "queued 3, running 2, done 1, not done 4");
    }

    #[test]
    fn a_terminal_has_one_line_and_a_file_one_for_each_change() {
        assert_eq!(step(true, "queued 10", "queued 9"), "\rqueued 9 ");
        assert_eq!(step(false, "queued 10", "queued 9"), "queued 9\n");
        for terminal in [true, false] {
            assert_eq!(step(terminal, "queued 9", "queued 9"), "");
        }
    }
}
