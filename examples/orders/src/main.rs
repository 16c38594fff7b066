//! A service to copy: it accepts orders over HTTP, and sends a message for each to a broker, which processes it exactly
//! once.
//!
//! ```text
//! cargo run -p orders                                     # on port 8080 until Ctrl+C, with SQLite
//! cargo run -p orders -- --load 200 --chaos 7             # with customers and faults
//! cargo run -p orders -- --load 200 --seconds 10          # says at its end what was accepted and delivered
//! cargo run -p orders -- --postgres postgres://localhost  # for several replicas
//!
//! curl -X PUT localhost:8080/orders/1 -H 'content-type: application/json' \
//!     -d '{"tenant": "acme", "item": "a book", "cents": 1200}'
//! curl -X POST localhost:8080/tenants/acme/statement
//! curl localhost:8080/readyz                              # also /livez, /metrics, /console
//! ```
//!
//! Read `tree` first, then the tasks that it names. The README of this folder says how to add one.

mod arguments;
mod broker;
mod chaos;
mod http;
mod load;
mod relay;
mod report;
mod statements;
mod store;
mod summary;
mod telemetry;
mod tree;

#[cfg(test)]
mod tests;

use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{ExitCode, Termination as _};
use std::sync::Arc;
use std::time::Duration;

use taskvisor::fleet::Fleet;
use taskvisor::prelude::*;
use taskvisor::{History, Overrides};
use taskvisor_postgres::PostgresStore;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::arguments::{Arguments, HELP};
use crate::broker::{Broker, FakeBroker, HttpBroker};
use crate::chaos::{Brittle, Luck, monkey};
use crate::http::Server;
use crate::load::{Tally, closing_time, customers};
use crate::relay::Route;
use crate::store::{Durability, Patient, SqlStore, Store, pool};
use crate::tree::{Parts, tree};

type Failure = Box<dyn Error>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1), |name| std::env::var(name).ok()) {
        Ok(arguments) => arguments,
        Err(wrong) => return refuse(&wrong),
    };
    let ended = match &arguments {
        Arguments { help: true, .. } => {
            say(HELP.trim_end());
            Ok(ExitCode::SUCCESS)
        }
        Arguments { only_broker: true, .. } => run_broker(&arguments).await,
        _ => match telemetry::log() {
            Ok(()) => run(arguments).await,
            Err(wrong) => return refuse(&wrong),
        },
    };
    ended.unwrap_or_else(|error| {
        eprintln!("orders: {error}");
        ExitCode::FAILURE
    })
}

/// Says which option or variable is wrong. A further start would not mend that, and the status says so.
fn refuse(wrong: &str) -> ExitCode {
    eprintln!("orders: {wrong}, see `--help`");
    ExitCode::from(2)
}

/// Runs the service until it is requested to stop.
async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let metrics = telemetry::metrics()?;
    let luck = Luck::new(arguments.chaos);
    let listener = TcpListener::bind(arguments.listen).await?;
    let address = listener.local_addr()?;

    let (store, fleet) = database(&arguments)?;
    let fake = FakeBroker::new(luck.clone());
    fake.fail_for(arguments.outage);
    let broker = match &arguments.broker {
        Some(broker) => broker.clone(),
        None => fake.start(SocketAddr::from(([127, 0, 0, 1], 0))).await?.to_string().parse()?,
    };
    let broker: Arc<dyn Broker> = Arc::new(Brittle { inner: HttpBroker::new(broker), luck: luck.clone() });

    let tally = Arc::new(Tally::default());
    let mut extra = Vec::new();
    if let Some(a_second) = arguments.load {
        extra.push(customers::spec(address, a_second, Arc::clone(&tally)).with_after(["serve"]));
    }
    extra.extend(arguments.seconds.map(closing_time::spec));
    extra.extend(arguments.chaos.map(|_| monkey::spec(luck)));

    let route =
        Route { store: Arc::clone(&store), broker, replica: arguments.replica.as_str().into(), claim: arguments.claim };
    let server = Server {
        listener: Arc::new(listener),
        store: Arc::clone(&store),
        metrics,
        history: History::new(),
        places: Arc::new(Semaphore::new(32)),
        connections: Arc::new(Semaphore::new(1024)),
        patience: Duration::from_secs(5),
    };
    let overrides = Overrides::env("ORDERS");
    let pool = pool::spec(Arc::clone(&store));
    let tree = tree(Parts { store: Arc::clone(&store), server, route, fleet, overrides, extra }, pool);
    // Does nothing if systemd did not start the process.
    #[cfg(unix)]
    tokio::spawn(taskvisor::systemd::notify(tree.supervisor()));
    say(&format!("http://{address}"));

    if arguments.seconds.is_none() {
        // Ends the process even if threads are blocked.
        tree.run_to_exit().await;
    }
    let result = tree.run().await;
    let is_well = summary::tell(&tally, arguments.broker.is_none().then(|| fake.ledger()), &*store).await?;
    Ok(if is_well { Exit::from(result).report() } else { ExitCode::FAILURE })
}

/// Returns the store, and the fleet of its replicas. A database of one process needs only a local fleet.
fn database(arguments: &Arguments) -> Result<(Arc<dyn Store>, Fleet), Failure> {
    // The default file is for a demonstration.
    let durability = if arguments.sqlite.is_some() { Durability::PowerCut } else { Durability::Kill };
    let store = SqlStore::new(arguments.database(), durability);
    let Some(url) = &arguments.postgres else {
        return Ok((Arc::new(Patient(Arc::new(store))), Fleet::local().name("orders")));
    };
    let leases = PostgresStore::new(url.parse()?);
    let fleet = Fleet::new(leases.clone()).name("orders").label(arguments.replica.as_str()).ttl(arguments.ttl);
    Ok((Arc::new(Patient(Arc::new(store.with_leases(leases, "orders")))), fleet))
}

/// Runs the broker until Ctrl+C or SIGTERM.
async fn run_broker(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let broker = FakeBroker::new(Luck::new(arguments.chaos));
    broker.fail_for(arguments.outage);
    say(&format!("http://{}", broker.start(arguments.listen).await?));
    tokio::signal::ctrl_c().await?;
    Ok(ExitCode::SUCCESS)
}

fn say(text: &str) {
    // A closed output is not an error.
    let _ = writeln!(std::io::stdout(), "{text}");
}
