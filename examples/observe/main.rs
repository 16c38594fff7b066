//! A small service whose parts fail now and then, and the ways to observe it: log lines in the spans of attempts,
//! metrics for Prometheus, probes, the tree as JSON, a console, events, and systemd.
//!
//! ```text
//! cargo run --example observe --features observe                        # until Ctrl+C or SIGTERM
//! cargo run --example observe --features observe -- --listen 127.0.0.1:9000 --seed 7
//! cargo run --example observe --features observe -- --seconds 3         # looks at its own pages, then ends
//! ```
//!
//! `telemetry` installs the subscriber and the recorder, `pages` makes the pages, and `summary` reads events. Nothing
//! else is needed: the tasks in `service` use only `tracing` for their log lines.

mod arguments;
#[path = "../console.rs"]
mod console;
mod http;
mod luck;
mod pages;
mod server;
mod service;
mod summary;
mod telemetry;
mod view;
mod visitor;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::{env, io, process};

use taskvisor::prelude::*;
use tokio::net::TcpListener;

use crate::arguments::{Arguments, HELP};
use crate::console::Port;
use crate::luck::Luck;
use crate::server::serve;
use crate::service::{news, orders, pool, prices, refresh};
use crate::summary::failures;
use crate::telemetry::upkeep;
use crate::view::View;
use crate::visitor::visit;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments =
        Arguments::parse(env::args_os().skip(1)).unwrap_or_else(|wrong| refuse(&format!("{wrong}, see `--help`")));
    if arguments.help {
        say(HELP.trim_end());
        return ExitCode::SUCCESS;
    }
    let listener = TcpListener::bind(arguments.listen).await.and_then(|bound| Ok((bound.local_addr()?, bound)));
    let (addr, listener) = listener.unwrap_or_else(|error| refuse(&format!("{}: {error}", arguments.listen)));
    // Installed before the supervisor is created, so that no event is missed.
    let metrics = telemetry::install().unwrap_or_else(|error| refuse(&error.to_string()));

    let port = Port::bind(arguments.console).unwrap_or_else(|error| refuse(&error));
    let console = port.attach();

    let mut luck = Luck::of_tasks(arguments.seed);
    let view = View::default();
    let tree = supervise!(
        name = "observe",
        grace = "5s",
        defaults(backoff(first = "50ms", max = "500ms", factor = 2.0, jitter = "equal")),
        slots = [slot(reports, capacity = 4)],
        subscribers = [..console.subscribers],
        tasks = [
            store = group(
                strategy = rest_for_one(max_restarts = 20, within = "10s"),
                tasks = [pool { luck: luck() }, refresh { luck: luck() }],
            ),
            feeds = group(
                strategy = one_for_one(max_restarts = 50, within = "10s"),
                tasks = [prices { luck: luck() }, news { luck: luck() }],
            ),
            task(orders { luck: luck() }, after = [store]),
            failures {},
            upkeep { metrics: metrics.clone() },
            serve { listener: Arc::new(listener), view: view.clone(), metrics },
            ..console.task,
            ..arguments.seconds.map(|after| visit::spec(addr, port.addr(), after)),
        ],
    );
    let tree = view.of(tree);
    // Does nothing if systemd did not start the process.
    #[cfg(unix)]
    tokio::spawn(taskvisor::systemd::notify(tree.supervisor()));
    say(&format!("serving http://{addr}/livez, /readyz, /tree and /metrics"));
    say(&format!("the console is at http://{}/", port.addr()));

    match tree.run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("observe: {error}");
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) {
    // A closed output is not an error.
    let _ = writeln!(io::stdout(), "{text}");
}

fn refuse(wrong: &str) -> ! {
    eprintln!("observe: {wrong}");
    process::exit(2)
}
