//! Many tasks under random faults, with a console: the CPU time and memory of the process, with and without an open
//! page.
//!
//! ```text
//! cargo run --release --example crowd --features console                   # ten minutes, ten thousand tasks
//! cargo run --release --example crowd --features console -- --alone        # to look at it with a browser
//! ```
//!
//! `work` has the tree, `usage` measures the process, and `reader` is the page: a process of its own, so that its work
//! is not counted.

mod arguments;
#[path = "../console.rs"]
mod console;
mod reader;
mod usage;
mod work;

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::{env, process};

use tokio::time::sleep;

use crate::arguments::{Arguments, HELP};
use crate::console::Port;
use crate::reader::Page;
use crate::usage::{Meter, memory};
use crate::work::Counts;

/// The lines without a page, at the beginning and at the end.
const WITHOUT: usize = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments =
        Arguments::parse(env::args_os().skip(1)).unwrap_or_else(|wrong| refuse(&format!("{wrong}, see `--help`")));
    if arguments.help {
        say(HELP.trim_end());
        return ExitCode::SUCCESS;
    }
    if let Some(addr) = arguments.read {
        reader::read(addr);
    }
    let port = Port::bind(arguments.listen).unwrap_or_else(|wrong| refuse(&wrong));
    match run(&arguments, &port).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crowd: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments, port: &Port) -> Result<(), Box<dyn Error>> {
    let counts = Arc::new(Counts::default());
    let tree = work::tree(arguments.tasks, arguments.seed, port.attach(), &counts);
    tree.start().await?;
    say(&format!("{} tasks, the console is at http://{}/", arguments.tasks, port.addr()));
    say("   time  page  attempts/s  failures/s  memory MiB  CPU %");

    let lines = usize::try_from(arguments.lasts.as_secs() / arguments.every.as_secs())?;
    let has_page = |line: usize| !arguments.alone && line >= WITHOUT && line + WITHOUT < lines;
    let (mut page, mut lived) = (None, Lines::default());
    let (mut meter, mut before) = (Meter::start(), (0, 0));
    for line in 0..lines {
        page = if has_page(line) { Some(page.map_or_else(|| Page::open(port.addr()), Ok)?) } else { None };
        sleep(arguments.every).await;
        let cpu = meter.percent();
        let now = (counts.attempts.load(Ordering::Relaxed), counts.failures.load(Ordering::Relaxed));
        let memory = memory().unwrap_or(f64::NAN);
        let per_second = |now: u64, before: u64| (now - before) / arguments.every.as_secs();
        say(&format!(
            "{:>5} s  {:>4}  {:>10}  {:>10}  {memory:>10.1}  {cpu:>5.1}",
            arguments.every.as_secs() * (line as u64 + 1),
            if page.is_some() { "yes" } else { "no" },
            per_second(now.0, before.0),
            per_second(now.1, before.1),
        ));
        before = now;
        lived.add(page.is_some(), line, cpu);
        if page.is_some() || arguments.alone {
            lived.memory.push(memory);
        }
    }
    drop(page);
    say(&lived.summary());
    tree.shutdown().await?;
    Ok(())
}

/// The measured values.
#[derive(Default)]
struct Lines {
    with: Vec<f64>,
    without: Vec<f64>,
    /// The memory of the lines with a page, or of all lines if there is no page.
    memory: Vec<f64>,
}

impl Lines {
    fn add(&mut self, has_page: bool, line: usize, cpu: f64) {
        // The first line includes the start of all tasks.
        match has_page {
            true => self.with.push(cpu),
            false if line > 0 => self.without.push(cpu),
            false => {}
        }
    }

    fn summary(&self) -> String {
        let mut text = String::new();
        if let Some(rest) = self.memory.get(self.memory.len() / 2..).filter(|rest| rest.len() > 1) {
            let least = rest.iter().copied().fold(f64::INFINITY, f64::min);
            let most = rest.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            text = format!("memory in the second half of the time with a page: {least:.1} to {most:.1} MiB\n");
        }
        match (mean(&self.with), mean(&self.without)) {
            (Some(with), Some(without)) => {
                let page = with - without;
                format!("{text}CPU: {without:.1} % without a page, {with:.1} % with one, so {page:.1} % for it")
            }
            (None, Some(cpu)) | (Some(cpu), None) => format!("{text}CPU: {cpu:.1} %"),
            (None, None) => text,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are few")]
fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn say(text: &str) {
    // A closed output is not an error.
    let _ = writeln!(io::stdout(), "{text}");
}

fn refuse(wrong: &str) -> ! {
    eprintln!("crowd: {wrong}");
    process::exit(2)
}
