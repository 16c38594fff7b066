//! A gate that does not depend on the machine: instructions and allocations per operation, compared with recorded
//! figures.
//!
//! Measuring N and 2N operations removes the cost of the start and the end of the process.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::Result;
use crate::options::OURS;
use crate::sampler::{Sampler, USUAL, Variant};

/// Each line of the gate, its work, and the number of operations.
const WORKS: [(&str, &str, u64); 23] = [
    ("restart", "restart", 4_000),
    ("restart-token", "restart-token", 4_000),
    ("restart-console", "restart-console", 4_000),
    ("once", "once", 2_000),
    ("idle-token", "idle-token", 2_000),
    ("cancel-0", "cancel-0", 2_000),
    ("restart-1", "restart-1", 4_000),
    ("restart-8", "restart-8", 2_000),
    ("slot-drop", "slot-drop", 4_000),
    ("slot-replace", "slot-replace", 4_000),
    ("slot-queue", "slot-queue", 2_000),
    ("slot-distinct", "slot-distinct", 2_000),
    ("group-start-1k", "group-start", 1_000),
    ("group-start-8k", "group-start", 8_000),
    ("group-stop-1k", "group-stop", 1_000),
    ("group-stop-8k", "group-stop", 8_000),
    ("group-restart-1k", "group-restart", 1_000),
    ("group-restart-8k", "group-restart", 8_000),
    ("group-cancel-1k", "group-cancel", 1_000),
    ("group-cancel-8k", "group-cancel", 8_000),
    ("group-add", "group-add", 2_000),
    ("plain-start-8k", "plain-start", 8_000),
    ("plain-stop-8k", "plain-stop", 8_000),
];

/// The limit for the instructions of a line, as a multiple of another line. Groups are linear, and cost little more
/// than a root that has no driver. Each work includes the start of the group.
const RATIOS: [(&str, &str, f64); 7] = [
    ("group-start-8k", "group-start-1k", 1.3),
    ("group-stop-8k", "group-stop-1k", 1.3),
    ("group-restart-8k", "group-restart-1k", 1.3),
    ("group-cancel-8k", "group-cancel-1k", 1.3),
    ("group-start-8k", "plain-start-8k", 2.0),
    ("group-stop-8k", "plain-stop-8k", 2.0),
    ("group-cancel-8k", "plain-stop-8k", 2.0),
];

/// The work whose operations must leave no memory behind.
const LEAVES_NOTHING: (&str, u64) = ("group-add", 2_000);

/// Tolerances for another allocator, another compiler, and hash seeds. The record is that of the commit before the second
/// part of the contract, so what was built since costs no more than this where it is not used.
const MORE_INSTRUCTIONS: f64 = 1.03;
const MORE_ALLOCATIONS: f64 = 1.02;

/// How often a line is measured at most.
const TRIES: usize = 3;

/// The cost of an operation.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Figures {
    /// `None` if `valgrind` is missing.
    instructions: Option<f64>,
    allocations: f64,
}

/// Returns whether no line exceeds its recorded figures; `record` writes the measured figures to the record.
pub(crate) fn check(record: bool) -> Result<bool> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("gate.txt");
    let counts_instructions = has_valgrind();
    if record && !counts_instructions {
        return Err("recording needs valgrind".into());
    }
    if !counts_instructions {
        println!("valgrind is not installed: allocations only");
    }
    if record {
        let measured = measure(counts_instructions, &[])?;
        fs::write(&file, to_text(&measured)).map_err(|error| format!("{}: {error}", file.display()))?;
        return Ok(compare(&measured, &measured) & keep_ratios(&measured) & leaves_nothing()?);
    }
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let recorded = from_text(&text)?;
    let measured = measure(counts_instructions, &recorded)?;
    Ok(compare(&measured, &recorded) & keep_ratios(&measured) & leaves_nothing()?)
}

