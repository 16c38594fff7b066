//! What the leases of a fleet cost, on servers of PostgreSQL and Redis that this program starts.
//!
//! ```text
//! cargo run --release -p benches --bin fleet --features fleet [-- --quick]
//! ```
//! It prints tables for `benches/README.md`, and ends with 1 if a bar is missed.

mod counted;
mod servers;
mod takeover;
mod wire;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use crate::servers::Servers;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How much is done.
pub(crate) struct Effort {
    /// How long renewals are counted.
    pub(crate) renewing: Duration,
    /// How long the replicas with many keys are watched.
    pub(crate) watching: Duration,
    /// How many times an owner ends in each way.
    pub(crate) ends: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [flag, engine, url] = arguments.as_slice() {
        if flag == "--replica" {
            return code(takeover::replica(engine, url).await);
        }
    }
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    let effort = if is_quick {
        Effort { renewing: Duration::from_secs(1), watching: Duration::from_secs(15), ends: 2 }
    } else {
        Effort { renewing: Duration::from_secs(5), watching: Duration::from_secs(60), ends: 10 }
    };
    let Some(servers) = Servers::start() else { return ExitCode::FAILURE };
    code(all(&servers, &effort).await)
}

/// Returns an error if a bar is missed.
async fn all(servers: &Servers, effort: &Effort) -> Result<(), Failure> {
    wire::table(servers, effort).await?;
    counted::restarts(servers).await?;
    counted::many_keys(servers, effort).await?;
    takeover::table(servers, effort).await
}

fn code(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fleet: {error}");
            ExitCode::FAILURE
        }
    }
}
