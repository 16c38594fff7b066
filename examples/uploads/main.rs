//! Copies the files of a directory to another one, and copies files again that change: one job for each file, a few at
//! once.
//!
//! ```text
//! cargo run --example uploads --features controller                        # a directory of its own, for a few seconds
//! cargo run --example uploads --features controller -- photos /mnt/backup  # until Ctrl+C or SIGTERM
//! cargo run --example uploads --features controller -- --once photos /mnt/backup
//! ```
//!
//! There are two supervisors. The tree runs the parts of the program: the task that watches, the one that shows the
//! progress, and the one that ends the jobs. The jobs have a supervisor of their own, so that its `max_concurrent`
//! counts only jobs. Its slots, one for each file, keep two jobs of one file from running at once: the job for a
//! changed file replaces the earlier one.
//!
//! Ctrl+C stops the parts in order: the program looks for no more files, running jobs are finished and waiting ones are
//! canceled, and the progress is shown to the end. A second Ctrl+C aborts the jobs. Either way each file in the
//! destination is whole, no partial file is left, and files that were not copied are listed.

mod arguments;
mod demo;
mod directories;
mod ledger;
mod listing;
mod partial;
mod progress;
mod report;
mod upload;
mod uploads;

use std::env;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use taskvisor::prelude::*;

use crate::arguments::{Arguments, HELP};
use crate::demo::Demo;
use crate::directories::Directories;
use crate::listing::{Listing, shown};
use crate::progress::Progress;
use crate::uploads::Uploads;

/// Looks for new and changed files, and submits a job for each.
#[task(
    restart = "always",
    interval = "200ms",
    max_retries = 5,
    backoff(first = "200ms", max = "2s", factor = 2.0),
    critical
)]
async fn watch(ctx: TaskContext, source: PathBuf, uploads: Uploads, once: bool) -> io::Result<()> {
    let news = uploads.news(Listing::of(source).await?);
    let all_done = news.is_empty() && uploads.counts().await.are_settled();
    // When requested to stop, it submits no more jobs. The report lists the files without one.
    ctx.run_until_cancelled(uploads.submit(news)).await;
    if once && all_done {
        drop(ctx.supervisor().shutdown());
    }
    Ok(())
}

/// Shows the progress.
#[task(restart = "always")]
async fn show(uploads: Uploads, progress: Progress) {
    progress.show(uploads.counts().await).await;
}

/// Ends the jobs when it is requested to stop, and waits until they have ended.
#[task]
async fn finish(ctx: TaskContext, uploads: Uploads) -> Result<(), RuntimeError> {
    ctx.cancelled().await;
    uploads.finish().await
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = match Arguments::parse(env::args_os().skip(1)) {
        Ok(arguments) => arguments,
        Err(wrong) => return refuse(&format!("{wrong}, see `--help`")),
    };
    if arguments.help {
        say(io::stdout(), HELP.trim_end());
        return ExitCode::SUCCESS;
    }
    let demo = match arguments.source {
        Some(_) => None,
        None => match Demo::set_up(&mut arguments) {
            Ok(demo) => Some(demo),
            Err(error) => return refuse(&format!("the demo: {error}")),
        },
    };
    let directories = match Directories::check(arguments.source.unwrap_or_default(), arguments.destination) {
        Ok(directories) => directories,
        Err(wrong) => return refuse(&wrong),
    };
    let Directories { source, destination } = directories;
    say(io::stdout(), &format!("from {} to {}", shown(source.as_os_str()), shown(destination.as_os_str())));

    let uploads = Uploads::new(source.clone(), destination, arguments.at_once, arguments.pace);
    let progress = Progress::new();
    let shown = RestartPolicy::Always { interval: Some(progress.interval()) };
    let tree = supervise!(
        name = "uploads",
        // Shared by the three layers. A second signal ends the wait for the jobs.
        grace = "72h",
        tasks = [
            show = show::spec(uploads.clone(), progress.clone()).with_restart(shown),
            task(finish { uploads: uploads.clone() }, after = [show]),
            task(watch { source, uploads: uploads.clone(), once: arguments.once }, after = [finish]),
            ..demo.iter().map(Demo::task),
        ],
    );
    let result = tree.run().await;

    // Jobs are left to abort only if the tree was aborted.
    uploads.abort().await;
    progress.end(uploads.counts().await).await;
    let report = uploads.report().await;
    say(io::stdout(), &report.summary);
    for line in report.not_done.iter().chain(&report.skipped) {
        say(io::stderr(), line);
    }
    match &result {
        Ok(()) => {}
        // A second signal, or the end of the 72 hours of the grace.
        Err(RuntimeError::ShutdownForced { .. } | RuntimeError::GraceExceeded { .. }) => {
            say(io::stderr(), "uploads: aborted before all was in order");
        }
        Err(error) => say(io::stderr(), &format!("uploads: {error}")),
    }
    let well = result.is_ok() && report.not_done.is_empty() && demo.is_none_or(|demo| demo.verify());
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Writes a text. A closed output is not an error.
fn say(mut to: impl Write, text: &str) {
    let _ = writeln!(to, "{text}");
}

fn refuse(wrong: &str) -> ExitCode {
    say(io::stderr(), &format!("uploads: {wrong}"));
    ExitCode::from(2)
}