fn has_valgrind() -> bool {
    Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Measures all lines. One that exceeds its record is measured again: a shutdown that takes more than a second by the
/// clock, on a machine that does much else, reports what it waits for.
fn measure(counts_instructions: bool, recorded: &[(String, Figures)]) -> Result<Vec<(String, Figures)>> {
    let counting = Sampler::build(Variant { counts: true, features: USUAL })?;
    let plain = Sampler::build(Variant { counts: false, features: USUAL })?;
    let mut measured = Vec::new();
    for (line, work, size) in WORKS {
        let take = || -> Result<Figures> {
            if counts_instructions {
                let [once, twice] = [plain.counted(work, OURS, size)?, plain.counted(work, OURS, size * 2)?];
                return Ok(Figures {
                    instructions: Some((twice.instructions - once.instructions) / size as f64),
                    allocations: (twice.allocations - once.allocations) / size as f64,
                });
            }
            let allocations = |size| -> Result<f64> {
                let sample = counting.take(work, OURS, "ct", size)?.ok_or_else(|| format!("`{work}` is not done"))?;
                Ok(sample.get("allocations"))
            };
            Ok(Figures { instructions: None, allocations: (allocations(size * 2)? - allocations(size)?) / size as f64 })
        };
        let before = recorded.iter().find(|(name, _)| name == line).map(|(_, figures)| *figures);
        let mut figures = take()?;
        for _ in 1..TRIES {
            if before.is_some_and(|before| exceeds(figures, before)) {
                figures = take()?;
            }
        }
        measured.push((line.to_owned(), figures));
    }
    Ok(measured)
}

/// Returns whether no line exceeds its multiple of another line.
fn keep_ratios(measured: &[(String, Figures)]) -> bool {
    let instructions =
        |line: &str| measured.iter().find(|(name, _)| name == line).and_then(|(_, figures)| figures.instructions);
    let mut kept = true;
    for (line, other, most) in RATIOS {
        let Some((count, base)) = instructions(line).zip(instructions(other)) else { continue };
        let exceeds = count > base * most;
        kept &= !exceeds;
        println!(
            "{line:<16} is {:.2} times {other}, at most {most}{}",
            count / base,
            if exceeds { "  MORE" } else { "" }
        );
    }
    kept
}

/// Returns whether an operation leaves no byte behind.
fn leaves_nothing() -> Result<bool> {
    let (work, size) = LEAVES_NOTHING;
    let counting = Sampler::build(Variant { counts: true, features: USUAL })?;
    let bytes = |size| -> Result<f64> {
        let sample = counting.take(work, OURS, "ct", size)?.ok_or_else(|| format!("`{work}` is not done"))?;
        Ok(sample.get("bytes"))
    };
    let left = (bytes(size * 2)? - bytes(size)?) / size as f64;
    // This tolerates tables that grow to their final size.
    let nothing = left < 0.05;
    println!("{work:<16} leaves {left:.3} bytes{}", if nothing { "" } else { "  MORE" });
    Ok(nothing)
}

fn compare(measured: &[(String, Figures)], recorded: &[(String, Figures)]) -> bool {
    println!("{:<16} {:>12} {:>12} {:>12} {:>12}", "", "instructions", "recorded", "allocations", "recorded");
    let mut passed = true;
    for (work, now) in measured {
        let Some((_, before)) = recorded.iter().find(|(name, _)| name == work) else {
            println!("{work:<16} has no record: --gate --record");
            passed = false;
            continue;
        };
        let more = exceeds(*now, *before);
        passed &= !more;
        let shown = |count: Option<f64>| count.map_or_else(|| "-".to_owned(), |count| format!("{count:.0}"));
        println!(
            "{work:<16} {:>12} {:>12} {:>12.2} {:>12.2}{}",
            shown(now.instructions),
            shown(before.instructions),
            now.allocations,
            before.allocations,
            if more { "  MORE" } else { "" }
        );
    }
    passed
}

fn exceeds(now: Figures, before: Figures) -> bool {
    let instructions = now.instructions.zip(before.instructions);
    instructions.is_some_and(|(now, before)| now > before * MORE_INSTRUCTIONS)
        || now.allocations > before.allocations * MORE_ALLOCATIONS + 0.01
}

fn to_text(measured: &[(String, Figures)]) -> String {
    let mut text =
        "# Work, instructions and allocations of an operation. `cargo run --release -p benches -- --gate --record`\n"
            .to_owned();
    for (work, figures) in measured {
        let instructions = figures.instructions.unwrap_or_default();
        // Writing to a string never fails.
        let _ = writeln!(text, "{work} {instructions:.0} {:.2}", figures.allocations);
    }
    text
}

fn from_text(text: &str) -> Result<Vec<(String, Figures)>> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let mut words = line.split_whitespace();
            let figures = |work: &str, instructions: &str, allocations: &str| {
                let instructions = Some(instructions.parse().ok()?);
                Some((work.to_owned(), Figures { instructions, allocations: allocations.parse().ok()? }))
            };
            match (words.next(), words.next(), words.next()) {
                (Some(work), Some(instructions), Some(allocations)) => figures(work, instructions, allocations),
                _ => None,
            }
            .ok_or_else(|| format!("gate.txt: `{line}` is not WORK INSTRUCTIONS ALLOCATIONS").into())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Figures, exceeds, from_text, to_text};

    fn figures(instructions: f64, allocations: f64) -> Figures {
        Figures { instructions: Some(instructions), allocations }
    }

    #[test]
    fn a_record_reads_as_it_was_written() {
        let measured = vec![("once".to_owned(), figures(4000.0, 8.25))];
        assert_eq!(from_text(&to_text(&measured)).unwrap(), measured);
        let error = from_text("once 4000").unwrap_err().to_string();
        assert_eq!(error, "gate.txt: `once 4000` is not WORK INSTRUCTIONS ALLOCATIONS");
    }

    #[test]
    fn only_more_than_the_room_fails() {
        let before = figures(1000.0, 3.0);
        assert!(!exceeds(figures(1029.0, 3.0), before));
        assert!(exceeds(figures(1031.0, 3.0), before));
        assert!(exceeds(figures(900.0, 3.5), before));
        assert!(!exceeds(Figures { instructions: None, allocations: 2.0 }, before));
    }
}
