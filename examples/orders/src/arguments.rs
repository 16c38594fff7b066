//! The command line.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::http::uri::Authority;
use tokio_postgres::Config;

/// The shortest claim: longer than the time for a message, with a margin.
const LEAST_CLAIM: Duration = Duration::from_secs(5);

pub(crate) const HELP: &str = "\
orders: a service under supervision

usage: orders [OPTION VALUE]..            runs the service until Ctrl+C or SIGTERM
       orders broker [OPTION VALUE]..     runs the broker alone: --listen, --chaos, --outage

  --listen ADDR     where to serve (127.0.0.1:8080)
  --sqlite FILE     the database (taskvisor-orders.sqlite among the temporary files)
  --postgres URL    a server of PostgreSQL, for several replicas
  --postgres-variable NAME
                    the variable that has its URL, whose password is then in no list of processes
  --broker ADDR     the broker, as in `broker:9000` (one within this process)
  --replica NAME    the name of this replica, which no other has at the same time (its process id)
  --claim SECONDS   how long a message is kept from the other replicas, at least 5 (10)
  --ttl SECONDS     how long a lease lives without a renewal (15)

  --load N          customers who send N orders a second
  --seconds S       ends after so long, and says what was accepted and delivered
  --chaos SEED      faults: of the broker, in the relay, and restarts
  --outage SECONDS  the broker within this process is down for so long, from the start on

ORDERS_<TASK>_<OPTION> changes an option, as in ORDERS_GRACE=30s or ORDERS_REPORT_EVERY=10s.
RUST_LOG says what is logged, as in RUST_LOG=warn or RUST_LOG=info,sqlx=warn.
";

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Arguments {
    pub(crate) help: bool,
    pub(crate) only_broker: bool,
    pub(crate) listen: SocketAddr,
    pub(crate) sqlite: Option<String>,
    pub(crate) postgres: Option<String>,
    pub(crate) broker: Option<Authority>,
    pub(crate) replica: String,
    pub(crate) claim: Duration,
    pub(crate) ttl: Duration,
    pub(crate) load: Option<u32>,
    pub(crate) seconds: Option<Duration>,
    pub(crate) chaos: Option<u64>,
    pub(crate) outage: Duration,
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            help: false,
            only_broker: false,
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            sqlite: None,
            postgres: None,
            broker: None,
            replica: std::process::id().to_string(),
            claim: Duration::from_secs(10),
            ttl: Duration::from_secs(15),
            load: None,
            seconds: None,
            chaos: None,
            outage: Duration::ZERO,
        }
    }
}

impl Arguments {
    /// Reads the arguments, and the variables that they name.
    pub(crate) fn parse(
        given: impl Iterator<Item = String>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let (mut arguments, mut given) = (Self::default(), given.peekable());
        arguments.only_broker = given.next_if(|first| first == "broker").is_some();
        while let Some(name) = given.next() {
            if name == "--help" {
                arguments.help = true;
                continue;
            }
            if !HELP.contains(&format!("\n  {name} ")) {
                return Err(format!("unknown argument `{name}`"));
            }
            let value = given.next().ok_or_else(|| format!("`{name}` needs a value"))?;
            let wrong = |what: &str| format!("`{name} {value}`: {what} is expected");
            let seconds = || {
                let seconds = value.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                seconds.ok_or_else(|| wrong("a number of seconds"))
            };
            let address = || value.parse().map_err(|_| wrong("an address and a port"));
            match name.as_str() {
                "--listen" => arguments.listen = address()?,
                "--sqlite" => arguments.sqlite = Some(value),
                "--postgres" => arguments.postgres = Some(value),
                "--postgres-variable" => {
                    let url = variable(&value).filter(|url| !url.is_empty());
                    arguments.postgres =
                        Some(url.ok_or_else(|| format!("`{name} {value}`: there is no such variable"))?);
                }
                "--broker" => {
                    let broker = value.parse().ok().filter(|broker: &Authority| broker.port().is_some());
                    arguments.broker = Some(broker.ok_or_else(|| wrong("a host and a port"))?);
                }
                "--replica" => arguments.replica = value,
                "--claim" => {
                    arguments.claim = seconds()?;
                    if arguments.claim < LEAST_CLAIM {
                        return Err(wrong("at least 5"));
                    }
                }
                "--ttl" => arguments.ttl = seconds()?,
                "--load" => arguments.load = Some(value.parse().map_err(|_| wrong("a number"))?),
                "--seconds" => arguments.seconds = Some(seconds()?),
                "--chaos" => arguments.chaos = Some(value.parse().map_err(|_| wrong("a number"))?),
                "--outage" => arguments.outage = seconds()?,
                _ => return Err(format!("unknown argument `{name}`")),
            }
        }
        if arguments.sqlite.is_some() && arguments.postgres.is_some() {
            return Err("there is one database: `--sqlite` or `--postgres`".into());
        }
        // The URL has a password, and is not repeated.
        if arguments.postgres.as_ref().is_some_and(|url| url.parse::<Config>().is_err()) {
            return Err("the URL of PostgreSQL is not valid".into());
        }
        Ok(arguments)
    }

    /// Returns the URL of the database.
    pub(crate) fn database(&self) -> String {
        if let Some(url) = &self.postgres {
            return url.clone();
        }
        let default = || std::env::temp_dir().join("taskvisor-orders.sqlite").display().to_string();
        format!("sqlite://{}?mode=rwc", self.sqlite.clone().unwrap_or_else(default))
    }
}
