//! The command line.

use std::ffi::OsString;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::str::FromStr;

use crate::upload::Pace;

pub(crate) const HELP: &str = "\
Copies the files of a directory to another one, and again those that change.

Usage: uploads [OPTIONS] [DIR [DEST]]

Arguments:
  [DIR]        What to copy: its files, and those that symbolic links in it
               lead to. Subdirectories are left out. Without it a few files
               are made, changed and slowly copied, and the program ends
  [DEST]       Where to; made if it is not there. Without it a directory
               beside DIR, with `.uploaded` after the name

Options:
  --once       End when all is copied, and not only with Ctrl+C or SIGTERM
  --at-once N  How many files are copied at once; 4 unless told
  --pace N     How many bytes a second each of them goes; no limit unless told
  -h, --help   Print this

Ctrl+C finishes the files that are being copied; Ctrl+C again does not.

Exit status: 0 if all was copied, 1 if something was not, 2 if the arguments
are wrong and nothing was started.
";

/// The options on the command line.
#[derive(Debug, PartialEq)]
pub(crate) struct Arguments {
    pub(crate) help: bool,
    pub(crate) source: Option<PathBuf>,
    pub(crate) destination: Option<PathBuf>,
    pub(crate) once: bool,
    pub(crate) at_once: NonZeroUsize,
    pub(crate) pace: Pace,
}

impl Arguments {
    /// Parses the arguments, without the program's name. The error names the wrong argument and the problem.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let four = NonZeroUsize::MIN.saturating_add(3);
        let mut parsed = Self { help: false, source: None, destination: None, once: false, at_once: four, pace: None };
        let mut arguments = arguments.into_iter();
        let mut options_end = false;
        while let Some(argument) = arguments.next() {
            match argument.to_str() {
                Some("--") if !options_end => options_end = true,
                Some("--help" | "-h") if !options_end => parsed.help = true,
                Some("--once") if !options_end => parsed.once = true,
                Some("--at-once") if !options_end => parsed.at_once = number("--at-once", arguments.next())?,
                Some("--pace") if !options_end => parsed.pace = Some(number::<NonZeroU64>("--pace", arguments.next())?),
                Some(option) if option.starts_with('-') && !options_end => {
                    return Err(format!("unknown option `{}`", option.escape_debug()));
                }
                _ => parsed.add_directory(argument)?,
            }
        }
        Ok(parsed)
    }

    fn add_directory(&mut self, directory: OsString) -> Result<(), String> {
        let place = match (&self.source, &self.destination) {
            _ if directory.is_empty() => return Err("a directory without a name, `\"\"`".into()),
            (None, _) => &mut self.source,
            (_, None) => &mut self.destination,
            _ => return Err(format!("a third directory, {directory:?}, where two are expected")),
        };
        *place = Some(directory.into());
        Ok(())
    }
}

fn number<T: FromStr>(option: &str, value: Option<OsString>) -> Result<T, String> {
    let value = value.ok_or_else(|| format!("`{option}` needs a number"))?;
    let number = value.to_str().and_then(|value| value.parse().ok());
    number.ok_or_else(|| format!("`{option}` is {value:?}, expected a whole number from 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_first_directory_is_the_source() {
        let parsed = parse("--pace 1000 a --once b --at-once 2").expect("good arguments");
        assert_eq!((parsed.source, parsed.destination), (Some("a".into()), Some("b".into())));
        assert_eq!((parsed.once, parsed.at_once.get(), parsed.pace.map(NonZeroU64::get)), (true, 2, Some(1000)));
        assert_eq!(
            parse("-- --once -h").map(|parsed| (parsed.once, parsed.source)),
            Ok((false, Some("--once".into())))
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, error) in [
            ("--twice", "unknown option `--twice`"),
            ("--pace=3", "unknown option `--pace=3`"),
            ("--pace", "`--pace` needs a number"),
            ("--pace 0", "`--pace` is \"0\", expected a whole number from 1"),
            ("--at-once many", "`--at-once` is \"many\", expected a whole number from 1"),
            ("a b c", "a third directory, \"c\", where two are expected"),
        ] {
            assert_eq!(parse(line), Err(error.into()));
        }
    }
}
