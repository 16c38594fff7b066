//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

pub(crate) const HELP: &str = "\
A small service whose parts fail now and then. It logs to standard error, and
serves /livez, /readyz, /tree and /metrics, and a console.

Usage: observe [OPTIONS]

Options:
  --listen ADDR  Where to serve; without it a free port of 127.0.0.1
  --console ADDR Where to serve the console; without it another free port
  --seed N       What fails when; without it 1
  --seconds N    After N seconds look at the pages and end, and not only with
                 Ctrl+C or SIGTERM
  -h, --help     Print this

Exit status: 0 if it ended as asked, 1 if a page is not as it should be or it
could not end in time, 2 if the arguments are wrong and nothing was started.
";

/// The options on the command line.
#[derive(Debug, PartialEq)]
pub(crate) struct Arguments {
    pub(crate) help: bool,
    pub(crate) listen: SocketAddr,
    pub(crate) console: SocketAddr,
    pub(crate) seed: u64,
    pub(crate) seconds: Option<Duration>,
}

impl Arguments {
    /// Parses the arguments, without the program's name. The error names the wrong argument and the problem.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let free = ([127, 0, 0, 1], 0).into();
        let mut parsed = Self { help: false, listen: free, console: free, seed: 1, seconds: None };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let option = argument.to_string_lossy();
            let mut value = || arguments.next();
            match &*option {
                "--help" | "-h" => parsed.help = true,
                "--listen" => parsed.listen = read(&option, value(), "an IP address and port")?,
                "--console" => parsed.console = read(&option, value(), "an IP address and port")?,
                "--seed" => parsed.seed = read(&option, value(), "a whole number")?,
                "--seconds" => {
                    let seconds: std::num::NonZeroU32 = read(&option, value(), "a whole number from 1")?;
                    parsed.seconds = Some(Duration::from_secs(seconds.get().into()));
                }
                _ => return Err(format!("unknown argument `{}`", option.escape_debug())),
            }
        }
        Ok(parsed)
    }
}

fn read<T: FromStr>(option: &str, value: Option<OsString>, expected: &str) -> Result<T, String> {
    let value = value.ok_or_else(|| format!("`{option}` needs {expected}"))?;
    let parsed = value.to_str().and_then(|value| value.parse().ok());
    parsed.ok_or_else(|| format!("`{option}` is {value:?}, expected {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let free = ([127, 0, 0, 1], 0).into();
        assert_eq!(parse(""), Ok(Arguments { help: false, listen: free, console: free, seed: 1, seconds: None }));
        let all = parse("--seed 7 --seconds 3 --listen [::1]:80 --console [::1]:81").expect("good arguments");
        assert_eq!((all.seed, all.seconds, all.listen.port()), (7, Some(Duration::from_secs(3)), 80));
        assert_eq!(all.console.port(), 81);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, error) in [
            ("--sed 3", "unknown argument `--sed`"),
            ("file", "unknown argument `file`"),
            ("--seed", "`--seed` needs a whole number"),
            ("--seed -1", "`--seed` is \"-1\", expected a whole number"),
            ("--seconds 0", "`--seconds` is \"0\", expected a whole number from 1"),
            ("--listen localhost", "`--listen` is \"localhost\", expected an IP address and port"),
        ] {
            assert_eq!(parse(line), Err(error.into()));
        }
    }
}
