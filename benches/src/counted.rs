//! Instructions and bytes, counted in one run, so that the load of the machine does not matter: beside the peers, and
//! of taskvisor beside itself.
//!
//! Instructions are those of the measured part of a sample. Measuring N and 2N operations removes what does not depend
//! on their number.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::Result;
use crate::options::{CONTENDERS, FLOOR, OURS};
use crate::sampler::{Sampler, Variant, WITH_PEERS};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Instructions,
    /// Live bytes of an operation.
    Bytes,
}

/// One line beside the peers: its work, the work that it contains and that is not part of it, and the most that it may
/// be as a multiple of the best peer.
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

// The peer with slots decides later what it has room for in its queue of 1,024, so that its rows are longer than that.
const ROWS: [Row; 14] = [
    row("restart", "restart", 1_000, 0.35),
    row("once", "once", 1_000, 0.85),
    row("add, cancel, wait", "cancel-0", 1_000, 1.0),
    row("started, cancel, wait", "cancel-started-0", 1_000, 1.0),
    // With fewer tasks, what the allocator merges at the end decides by a tenth either way.
    row("stop", "stop", 8_000, 0.7),
    row("start to shutdown", "lifecycle", 500, 1.0),
    row("group: start", "group-start", 500, 1.0),
    Row { without: Some("group-start"), ..row("group: stop", "group-stop", 500, 1.0) },
    Row { without: Some("group-start"), ..row("group: restart", "group-restart", 500, 1.0) },
    row("group: add to outcome", "group-add", 500, 1.0),
    Row { unit: Unit::Bytes, ..row("idle", "idle-token", 10_000, 0.85) },
    row("slot: drop", "slot-drop", 8_000, 0.04),
    row("slot: replace", "slot-replace", 8_000, 0.04),
    // The task that runs in its turn is not part of the decision.
    Row { without: Some("once"), ..row("slot: queue", "slot-queue", 1_000, 0.04) },
];

/// The most that a line may be of a restart without.
#[derive(Debug, Clone, Copy)]
enum Most {
    Times(f64),
    /// No instruction more, but for rounding.
    Nothing,
}

/// One line beside taskvisor itself: a work in one build, and the work without, each with the features of its sampler.
#[derive(Debug, Clone, Copy)]
struct Own {
    name: &'static str,
    work: &'static str,
    features: &'static str,
    without: (&'static str, &'static str),
    most: Most,
}

/// A feature that is on and not used costs what the gate allows.
const fn unused(features: &'static str) -> Own {
    Own { name: features, work: "restart", features, without: ("restart", ""), most: Most::Times(1.03) }
}

/// What hears of each attempt, beside the same build where nothing does.
const fn used(name: &'static str, work: &'static str, features: &'static str) -> Own {
    Own { name, work, features, without: ("restart", features), most: Most::Times(1.5) }
}

/// What other tasks use.
const fn beside(name: &'static str, work: &'static str) -> Own {
    let without = ("restart-beside-plain", WITH_PEERS);
    Own { name, work, features: WITH_PEERS, without, most: Most::Nothing }
}

const OWN: [Own; 16] = [
    unused("controller"),
    unused("cron"),
    unused("fleet"),
    unused("history"),
    unused("logging"),
    unused("metrics"),
    unused("process"),
    unused("serde"),
    unused("tracing"),
    Own { work: "restart-console", ..unused("console") },
    used("metrics in use", "restart-metrics", "metrics"),
    used("tracing in use", "restart-tracing", "tracing"),
    beside("pause", "restart-beside-paused"),
    beside("schedule", "restart-beside-scheduled"),
    beside("limit of attempts", "restart-beside-limited"),
    beside("limit of failures", "restart-beside-retried"),
];

/// The number of restarts of a line beside taskvisor itself.
const RESTARTS: u64 = 1_000;

