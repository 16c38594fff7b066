//! Takes the samples and judges them.

use std::collections::{HashMap, HashSet};

use crate::Result;
use crate::case::{Bar, Case, Load, Measure, cases};
use crate::options::{FLOOR, OURS, Options};
use crate::report;
use crate::sampler::{Sample, Sampler, USUAL, Variant, WITH_PEERS};
use crate::statistics::Spread;

/// The results for one line of the table.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) case: Case,
    /// The cost of each contender; `None` if it cannot do the work.
    pub(crate) values: Vec<(&'static str, Option<Figure>)>,
    /// The value compared with the bar; `None` if there is no bar.
    pub(crate) judged: Option<f64>,
    pub(crate) passed: bool,
}

/// The cost of one contender.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub(crate) value: Spread,
    /// The ratio to the cost of the floor in the same round, by the same measure.
    pub(crate) ratio: Option<Spread>,
    /// The same ratio by real time.
    pub(crate) wall_ratio: Option<Spread>,
    /// The largest share of events that a sample lost.
    pub(crate) lost: f64,
}

/// All samples, in the order of the rounds.
#[derive(Debug, Default)]
pub(crate) struct Samples(HashMap<(Load, bool, &'static str), Vec<Sample>>);

/// Takes the samples, judges them and reports. Returns whether every bar is met.
pub(crate) fn compare(options: &Options) -> Result<bool> {
    let chosen: Vec<Case> = cases().into_iter().filter(|case| options.rows.contains(&case.row)).collect();
    let samples = take_all(&chosen, options)?;
    let lines = chosen.iter().map(|case| judge(*case, &samples, options)).collect::<Result<Vec<Line>>>()?;
    report::print(&lines, options);
    if let Some(file) = &options.json {
        report::write_json(&lines, &samples, options, file)?;
    }
    Ok(lines.iter().all(|line| line.passed))
}

impl Samples {
    pub(crate) fn of(&self, load: Load, measure: Measure, contender: &'static str) -> &[Sample] {
        self.0.get(&(load, measure.is_counted(), contender)).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (Load, bool, &'static str, &[Sample])> {
        self.0.iter().map(|((load, counted, contender), samples)| (*load, *counted, *contender, samples.as_slice()))
    }

    fn values(&self, load: Load, measure: Measure, contender: &'static str) -> Vec<f64> {
        self.of(load, measure, contender).iter().map(|sample| sample.value(measure)).collect()
    }

    /// The ratios between two contenders, round by round.
    fn ratios(&self, load: Load, measure: Measure, contender: &'static str, to: &'static str) -> Vec<f64> {
        divide(&self.values(load, measure, contender), &self.values(load, measure, to))
    }
}

fn take_all(cases: &[Case], options: &Options) -> Result<Samples> {
    let peers = options.contenders.iter().any(|name| ![FLOOR, OURS].contains(name));
    let mut taken = Samples::default();
    for counts in [false, true] {
        let loads = loads_of(cases, counts);
        if loads.is_empty() {
            continue;
        }
        eprintln!("building the sampler{}", if counts { " that counts" } else { "" });
        let sampler = Sampler::build(Variant { counts, features: if peers { WITH_PEERS } else { USUAL } })?;
        // Counts hardly vary from round to round.
        let rounds = if counts { options.samples.min(2) } else { options.samples };
        for load in loads {
            eprintln!("{} {} {}", load.work, load.runtime, load.size);
            take(&sampler, load, counts, rounds, options, &mut taken)?;
        }
    }
    Ok(taken)
}

/// Each load once.
fn loads_of(cases: &[Case], counts: bool) -> Vec<Load> {
    let mut seen = HashSet::new();
    let wanted = cases.iter().filter(|case| case.measure.is_counted() == counts);
    let loads = wanted.flat_map(|case| match case.bar {
        Bar::OfSmall { small, .. } | Bar::GrowthOfFloor { small, .. } => vec![small, case.load],
        Bar::OfFloor(_) | Bar::OfPeer(_) | Bar::AtMost(_) | Bar::None => vec![case.load],
    });
    loads.filter(|load| seen.insert(*load)).collect()
}

/// The number of rounds for peers.
const PEER_ROUNDS: usize = 3;

/// Runs all contenders in turn, round by round, and starts each round with another one. A peer that fails once is left
/// out; the floor and taskvisor must not fail, and taskvisor must support every work.
fn take(
    sampler: &Sampler,
    load: Load,
    counts: bool,
    rounds: usize,
    options: &Options,
    taken: &mut Samples,
) -> Result<()> {
    let mut out = HashSet::new();
    for round in 0..rounds {
        let count = options.contenders.len();
        for contender in options.contenders.iter().copied().cycle().skip(round % count).take(count) {
            let is_judged = [FLOOR, OURS].contains(&contender);
            if out.contains(contender) || (!is_judged && round >= PEER_ROUNDS) {
                continue;
            }
            match sampler.take(load.work, contender, load.runtime, size_for(load, contender, options.quick)) {
                Ok(Some(sample)) => taken.0.entry((load, counts, contender)).or_default().push(sample),
                Ok(None) if contender == OURS => return Err(format!("{OURS} cannot do `{}`", load.work).into()),
                Ok(None) => drop(out.insert(contender)),
                Err(error) if is_judged => return Err(error),
                Err(error) => {
                    eprintln!("{contender} is left out of {} {}: {error}", load.work, load.runtime);
                    taken.0.remove(&(load, counts, contender));
                    out.insert(contender);
                }
            }
        }
    }
    Ok(())
}

/// The number of operations for a contender. Peers do fewer, if that only shortens the run.
fn size_for(load: Load, contender: &str, quick: bool) -> u64 {
    let less = match (contender, load.work) {
        _ if load.fixed => 1,
        (FLOOR | OURS, _) => 1,
        // A delay of zero is still a timer of more than a millisecond.
        ("task-supervisor", "restart" | "restart-token") => 1_000,
        // It starts and joins threads.
        ("taskvisor-0.9", "lifecycle") => 100,
        _ => 10,
    };
    let quick = if quick && !load.fixed { 10 } else { 1 };
    (load.size / less / quick).max(100)
}

/// Judges a line. A line without the value that its bar needs is an error, since nobody would notice it otherwise.
fn judge(case: Case, samples: &Samples, options: &Options) -> Result<Line> {
    let Case { load, measure, .. } = case;
    let figure = |contender| {
        let taken = samples.of(load, measure, contender);
        let ratio = |measure| Spread::of(samples.ratios(load, measure, contender, FLOOR));
        Some(Figure {
            value: Spread::of(samples.values(load, measure, contender))?,
            ratio: measure.is_time().then(|| ratio(measure)).flatten(),
            wall_ratio: measure.is_time().then(|| ratio(Measure::Wall)).flatten(),
            lost: taken.iter().map(|sample| sample.get("lost") / sample.get("expected").max(1.0)).fold(0.0, f64::max),
        })
    };
    let values: Vec<_> = options.contenders.iter().map(|contender| (*contender, figure(*contender))).collect();
    let ratio = |load| median(samples.ratios(load, measure, OURS, FLOOR));
    let value = |load| median(samples.values(load, measure, OURS));
    let quotient = |large: Option<f64>, small: Option<f64>| Some(large? / small.filter(|small| *small > 0.0)?);
    let (judged, most) = match case.bar {
        Bar::OfFloor(most) => (ratio(load), most),
        Bar::OfPeer(most) => {
            let peers = values.iter().filter(|(name, _)| ![FLOOR, OURS].contains(name));
            let costs = peers.filter_map(|(_, figure)| Some(figure.as_ref()?.value.median));
            let Some(best) = costs.reduce(f64::min) else {
                return Ok(Line { case, values, judged: None, passed: true });
            };
            (quotient(value(load), Some(best)), most)
        }
        Bar::AtMost(most) if measure.is_worst() => {
            (samples.values(load, measure, OURS).into_iter().reduce(f64::max), most)
        }
        Bar::AtMost(most) => (value(load), most),
        Bar::OfSmall { small, most } => (quotient(value(load), value(small)), most),
        Bar::GrowthOfFloor { small, most } => (quotient(ratio(load), ratio(small)), most),
        Bar::None => return Ok(Line { case, values, judged: None, passed: true }),
    };
    let Some(judged) = judged else {
        return Err(format!("{} {}: nothing to judge by", case.row, case.label).into());
    };
    // Rounding removes the allocations at the start and the end of a sample.
    let judged = if measure.is_counted() { (judged * 100.0).round() / 100.0 } else { judged };
    Ok(Line { case, values, judged: Some(judged), passed: judged <= most })
}

fn median(values: Vec<f64>) -> Option<f64> {
    Spread::of(values).map(|spread| spread.median)
}

fn divide(values: &[f64], by: &[f64]) -> Vec<f64> {
    values.iter().zip(by).filter(|(_, by)| **by > 0.0).map(|(value, by)| value / by).collect()
}
