//! The options on the command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const HELP: &str = "\
A store, an ingest that fills it, and a server that answers /livez, /readyz
and /tree.

Usage: tree [OPTIONS] [FILE]

Arguments:
  [FILE]         Where the records are kept, with a lock beside it; continued
                 if it is there. Without it a temporary file

Options:
  --chaos SEED   Fail, panic and hang at random; for 3 seconds, unless told
  --seconds N    End after N seconds, and not only with Ctrl+C or SIGTERM
  --listen ADDR  Where to serve; without it a free port of 127.0.0.1
  -h, --help     Print this

Exit status: 0 if all is well, 1 if a record is lost or the tree failed, 2 if
the arguments or the file are wrong and nothing was started.
";

/// The options on the command line.
pub(crate) struct Arguments {
    pub(crate) help: bool,
    pub(crate) chaos: Option<u64>,
    pub(crate) seconds: Option<Duration>,
    pub(crate) listen: SocketAddr,
    pub(crate) file: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut parsed =
            Self { help: false, chaos: None, seconds: None, listen: ([127, 0, 0, 1], 0).into(), file: None };
        while let Some(argument) = arguments.next() {
            let option = argument.to_string_lossy();
            let mut value = |what: &str| {
                let value = arguments.next().and_then(|value| value.into_string().ok());
                value.ok_or_else(|| format!("`{option}` needs {what}"))
            };
            match &*option {
                "--help" | "-h" => parsed.help = true,
                "--chaos" => parsed.chaos = Some(number(&option, &value("a seed")?, 0)?),
                "--seconds" => {
                    let seconds = number(&option, &value("a number of seconds")?, 1)?;
                    parsed.seconds = Some(Duration::from_secs(seconds));
                }
                "--listen" => {
                    let addr = value("an address")?;
                    parsed.listen =
                        addr.parse().map_err(|_| format!("`--listen` is {addr:?}, expected an IP address and port"))?;
                }
                _ if option.starts_with('-') => return Err(format!("unknown option `{}`", option.escape_debug())),
                _ if parsed.file.is_some() => return Err(format!("a second file, {argument:?}")),
                _ => parsed.file = Some(PathBuf::from(&argument)),
            }
        }
        if parsed.chaos.is_some() {
            parsed.seconds = parsed.seconds.or(Some(Duration::from_secs(3)));
        }
        Ok(parsed)
    }
}

pub(crate) fn number(option: &str, value: &str, least: u64) -> Result<u64, String> {
    let number = value.parse().ok().filter(|&number| number >= least);
    number.ok_or_else(|| format!("`{option}` is {value:?}, expected a whole number from {least}"))
}
