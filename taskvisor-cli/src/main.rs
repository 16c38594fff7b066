//! `taskvisor`: shows and controls a running supervision tree, over the HTTP interface of its console.
//!
//! `arguments` reads the command line, and `target` the address. `client` sends each request on a connection of its
//! own; `reply` has the types of the answers. `commands` has a file for each command, which formats text with `table`,
//! `text` and `time`; `output` writes it. `failure` has the failures, with their exit status.

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
        // The reader of the output has closed the pipe.
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