/// Prints the tables. Returns whether each row keeps its bar.
pub(crate) fn compare(contenders: &[&'static str]) -> Result<bool> {
    let mut samplers = Samplers::default();
    let beside_peers = beside_peers(contenders, &mut samplers)?;
    Ok(beside_itself(&mut samplers)? & beside_peers)
}

fn beside_peers(contenders: &[&'static str], samplers: &mut Samplers) -> Result<bool> {
    let peers: Vec<_> =
        CONTENDERS.into_iter().filter(|name| ![FLOOR, OURS].contains(name) && contenders.contains(name)).collect();
    println!("| row | unit | floor | taskvisor | best peer | | of it | bar | |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut kept = true;
    for row in ROWS {
        let sampler = samplers.get(Variant { counts: row.unit == Unit::Bytes, features: WITH_PEERS })?;
        let ours = count(sampler, row, OURS)?.ok_or_else(|| format!("`{}` is not done", row.work))?;
        // The jobs of the floor's slots are no tasks, so theirs are not part of its work.
        let floor = count(sampler, row, FLOOR)?.filter(|cost| *cost > 0.0).map_or_else(|| "-".to_owned(), thousands);
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
        println!(
            "| {} | {unit} | {floor} | {} | {} | {peer} | {:.3}x | {} | {} |",
            row.name,
            thousands(ours),
            thousands(least),
            ours / least,
            if row.most < 1.0 { format!("{}x", row.most) } else { "ahead".to_owned() },
            verdict(is_met)
        );
    }
    Ok(kept)
}

fn beside_itself(samplers: &mut Samplers) -> Result<bool> {
    println!("\n| restart | instructions | without | of it | bar | |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let mut kept = true;
    let mut counted: HashMap<(&str, &str), f64> = HashMap::new();
    let mut restarts = |work: &'static str, features: &'static str| -> Result<f64> {
        if let Some(count) = counted.get(&(work, features)) {
            return Ok(*count);
        }
        let sampler = samplers.get(Variant { counts: false, features })?;
        let count = by_operation(sampler, work, OURS, RESTARTS)?;
        counted.insert((work, features), count);
        Ok(count)
    };
    for Own { name, work, features, without: (base_work, base_features), most } in OWN {
        let (base, cost) = (restarts(base_work, base_features)?, restarts(work, features)?);
        let (is_met, bar) = match most {
            Most::Times(times) => (meets(cost, base, times), format!("{times}x")),
            Most::Nothing => (costs_nothing(cost, base), "+0".to_owned()),
        };
        kept &= is_met;
        println!(
            "| {name} | {} | {} | {:.3}x | {bar} | {} |",
            thousands(cost),
            thousands(base),
            cost / base,
            verdict(is_met)
        );
    }
    Ok(kept)
}

/// The samplers that were built.
#[derive(Debug, Default)]
struct Samplers(HashMap<Variant, Sampler>);

impl Samplers {
    fn get(&mut self, variant: Variant) -> Result<&Sampler> {
        if let Entry::Vacant(place) = self.0.entry(variant) {
            eprintln!("building the sampler with `{}`", variant.features);
            place.insert(Sampler::build(variant)?);
        }
        Ok(&self.0[&variant])
    }
}

fn verdict(is_met: bool) -> &'static str {
    if is_met { "ok" } else { "MISSED" }
}

fn meets(ours: f64, least: f64, most: f64) -> bool {
    // A bar of 1 asks to be ahead.
    if (most - 1.0).abs() < f64::EPSILON { ours < least } else { ours <= least * most }
}

fn costs_nothing(ours: f64, without: f64) -> bool {
    ours - without < 1.0
}

/// The number with a comma before each three digits.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut shown = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Returns the cost of one operation; `None` if the contender cannot do the work.
fn count(sampler: &Sampler, row: Row, contender: &str) -> Result<Option<f64>> {
    let Some(sample) = sampler.take(row.work, contender, "ct", row.size)? else { return Ok(None) };
    if row.unit == Unit::Bytes {
        return Ok(Some(sample.get("bytes") / row.size as f64));
    }
    let without = row.without.map_or(Ok(0.0), |work| by_operation(sampler, work, contender, row.size))?;
    Ok(Some(by_operation(sampler, row.work, contender, row.size)? - without))
}

fn by_operation(sampler: &Sampler, work: &str, contender: &str, size: u64) -> Result<f64> {
    let once = sampler.instructions(work, contender, size)?;
    Ok((sampler.instructions(work, contender, size * 2)? - once) / size as f64)
}

#[cfg(test)]
mod tests {
    use super::{OWN, ROWS, costs_nothing, meets, thousands};

    #[test]
    fn a_bar_of_one_asks_to_be_ahead() {
        assert!(meets(35.0, 100.0, 0.35));
        assert!(!meets(36.0, 100.0, 0.35));
        assert!(meets(150.0, 100.0, 1.5));
        assert!(meets(99.0, 100.0, 1.0));
        assert!(!meets(100.0, 100.0, 1.0));
    }

    #[test]
    fn nothing_is_less_than_an_instruction() {
        assert!(costs_nothing(1700.9, 1700.0));
        assert!(!costs_nothing(1701.0, 1700.0));
    }

    #[test]
    fn each_row_has_a_bar_and_a_name_of_its_own() {
        for (index, row) in ROWS.iter().enumerate() {
            assert!(row.most > 0.0 && row.most <= 1.0, "{}", row.name);
            assert!(ROWS[..index].iter().all(|other| other.name != row.name), "{}", row.name);
        }
        for (index, own) in OWN.iter().enumerate() {
            assert!(OWN[..index].iter().all(|other| other.name != own.name), "{}", own.name);
            assert_ne!((own.work, own.features), own.without, "{}", own.name);
        }
    }

    #[test]
    fn digits_stand_in_threes() {
        assert_eq!(
            ["0", "999", "1,000", "1,234,567"],
            [0.0, 999.0, 1e3, 1_234_567.0].map(thousands).each_ref().map(|s| &**s)
        );
    }
}
