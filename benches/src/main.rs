//! The cost of taskvisor, compared with a hand-written floor and its peers: one command, one run.
//!
//! Each sample is a process of its own, which runs the crate `sampler` beside this one. `README.md` says how to run it
//! and how to read the results.
#![allow(clippy::cast_precision_loss, reason = "counts and nanoseconds stay far below 2^52")]

mod case;
mod counted;
mod gate;
mod options;
mod report;
mod run;
mod sampler;
mod scale;
mod statistics;

use std::process::ExitCode;

use crate::options::{Command, Options};

/// An error with its message, which is only printed.
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

/// Returns whether all that was requested is as it should be.
fn start() -> Result<bool> {
    let options = Options::parse(std::env::args().skip(1))?;
    match options.command {
        Command::Help => {
            println!("{}", options::HELP);
            Ok(true)
        }
        Command::Compare => run::compare(&options),
        Command::Scale => scale::measure(&options),
        Command::Counted => counted::compare(&options.contenders),
        Command::Gate { record } => gate::check(record),
    }
}
