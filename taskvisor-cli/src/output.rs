//! Standard output.

use std::borrow::Cow;
use std::env;
use std::io::{self, IsTerminal as _, Write as _};

use crate::failure::Failure;

/// Standard output, with colors on a terminal.
#[derive(Debug)]
pub(crate) struct Output {
    stdout: io::Stdout,
    stderr: io::Stderr,
    colored: bool,
}

/// The meaning of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Good,
    Waiting,
    Bad,
    Faint,
    Title,
}

impl Style {
    /// The text in the color of its meaning.
    pub(crate) fn paint(self, text: &str, colored: bool) -> Cow<'_, str> {
        let code = match self {
            _ if !colored => return text.into(),
            Self::Plain => return text.into(),
            Self::Good => 32,
            Self::Waiting => 33,
            Self::Bad => 31,
            Self::Faint => 2,
            Self::Title => 1,
        };
        format!("\x1b[{code}m{text}\x1b[0m").into()
    }
}

impl Output {
    /// Uses colors only on a terminal that supports them, and only if `NO_COLOR` is not set.
    pub(crate) fn new() -> Self {
        let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let can = env::var_os("TERM").is_none_or(|term| term != "dumb");
        let stdout = io::stdout();
        let colored = stdout.is_terminal() && can && !is_set("NO_COLOR");
        Self { stdout, stderr: io::stderr(), colored }
    }

    pub(crate) fn colored(&self) -> bool {
        self.colored
    }

    /// Writes the text at once, so that a reader of a pipe sees it.
    pub(crate) fn print(&mut self, text: &str) -> Result<(), Failure> {
        let mut stdout = self.stdout.lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::Output)
    }

    /// Writes a remark that is not part of the answer to standard error.
    pub(crate) fn remark(&mut self, text: &str) {
        let _ = writeln!(self.stderr, "taskvisor: {text}");
    }
}
