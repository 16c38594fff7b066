//! A web server with axum, whose stop loses no request: requests in flight are finished, idle connections are closed,
//! and each `WebSocket` is closed with a message. Only then the pool of the handlers is closed.
//!
//! ```text
//! cargo run --example server --features server                             # on port 8080, until Ctrl+C or SIGTERM
//! cargo run --example server --features server -- 127.0.0.1:0 --seconds 3  # on a free port, for a while
//!
//! curl localhost:8080/rows        # answered by the pool
//! websocat ws://localhost:8080/chat
//! ```

mod app;
mod chat;
mod connection;
mod database;

#[cfg(test)]
mod tests;

use std::env;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use taskvisor::Tree;
use taskvisor::prelude::*;
use tokio::net::TcpListener;

use crate::connection::serve;
use crate::database::{Pool, pool};

/// The time limits of a stop.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// The time for a request in flight, and for the answer of a WebSocket client. Then the connection is closed.
    finish: Duration,
    /// The time for the server. Then its connections are aborted. It is longer than `finish`, so that this does not
    /// happen.
    stop: Duration,
}

/// The server stops before the pool that it is after.
fn tree(listener: TcpListener, connections: Pool, limits: Limits) -> Tree {
    let listener = Arc::new(listener);
    let serve = serve::spec(listener, connections.clone(), limits.finish).with_stop_timeout(limits.stop);
    supervise!(
        grace = "15s",
        drain = "100ms",
        tasks = [pool { connections }, serve = task(serve, after = [pool], critical)],
    )
    .into()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut address = "127.0.0.1:8080".to_owned();
    let mut seconds = None;
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seconds" => seconds = Some(arguments.next().ok_or("`--seconds` needs a number")?.parse()?),
            _ => address = argument,
        }
    }
    // Bound before the tree: a restart of the server keeps the socket, and a port that is taken ends the program.
    let listener = TcpListener::bind(&address).await?;
    println!("http://{}/rows", listener.local_addr()?);
    let limits = Limits { finish: Duration::from_secs(5), stop: Duration::from_secs(10) };
    let tree = tree(listener, Pool::new(4), limits);
    match seconds {
        Some(seconds) => tree.run_until(tokio::time::sleep(Duration::from_secs(seconds))).await?,
        None => tree.run().await?,
    }
    Ok(())
}
