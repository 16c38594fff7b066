//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

pub(crate) const HELP: &str = "\
Many tasks that fail, panic and hang at random, with a console. It prints what
the process uses, and at the end what an open page of the console costs.

Usage: crowd [OPTIONS]

Options:
  --tasks N      How many; 10000 without it
  --seed N       What fails when; 1 without it
  --seconds N    How long; 600 without it
  --every N      Print a line each N seconds; 30 without it
  --listen ADDR  Where to serve the console; without it a free port of 127.0.0.1
  --alone        Open no page, to look from outside
  -h, --help     Print this

A page is opened after two lines, by another process, which reads the stream
as a browser does, and is closed two lines before the end.

Exit status: 0 if it ended as asked, 1 if it could not, 2 if the arguments are
wrong and nothing was started.
";

/// The options on the command line.
#[derive(Debug, PartialEq)]
pub(crate) struct Arguments {
    pub(crate) help: bool,
    pub(crate) tasks: usize,
    pub(crate) seed: u64,
    pub(crate) lasts: Duration,
    pub(crate) every: Duration,
    pub(crate) listen: SocketAddr,
    pub(crate) alone: bool,
    /// Runs as the page: the program starts itself with this option.
    pub(crate) read: Option<SocketAddr>,
}

impl Arguments {
    /// Parses the arguments, without the program's name. The error names the wrong argument and the problem.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut parsed = Self {
            help: false,
            tasks: 10_000,
            seed: 1,
            lasts: Duration::from_secs(600),
            every: Duration::from_secs(30),
            listen: ([127, 0, 0, 1], 0).into(),
            alone: false,
            read: None,
        };
        while let Some(argument) = arguments.next() {
            let option = argument.to_string_lossy();
            let value = |value: Option<OsString>, what: &str| {
                let value = value.and_then(|value| value.into_string().ok());
                value.ok_or_else(|| format!("`{option}` needs {what}"))
            };
            let seconds = |value: Option<OsString>| {
                let number = number(&option, value)?;
                if number == 0 { Err(format!("`{option}` is 0, expected a number from 1")) } else { Ok(number) }
            };
            match &*option {
                "--help" | "-h" => parsed.help = true,
                "--alone" => parsed.alone = true,
                "--tasks" => {
                    let tasks = number(&option, arguments.next())?;
                    parsed.tasks = usize::try_from(tasks).map_err(|_| format!("`{option}` is too large"))?;
                }
                "--seed" => parsed.seed = number(&option, arguments.next())?,
                "--seconds" => parsed.lasts = Duration::from_secs(seconds(arguments.next())?),
                "--every" => parsed.every = Duration::from_secs(seconds(arguments.next())?),
                "--listen" | "--read" => {
                    let text = value(arguments.next(), "an IP address and port")?;
                    let addr =
                        text.parse().map_err(|_| format!("`{option}` is {text:?}, expected an IP address and port"))?;
                    if option == "--read" { parsed.read = Some(addr) } else { parsed.listen = addr }
                }
                _ => return Err(format!("unknown argument `{}`", option.escape_debug())),
            }
        }
        Ok(parsed)
    }
}

fn number(option: &str, value: Option<OsString>) -> Result<u64, String> {
    let value = value.ok_or_else(|| format!("`{option}` needs a whole number"))?;
    let number = value.to_str().and_then(|value| value.parse().ok());
    number.ok_or_else(|| format!("`{option}` is {value:?}, expected a whole number"))
}
