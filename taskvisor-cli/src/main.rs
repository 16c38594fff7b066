//! `taskvisor`: looks at a running supervision tree, and controls it, through the HTTP of its console.
//!
//! `arguments` reads the command line, and `target` the address. `client` sends one request a connection; `reply` has
//! the answers as types. `commands` has a file a command, which makes text with `table`, `text` and `time`; `output`
//! writes it. `failure` has what can go wrong, with its exit status.

mod arguments;
mod client;
mod commands;
mod failure;
mod output;
mod reply;
mod stream;
mod table;
mod target;
mod text;
mod time;
#[cfg(feature = "rustls")]
mod tls;

use std::env;
use std::io::{self, Write as _};
use std::process::ExitCode;

use arguments::{Parsed, parse};
use client::Client;
use failure::Failure;
use output::Output;

fn main() -> ExitCode {
    let mut output = Output::new();
    let ended = match parse(env::args_os().skip(1), |name| env::var_os(name)) {
        Ok(Parsed::Print(text)) => output.print(&text).map(|()| commands::Status::Success),
        Ok(Parsed::Run { command, target, timeout, json }) => {
            run(&command, &Client::new(target, timeout), json, &mut output)
        }
        Err(wrong) => Err(Failure::Usage(wrong)),
    };
    match ended {
        Ok(status) => ExitCode::from(status as u8),
        // Nobody reads what is written.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "taskvisor: {failure}");
            ExitCode::from(failure.exit_status())
        }
    }
}

fn run(
    command: &commands::Command,
    client: &Client,
    json: bool,
    output: &mut Output,
) -> Result<commands::Status, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Runtime)?;
    let ended = runtime.block_on(commands::run(command, client, json, output));
    // The lookup of a host name can take longer than the timeout, on a thread of the runtime.
    runtime.shutdown_background();
    ended
}
