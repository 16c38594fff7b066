//! A hundred tenants from a JSON file: SIGHUP makes the tasks equal to the file again.
//!
//! ```text
//! cargo run --example tenants --features tenants                      # the file beside this one, on port 8080
//! cargo run --example tenants --features tenants -- FILE --listen 127.0.0.1:0 --seconds 3
//!
//! kill -HUP  <pid>                # reads the file again: unchanged tenants go on
//! kill -TERM <pid>                # stops all, and exits with status 0
//! curl localhost:8080             # the status page; also /livez and /readyz
//! ```
//!
//! `examples/tenants/operate.sh` performs the actions of an operator, with real signals, and checks the pages.

mod board;
mod config;
mod page;
mod service;
mod sync;

#[cfg(test)]
mod tests;

use std::env;
use std::error::Error;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use taskvisor::Tree;
use taskvisor::prelude::*;

use crate::board::Board;
use crate::config::{Config, configure};
use crate::page::serve;
use crate::service::{Upstream, upstream};

/// The number of tenants that may start at one time. The others wait, so that a restart does not overload the shared
/// service.
const STARTS: usize = 8;

/// The tree of the service. The tenants stop before the upstream that they use, and the pages are served to the end.
fn tree(listener: TcpListener, config: Config, upstream: Upstream) -> Tree {
    let board = Arc::new(Board::default());
    let address = upstream.address;
    let tenants = Group::one_for_one("tenants").with_max_starting(STARTS);
    supervise!(
        grace = "10s",
        subscribers = [LogWriter::default().with_level(LogLevel::Warn)],
        tasks = [
            serve = task(serve { listener: Arc::new(listener), board: Arc::clone(&board) }, critical),
            upstream = task(upstream { upstream }, after = [serve]),
            tenants = group(tenants, after = [upstream]),
            configure = task(configure { config, address, board }, after = [tenants], critical),
        ],
    )
    .into()
}

struct Arguments {
    file: PathBuf,
    listen: SocketAddr,
    seconds: Option<u64>,
}

impl Arguments {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tenants/tenants.json"));
        let mut read = Self { file, listen: SocketAddr::from(([127, 0, 0, 1], 8080)), seconds: None };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("`{argument}` needs a value"));
            match argument.as_str() {
                "--listen" => read.listen = value()?.parse()?,
                "--seconds" => read.seconds = Some(value()?.parse()?),
                file => read.file = file.into(),
            }
        }
        Ok(read)
    }
}

#[tokio::main]
async fn main() -> Result<Exit, Box<dyn Error>> {
    let Arguments { file, listen, seconds } = Arguments::read(env::args().skip(1))?;
    // An error of the file at the start ends the program. Later, the service continues with the tenants that it has.
    let config = Config::read(file)?;
    let listener = TcpListener::bind(listen)?;
    println!("http://{}/ of process {}", listener.local_addr()?, std::process::id());
    let tree = tree(listener, config, Upstream::bind().await?);
    let result = match seconds {
        Some(seconds) => tree.run_until(tokio::time::sleep(Duration::from_secs(seconds))).await,
        None => tree.run().await,
    };
    Ok(Exit::from(result))
}
