//! A report each night at 02:30 in Berlin, and an hourly count, on calendar schedules.
//!
//! ```text
//! cargo run --example nightly --features nightly                          # until Ctrl+C, or `quit` on standard input
//! cargo run --example nightly --features nightly -- --state /tmp/nightly  # remembers the last report
//! cargo run --example nightly --features nightly -- --list                # shows the next runs, and runs nothing
//! NIGHTLY_HOURLY_PAUSED=true NIGHTLY_NIGHTLY_CRON='0 4 * * *' \
//!     cargo run --example nightly --features nightly -- --config nightly.toml
//! ```
//!
//! - It first shows the next ten runs, and those around the next changes of the clock in Berlin: in spring the time 02:30
//!   does not exist on one day, and in autumn it comes twice.
//! - Lines on standard input are commands: `run`, `pause`, `resume`, `next`, `settings` and `quit`.
//! - A deployment changes options with variables that begin with `NIGHTLY_`, and with a file: `[nightly]` and `timeout
//!   = "1h"`. An unknown name is an error with a suggestion.
//! - With `--state`, the time of the last report is in a file. A report that was due while the program was down is made
//!   at its start, unless it is more than six hours late.

mod arguments;
mod changes;
mod commands;
mod report;

use std::process::ExitCode;
use std::sync::Arc;

use taskvisor::prelude::*;
use taskvisor::{LogWriter, Overrides};

use arguments::Arguments;
use report::Reports;

/// Makes the report of a day. A failure is retried for some hours, and given up then: the next one is for the next day.
#[task(
    restart = "always",
    cron = "30 2 * * *",
    zone = "Europe/Berlin",
    missed = "once",
    late = "6h",
    backoff(first = "1m", factor = 2.0, max = "1h", jitter = "equal"),
    max_retries = 6,
    timeout = "30m"
)]
async fn nightly(ctx: TaskContext, reports: Arc<Reports>) -> Result<(), std::io::Error> {
    reports.make(ctx.scheduled_for())
}

/// Counts open items in each hour of a working day. A missed hour is not made up for.
#[task(restart = "always", cron = "5 8-18 * * mon-fri", missed = "skip", splay = "2m")]
async fn hourly(reports: Arc<Reports>) {
    reports.count();
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let overrides = match overrides(&arguments) {
        Ok(overrides) => overrides,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    match run(arguments, overrides).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The overrides of the file, and those of the environment, which have precedence.
fn overrides(arguments: &Arguments) -> Result<Overrides, String> {
    let Some(file) = &arguments.config else { return Ok(Overrides::env("NIGHTLY")) };
    let shown = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let values = toml::from_str(&text).map_err(|error| format!("{shown}: {error}"))?;
    Ok(Overrides::file(shown, values).then(Overrides::env("NIGHTLY")))
}

async fn run(arguments: Arguments, overrides: Overrides) -> Result<(), RuntimeError> {
    let reports = Arc::new(Reports::new(arguments.state));
    let last_run = reports.last();
    let tree = supervise!(
        grace = "10s",
        defaults(zone = "Europe/Berlin"),
        overrides = overrides,
        subscribers = [LogWriter::default()],
        tasks = [task(nightly { reports: Arc::clone(&reports) }, last_run = last_run), hourly { reports }],
    );
    println!("the next runs:");
    for run in tree.schedule(10)? {
        println!("  {run}");
    }
    println!("around the next changes of the clock:");
    for line in changes::around(&tree, "nightly")? {
        println!("  {line}");
    }
    if arguments.list {
        return Ok(());
    }
    tree.start().await?;
    let stop = commands::obey(&tree, &tree.tasks.nightly, arguments.seconds);
    tree.run_until(stop).await
}

#[cfg(all(test, feature = "test-util"))]
mod tests;
