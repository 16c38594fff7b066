//! What taskvisor costs, beside a hand-written floor and its peers: one command, one run.
//!
//! Each sample is a process of its own, of the `sampler` beside this crate; see `README.md` for how to run and to read
//! it.
#![allow(clippy::cast_precision_loss, reason = "counts and nanoseconds stay far below 2^52")]

mod case;
mod gate;
mod options;
mod report;
mod run;
mod sampler;
mod scale;
mod statistics;

use std::process::ExitCode;

use crate::options::{Command, Options};

/// An error with its message; nobody handles them otherwise.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match start() {
        Ok(passed) if passed => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("benches: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether all that was asked for is as it should be.
fn start() -> Result<bool> {
    let options = Options::parse(std::env::args().skip(1))?;
    match options.command {
        Command::Help => {
            println!("{}", options::HELP);
            Ok(true)
        }
        Command::Compare => run::compare(&options),
        Command::Scale => scale::measure(&options),
        Command::Gate { record } => gate::check(record),
    }
}
