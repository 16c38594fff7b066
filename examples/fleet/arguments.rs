//! The options on the command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const HELP: &str = "\
Replicas that share a task, a group and a slot, while they and their network
fail. At the end it shows who owned what, and checks that nothing ran twice.

Usage: fleet [OPTIONS]

Options:
  --replicas N      How many replicas, 2 to 20; 5 without it
  --chaos SEED      Which faults, and when; without it there are none
  --seconds N       How long, at least 10; 40 without it
  --ttl SECONDS     The time to live of a session, 0.5 to 60; 3 without it
  --postgres URL    Replicas are processes, with their leases in PostgreSQL
  --redis URL       Replicas are processes, with their leases in Redis
                    `own` instead of a URL starts a server for this run, from
                    the packages of the distribution, which is killed as well
  --console         Serve a console of each replica of this process
  --keep-log FILE   Keep the log of all runs
  -h, --help        Print this

Without a server, the replicas are supervisors in this process, and their
store is in memory. Servers need `--features fleet-servers`.

Exit status: 0 if all checks pass, 1 if one fails, 2 if the arguments are wrong
or nothing could be started.
";

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Engine {
    #[default]
    Local,
    Postgres(String),
    Redis(String),
}

#[derive(Debug, Default)]
pub(crate) struct Arguments {
    pub(crate) help: bool,
    pub(crate) replicas: Option<usize>,
    pub(crate) chaos: Option<u64>,
    pub(crate) seconds: Option<u64>,
    pub(crate) ttl: Option<f64>,
    pub(crate) engine: Engine,
    pub(crate) console: bool,
    pub(crate) log: Option<PathBuf>,
    /// The options that the program passes to a replica that it starts.
    pub(crate) replica: Option<usize>,
    pub(crate) life: Option<usize>,
    pub(crate) fleet: Option<String>,
    pub(crate) proxy: Option<std::net::SocketAddr>,
}

impl Arguments {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut parsed = Self::default();
        while let Some(argument) = arguments.next() {
            let option = argument.to_string_lossy();
            let mut value = |what: &str| {
                let value = arguments.next().and_then(|value| value.into_string().ok());
                value.ok_or_else(|| format!("`{option}` needs {what}"))
            };
            match &*option {
                "--help" | "-h" => parsed.help = true,
                "--replicas" => parsed.replicas = Some(number(&option, &value("a number")?, 2, 20)?),
                "--chaos" => parsed.chaos = Some(number(&option, &value("a seed")?, 0, usize::MAX)? as u64),
                "--seconds" => {
                    parsed.seconds = Some(number(&option, &value("a number of seconds")?, 10, 86_400)? as u64);
                }
                "--ttl" => {
                    let given = value("a number of seconds")?;
                    let ttl = given.parse().ok().filter(|ttl| (0.5..=60.0).contains(ttl));
                    parsed.ttl =
                        Some(ttl.ok_or_else(|| format!("`--ttl` is {given:?}, expected seconds from 0.5 to 60"))?);
                }
                "--postgres" => parsed.engine = Engine::Postgres(value("a connection string")?),
                "--redis" => parsed.engine = Engine::Redis(value("a URL")?),
                "--console" => parsed.console = true,
                "--keep-log" | "--log" => parsed.log = Some(value("a file")?.into()),
                "--replica" => parsed.replica = Some(number(&option, &value("a number")?, 0, 19)?),
                "--life" => parsed.life = Some(number(&option, &value("a number")?, 0, usize::MAX)?),
                "--fleet" => parsed.fleet = Some(value("a name")?),
                "--proxy" => parsed.proxy = value("an address")?.parse().ok(),
                _ => return Err(format!("unknown option `{}`", option.escape_debug())),
            }
        }
        Ok(parsed)
    }

    pub(crate) fn ttl(&self) -> Duration {
        Duration::from_secs_f64(self.ttl.unwrap_or(3.0))
    }
}

fn number(option: &str, value: &str, least: usize, most: usize) -> Result<usize, String> {
    let number = value.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| match most {
        usize::MAX => format!("`{option}` is {value:?}, expected a whole number from {least}"),
        _ => format!("`{option}` is {value:?}, expected a whole number from {least} to {most}"),
    })
}
