//! Watches TCP endpoints: connects to each, sends a request line, measures the time to the first line of the answer,
//! and prints a table every few seconds.
//!
//! ```text
//! cargo run --example uptime                               # two servers of its own
//! cargo run --example uptime -- targets.txt                # one `host:port` a line
//! echo example.com:80 | cargo run --example uptime -- --targets - --seconds 10
//! ```
//!
//! Ctrl+C or SIGTERM ends it with a last table. Each probe is a supervised task, named after its target. A slow probe
//! is cut off by its timeout, a failed one is retried after a growing delay, and no probe delays another.

mod arguments;
mod board;
mod demo;
mod request;
mod table;
mod targets;

use std::time::Duration;
use std::{env, io, process};

use taskvisor::prelude::*;
use tokio::io::AsyncWriteExt;

use crate::arguments::{Arguments, HELP};
use crate::board::Board;
use crate::targets::Target;

/// Probes one target, again and again.
#[task(
    restart = "always",
    interval = "1s",
    timeout = "2s",
    backoff(first = "500ms", max = "10s", factor = 2.0, jitter = "equal")
)]
async fn probe(target: Target, board: Board) -> io::Result<()> {
    let latency = request::latency(&target).await?;
    board.answered(&target, latency);
    Ok(())
}

/// Prints the table.
#[task(restart = "always", every = "3s", initial_delay = "1500ms")]
async fn report(ctx: TaskContext, board: Board) {
    if print(&format!("\n{}", board.table())).await.is_err() {
        // The reader of the output has closed the pipe.
        drop(ctx.supervisor().shutdown());
    }
}

/// Ends the program after a while.
#[task]
async fn stop(ctx: TaskContext, after: Duration) {
    if ctx.sleep(after).await {
        drop(ctx.supervisor().shutdown());
    }
}

#[tokio::main]
async fn main() {
    let arguments =
        Arguments::parse(env::args_os().skip(1)).unwrap_or_else(|wrong| refuse(&format!("{wrong}, see `--help`")));
    if arguments.help {
        return drop(print(HELP).await);
    }
    let (targets, servers) = match arguments.targets {
        Some(source) => (source.read().unwrap_or_else(|wrong| refuse(&wrong)), Vec::new()),
        None => demo::servers().await.unwrap_or_else(|error| refuse(&error.to_string())),
    };
    let board = Board::new(&targets);

    let tree = supervise!(
        name = "uptime",
        grace = "5s",
        subscribers = [board.clone()],
        tasks = [
            ..servers,
            ..targets.iter().map(|target| probe::spec(target.clone(), board.clone()).with_name(target.as_str())),
            report { board: board.clone() },
            ..arguments.seconds.into_iter().map(stop::spec),
        ],
    );
    let result = tree.run().await;

    let _ = print(&format!("\n{}\n{}", board.table(), board.events())).await;
    if let Err(error) = &result {
        eprintln!("uptime: {error}");
    }
    // Returning would wait for name lookups, each of which still blocks a thread.
    process::exit(i32::from(result.is_err()))
}

async fn print(text: &str) -> io::Result<()> {
    let mut stdout = tokio::io::stdout();
    stdout.write_all(text.as_bytes()).await?;
    stdout.flush().await
}

fn refuse(wrong: &str) -> ! {
    eprintln!("{wrong}");
    process::exit(2)
}
