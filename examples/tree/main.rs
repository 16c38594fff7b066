//! A small service as a tree: a store, an ingest that fills it, and a server that reports their state.
//!
//! ```text
//! cargo run --example tree                        # until Ctrl+C or SIGTERM
//! cargo run --example tree -- --chaos 1           # its parts fail, panic and hang at random
//! cargo run --example tree -- --listen 127.0.0.1:8080 records.txt
//! cargo run --example tree --features console -- --chaos 1 --seconds 600 --console
//! ```
//!
//! No record is lost, whatever fails: the outbox keeps each record until the store has it on disk, and resends it. The
//! store accepts records only in the order of their numbers, so that a record that is sent twice is written once. When
//! the tree has ended, the program reads the file and checks that it holds each record exactly once.

mod arguments;
mod chaos;
#[path = "../console.rs"]
mod console;
mod ingest;
mod observers;
mod store;

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use taskvisor::prelude::*;
use tokio::net::TcpListener;
use tokio::sync::{Mutex as AsyncMutex, mpsc};

use crate::arguments::{Arguments, HELP};
use crate::chaos::Chaos;
use crate::console::Port;
use crate::ingest::{Outbox, forward, produce};
use crate::observers::{View, serve, visit};
use crate::store::{Inbox, Lock, Log, Scratch, audit, lock, verify, writer};

/// The interval of heartbeats while a task waits.
const BEAT: Duration = Duration::from_millis(50);

const BATCH: usize = 32;

type Failure = Box<dyn Error + Send + Sync>;

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
    let scratch = arguments.file.is_none().then(|| Scratch::new().unwrap_or_else(|error| refuse(&error)));
    let path = arguments.file.or_else(|| Some(scratch.as_ref()?.0.join("records.txt"))).unwrap_or_default();
    // Errors of the file are reported here, not by the tree.
    let found = Lock::take(&path).and_then(|_lock| Log::open(&path)).unwrap_or_else(|wrong| refuse(&wrong)).next;
    let listener = Arc::new(listener);

    let port = arguments.console.then(|| Port::bind(([127, 0, 0, 1], 0).into()).unwrap_or_else(|wrong| refuse(&wrong)));
    let attached = port.as_ref().map(Port::attach).unwrap_or_default();
    if let Some(port) = &port {
        say(&format!("the console is at http://{}/", port.addr()));
    }

    let mut chaos = Chaos::seeds(arguments.chaos);
    let outbox = Outbox::new(found);
    let (store, inbox) = mpsc::channel(BATCH);
    let inbox: Inbox = Arc::new(AsyncMutex::new(inbox));
    let view = View::default();

    let tree = supervise!(
        name = "tree",
        grace = "30s",
        defaults(backoff(first = "20ms", max = "200ms", factor = 2.0, jitter = "equal")),
        subscribers = [..attached.subscribers],
        tasks = [
            store = group(
                strategy = rest_for_one(max_restarts = 5, within = "2s"),
                tasks = [
                    lock { path: path.clone(), chaos: chaos(20) },
                    writer { path: path.clone(), inbox, chaos: chaos(200) },
                    audit { path: path.clone(), chaos: chaos(10) },
                ],
                backoff(first = "100ms", max = "500ms", factor = 2.0, reset_after = "1s"),
                max_retries = 5,
            ),
            ingest = group(
                strategy = one_for_all(max_restarts = 5, within = "2s"),
                tasks = [
                    produce { outbox: outbox.clone(), chaos: chaos(300) },
                    forward { outbox: outbox.clone(), store, chaos: chaos(300) },
                ],
                after = [store],
                backoff(first = "100ms", max = "500ms", factor = 2.0, reset_after = "1s"),
                max_retries = 5,
            ),
            task(serve { listener, view: view.clone(), chaos: chaos(20) }, after = [store, ingest]),
            task(
                visit {
                    addr,
                    seconds: arguments.seconds,
                    outbox: outbox.clone(),
                    chaos: chaos(u32::MAX),
                    view: view.clone(),
                },
                after = [serve],
            ),
            ..attached.task,
        ],
    );
    let tree = view.of(tree);
    let result = tree.run().await;

    let mut well = true;
    if let Err(error) = &result {
        eprintln!("tree: {error}");
        well = false;
    }
    if let Some(writer) = tree.groups.store.tasks.writer.status() {
        say(&format!("\nthe writer: {} after {} restarts", writer.state, writer.restarts));
    }
    match verify(&path, &outbox) {
        Ok(told) => say(&told),
        Err(lost) => {
            eprintln!("tree: {lost}");
            well = false;
        }
    }
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn say(text: &str) {
    // A closed output is not an error.
    let _ = writeln!(io::stdout(), "{text}");
}

fn refuse(wrong: &str) -> ! {
    eprintln!("tree: {wrong}");
    process::exit(2)
}
