//! Instructions and bytes beside the peers, counted in one run, so that the load of the machine does not matter.
//!
//! As in the gate, measuring N and 2N operations removes the cost of the start and the end of the process.

use crate::Result;
use crate::options::{CONTENDERS, FLOOR, OURS};
use crate::sampler::{Sampler, Variant};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Instructions,
    /// Live bytes of an operation.
    Bytes,
}

/// One line: its work, the work that it contains and that is not part of it, and the most that it may be as a multiple of
/// the best peer.
#[derive(Debug, Clone, Copy)]
struct Row {
    name: &'static str,
    work: &'static str,
    without: Option<&'static str>,
    size: u64,
    unit: Unit,
    most: f64,
}

const fn row(name: &'static str, work: &'static str, size: u64, most: f64) -> Row {
    Row { name, work, without: None, size, unit: Unit::Instructions, most }
}

const ROWS: [Row; 10] = [
    row("restart", "restart", 1_000, 0.35),
    row("once", "once", 1_000, 0.85),
    row("add, cancel, wait", "cancel-0", 1_000, 1.0),
    row("started, cancel, wait", "cancel-started-0", 1_000, 1.0),
    Row { without: Some("idle-token"), ..row("stop", "stop", 1_000, 0.7) },
    row("start to shutdown", "lifecycle", 500, 1.0),
    Row { unit: Unit::Bytes, ..row("idle", "idle-token", 10_000, 0.85) },
    row("slot: drop", "slot-drop", 1_000, 0.04),
    row("slot: replace", "slot-replace", 1_000, 0.04),
    row("slot: queue to outcome", "slot-queue", 1_000, 0.04),
];

/// Prints the table. Returns whether each row keeps its bar.
pub(crate) fn compare(contenders: &[&'static str]) -> Result<bool> {
    let counting = Sampler::build(Variant { counts: true, peers: true })?;
    let plain = Sampler::build(Variant { counts: false, peers: true })?;
    let peers: Vec<_> =
        CONTENDERS.into_iter().filter(|name| ![FLOOR, OURS].contains(name) && contenders.contains(name)).collect();
    println!("| row | unit | taskvisor | best peer | | of it | bar | |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut kept = true;
    for row in ROWS {
        let sampler = if row.unit == Unit::Bytes { &counting } else { &plain };
        let ours = count(sampler, row, OURS)?.ok_or_else(|| format!("`{}` is not done", row.work))?;
        let mut best: Option<(f64, &str)> = None;
        for peer in &peers {
            let Some(cost) = count(sampler, row, peer)? else { continue };
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, peer));
            }
        }
        let Some((least, peer)) = best else { continue };
        let is_met = meets(ours, least, row.most);
        kept &= is_met;
        let unit = if row.unit == Unit::Bytes { "bytes" } else { "instructions" };
        let verdict = if is_met { "ok" } else { "MISSED" };
        println!(
            "| {} | {unit} | {ours:.0} | {least:.0} | {peer} | {:.3}x | {}x | {verdict} |",
            row.name,
            ours / least,
            row.most
        );
    }
    Ok(kept)
}

fn meets(ours: f64, least: f64, most: f64) -> bool {
    // A bar of 1 asks to be ahead.
    if most < 1.0 { ours <= least * most } else { ours < least }
}

/// Returns the cost of one operation; `None` if the contender cannot do the work.
fn count(sampler: &Sampler, row: Row, contender: &str) -> Result<Option<f64>> {
    let Some(sample) = sampler.take(row.work, contender, "ct", row.size)? else { return Ok(None) };
    if row.unit == Unit::Bytes {
        return Ok(Some(sample.get("bytes") / row.size as f64));
    }
    let by_operation = |work: &str| -> Result<f64> {
        let [once, twice] =
            [sampler.counted(work, contender, row.size)?, sampler.counted(work, contender, row.size * 2)?];
        Ok((twice.instructions - once.instructions) / row.size as f64)
    };
    let without = row.without.map_or(Ok(0.0), by_operation)?;
    Ok(Some(by_operation(row.work)? - without))
}

#[cfg(test)]
mod tests {
    use super::{ROWS, meets};

    #[test]
    fn a_bar_of_one_asks_to_be_ahead() {
        assert!(meets(35.0, 100.0, 0.35));
        assert!(!meets(36.0, 100.0, 0.35));
        assert!(meets(99.0, 100.0, 1.0));
        assert!(!meets(100.0, 100.0, 1.0));
    }

    #[test]
    fn each_row_has_a_bar_and_a_name_of_its_own() {
        for (index, row) in ROWS.iter().enumerate() {
            assert!(row.most > 0.0 && row.most <= 1.0, "{}", row.name);
            assert!(ROWS[..index].iter().all(|other| other.name != row.name), "{}", row.name);
        }
    }
}
