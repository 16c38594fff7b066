//! The command line.

use std::path::PathBuf;
use std::time::Duration;

const USAGE: &str = "usage: nightly [--list] [--state FILE] [--config FILE] [--seconds N]";

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// Shows the next runs, and ends.
    pub(crate) list: bool,
    /// The file with the time of the last report.
    pub(crate) state: Option<PathBuf>,
    /// The file with the options of this deployment.
    pub(crate) config: Option<PathBuf>,
    /// Ends after this time.
    pub(crate) seconds: Option<Duration>,
}

impl Arguments {
    pub(crate) fn parse(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self::default();
        while let Some(argument) = given.next() {
            let mut value = || given.next().ok_or_else(|| format!("`{argument}` needs a value; {USAGE}"));
            match argument.as_str() {
                "--list" => arguments.list = true,
                "--state" => arguments.state = Some(value()?.into()),
                "--config" => arguments.config = Some(value()?.into()),
                "--seconds" => {
                    let seconds = value()?;
                    let seconds = seconds.parse().map_err(|_| format!("`{seconds}` is no number of seconds"))?;
                    arguments.seconds = Some(Duration::from_secs(seconds));
                }
                other => return Err(format!("unknown argument `{other}`; {USAGE}")),
            }
        }
        Ok(arguments)
    }
}
