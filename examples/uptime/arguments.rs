//! The command line.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;

use crate::targets::{self, Target};

pub(crate) const HELP: &str = "\
Watches TCP endpoints: connects to each, sends a request line, and times the
first line of the answer.

Usage: uptime [OPTIONS] [FILE]

Arguments:
  [FILE]          The targets, one `host:port` a line; blank lines and
                  `# comments` are allowed. Without it two servers are started
                  and watched: one is steady, one drops every third connection.

Options:
  --targets FILE  The same as FILE; `-` is standard input
  --seconds N     End after N seconds, and not only with Ctrl+C or SIGTERM
  -h, --help      Print this

Exit status: 0 if it ended as asked, 1 if it could not end in time, 2 if the
arguments or the targets are wrong and nothing was started.
";

/// The options on the command line.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Arguments {
    pub(crate) help: bool,
    pub(crate) targets: Option<Source>,
    pub(crate) seconds: Option<Duration>,
}

/// The source of the list of targets.
#[derive(Debug, PartialEq)]
pub(crate) enum Source {
    StandardInput,
    File(PathBuf),
}

impl Arguments {
    /// Parses the arguments, without the program's name. The error names the wrong argument and the problem.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let mut parsed = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value =
                |what| arguments.next().ok_or_else(|| format!("`{}` needs {what}", argument.to_string_lossy()));
            match argument.to_str() {
                Some("--help" | "-h") => parsed.help = true,
                Some("--seconds") => parsed.set_seconds(&value("a number of seconds")?)?,
                Some("--targets") => parsed.set_targets(value("a file, or `-` for standard input")?)?,
                Some(option) if option.starts_with('-') && option != "-" => {
                    return Err(format!("unknown option `{}`", option.escape_debug()));
                }
                _ => parsed.set_targets(argument)?,
            }
        }
        Ok(parsed)
    }

    fn set_seconds(&mut self, value: &OsString) -> Result<(), String> {
        let seconds = value.to_str().and_then(|value| value.parse().ok()).filter(|&seconds| seconds > 0);
        let seconds = seconds.ok_or_else(|| format!("`--seconds` is {value:?}, expected a whole number from 1"))?;
        self.seconds = Some(Duration::from_secs(seconds));
        Ok(())
    }

    fn set_targets(&mut self, value: OsString) -> Result<(), String> {
        if self.targets.is_some() {
            return Err(format!("a second list of targets, {value:?}, where one is expected"));
        }
        self.targets = Some(if value == "-" { Source::StandardInput } else { Source::File(value.into()) });
        Ok(())
    }
}

impl Source {
    /// Reads and parses the list.
    pub(crate) fn read(&self) -> Result<Vec<Target>, String> {
        let mut list = Vec::new();
        let (file, read) = match self {
            Self::StandardInput => ("<stdin>".to_owned(), io::stdin().read_to_end(&mut list).map(drop)),
            Self::File(path) => (path.display().to_string(), fs::read(path).map(|bytes| list = bytes)),
        };
        read.map_err(|error| format!("{file}: {error}"))?;
        targets::parse(&file, &list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn targets_come_from_a_file_or_from_standard_input() {
        let source = |line| parse(line).map(|arguments| arguments.targets);
        let file = || Ok(Some(Source::File("list.txt".into())));
        assert_eq!(source(""), Ok(None));
        assert_eq!(source("list.txt"), file());
        assert_eq!(source("--targets list.txt --seconds 3"), file());
        assert_eq!(source("--targets -"), Ok(Some(Source::StandardInput)));
        assert_eq!(source("-"), Ok(Some(Source::StandardInput)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, error) in [
            ("--secs 3", "unknown option `--secs`"),
            ("--seconds=3", "unknown option `--seconds=3`"),
            ("--seconds", "`--seconds` needs a number of seconds"),
            ("--seconds 0", "`--seconds` is \"0\", expected a whole number from 1"),
            ("--targets", "`--targets` needs a file, or `-` for standard input"),
            ("a b", "a second list of targets, \"b\", where one is expected"),
        ] {
            assert_eq!(parse(line), Err(error.into()));
        }
    }
}
