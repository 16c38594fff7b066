//! Large numbers of tasks, and how the cost of each operation grows with them.

use crate::Result;
use crate::case::Measure;
use crate::options::{OURS, Options};
use crate::sampler::{Sample, Sampler, USUAL, Variant};
use crate::statistics::Spread;

const SIZES: [(u64, &str); 4] = [(1_000, "1k"), (10_000, "10k"), (100_000, "100k"), (1_000_000, "1M")];

/// The operations, by processor time in nanoseconds.
const GROWING: [(&str, &str); 4] = [
    ("add, until it runs", "idle-token"),
    ("add to outcome", "once"),
    ("add, cancel, wait among as many", "cancel"),
    ("graceful stop", "stop"),
];

/// Prints the results as Markdown.
pub(crate) fn measure(options: &Options) -> Result<bool> {
    let sampler = Sampler::build(Variant { counts: false, features: USUAL })?;
    let counting = Sampler::build(Variant { counts: true, features: USUAL })?;
    million(&sampler, &counting, if options.quick { 100_000 } else { 1_000_000 })?;
    backoff(&sampler, if options.quick { 5 } else { 60 })?;
    growth(&sampler, if options.quick { &SIZES[..3] } else { &SIZES })?;
    Ok(true)
}

fn million(sampler: &Sampler, counting: &Sampler, tasks: u64) -> Result<()> {
    println!("{tasks} idle tasks, each with a token, current-thread runtime:\n");
    let start = take(sampler, "idle-token", tasks)?;
    let stop = take(sampler, "stop", tasks)?;
    let counted = take(counting, "idle-token", tasks)?;
    println!("- all run after {:.2} s", start.get("wall") / 1e9);
    println!(
        "- {:.0} bytes in {:.1} blocks each; {:.0} bytes of memory",
        counted.value(Measure::Bytes),
        counted.value(Measure::Blocks),
        start.each("resident")
    );
    println!("- all stopped gracefully after {:.2} s\n", stop.get("wall") / 1e9);
    Ok(())
}

fn backoff(sampler: &Sampler, seconds: u64) -> Result<()> {
    let tasks = 10_000;
    let sample = take(sampler, &format!("backoff-{seconds}"), tasks)?;
    println!("{tasks} tasks that fail at once and back off for a second with jitter, for {seconds} s, 1 subscriber:\n");
    println!(
        "- {:.0} attempts, {:.1} % of one processor",
        sample.get("operations"),
        sample.get("cpu") / 1e7 / seconds as f64
    );
    println!("- {:.0} of {:.0} events lost\n", sample.get("lost"), sample.get("expected"));
    Ok(())
}

fn growth(sampler: &Sampler, sizes: &[(u64, &str)]) -> Result<()> {
    println!("Nanoseconds of processor time for one operation, by the number of tasks:\n");
    println!("| operation | {} |", sizes.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(" | "));
    println!("|---|{}", "---|".repeat(sizes.len()));
    let mut drawn = Vec::new();
    for (label, work) in GROWING {
        let costs = sizes.iter().map(|(size, _)| cost(sampler, work, *size)).collect::<Result<Vec<f64>>>()?;
        let shown: Vec<_> = costs.iter().map(|cost| format!("{cost:.0}")).collect();
        println!("| {label} | {} |", shown.join(" | "));
        drawn.push((label, shown.join(", ")));
    }
    println!("\n```mermaid\nxychart-beta");
    println!("    title \"ns an operation: {}\"", drawn.iter().map(|(label, _)| *label).collect::<Vec<_>>().join("; "));
    println!("    x-axis \"tasks\" [{}]", sizes.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", "));
    println!("    y-axis \"ns\"");
    for (_, costs) in drawn {
        println!("    line [{costs}]");
    }
    println!("```");
    Ok(())
}

/// The median of three samples.
fn cost(sampler: &Sampler, work: &str, tasks: u64) -> Result<f64> {
    let (work, size) = if work == "cancel" { (format!("cancel-{tasks}"), 20_000) } else { (work.to_owned(), tasks) };
    let costs = (0..3).map(|_| Ok(take(sampler, &work, size)?.value(Measure::Cpu))).collect::<Result<Vec<f64>>>()?;
    Spread::of(costs).map(|spread| spread.median).ok_or_else(|| "no sample".into())
}

fn take(sampler: &Sampler, work: &str, size: u64) -> Result<Sample> {
    sampler.take(work, OURS, "ct", size)?.ok_or_else(|| format!("`{work}` is not done").into())
}
