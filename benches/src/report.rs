//! The table and the data.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::Result;
use crate::case::{Bar, Measure};
use crate::options::{FLOOR, OURS, Options};
use crate::run::{Figure, Line, Samples};
use crate::sampler::Sample;
use crate::statistics::Spread;

/// Notes for the reader of the table.
const NOTES: &str = "\
Times are for one operation, medians of the samples; `of floor` is the median of the ratios round by round, with its
quartiles, by processor time on one thread (ct) and by real time on two (mt); `by wall` is always by real time. What is lost
or left behind is the worst sample's. Growth is judged by quotients of medians: of 100k by 10k, each divided by the floor's
of the same rounds first; of C5 among others by C5 alone.
Peers: `taskvisor` 0.9 has its limits on tasks, ownership and slots lifted, as the limits of our controller are;
`task-supervisor` and `kameo` their limit of restarts. The backoff is zero for all that have one; that of `task-supervisor`
is a timer of 1 ms then. Tasks of ours and of the floor without a token take no context: what `#[task]` makes of a function
that takes none. `tokio-graceful-shutdown` ends by itself in C11, when its task has. Where only the time of the
run changes, peers do a tenth of the work or less. `-`: cannot do it, or not judged.";

/// The table, as Markdown.
pub(crate) fn print(lines: &[Line], options: &Options) {
    let peers: Vec<_> = options.contenders.iter().filter(|name| ![FLOOR, OURS].contains(name)).collect();
    let mut table = vec![header(&peers)];
    table.extend(lines.iter().map(row));
    let widths: Vec<usize> = (0..table[0].len())
        .map(|column| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    for (number, row) in table.iter().enumerate() {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("| {} |", cells.join(" | "));
        if number == 0 {
            let rules: Vec<_> = widths.iter().map(|width| "-".repeat(*width)).collect();
            println!("| {} |", rules.join(" | "));
        }
    }
    let bars = lines.iter().filter(|line| line.judged.is_some()).count();
    let missed = lines.iter().filter(|line| !line.passed).count();
    println!("\n{bars} bars, {missed} missed; {} samples each, of peers at most 3.\n\n{NOTES}", options.samples);
}

fn header(peers: &[&&str]) -> Vec<String> {
    let fixed = ["row", "work", "unit", "floor", "taskvisor", "of floor", "by wall", "bar", "is", ""];
    fixed.into_iter().chain(peers.iter().map(|peer| **peer)).map(str::to_owned).collect()
}

fn row(line: &Line) -> Vec<String> {
    let measure = line.case.measure;
    let of = |name| line.values.iter().find(|(contender, _)| *contender == name).and_then(|(_, value)| value.as_ref());
    let cell = |figure: Option<&Figure>| figure.map_or_else(|| "-".to_owned(), |figure| value(figure, measure));
    let ours = of(OURS);
    // The columns of ratios show the cost of a single load.
    let compared = ours.filter(|_| !line.case.bar.is_growth());
    let (bar, judged, verdict) = verdict(line);
    let mut row = vec![
        line.case.row.to_owned(),
        line.case.label.to_owned(),
        measure.unit().to_owned(),
        cell(of(FLOOR)),
        cell(ours),
        compared.and_then(|ours| ours.ratio).map_or_else(|| "-".to_owned(), ratio),
        compared.and_then(|ours| ours.wall_ratio).map_or_else(|| "-".to_owned(), |wall| format!("{:.2}x", wall.median)),
        bar,
        judged,
        verdict,
    ];
    let peers = line.values.iter().filter(|(name, _)| ![FLOOR, OURS].contains(name));
    row.extend(peers.map(|(_, figure)| peer(figure.as_ref().filter(|_| !line.case.bar.is_growth()), measure)));
    row
}

/// The bar, the value compared with it, and the verdict.
fn verdict(line: &Line) -> (String, String, String) {
    let (bar, judged) = match (line.case.bar, line.judged) {
        (Bar::OfPeer(most), Some(judged)) => (format!("<= {most}x of it"), format!("{judged:.3}x")),
        (Bar::OfFloor(most) | Bar::OfSmall { most, .. } | Bar::GrowthOfFloor { most, .. }, Some(judged)) => {
            (format!("<= {most:.2}x"), format!("{judged:.2}x"))
        }
        (Bar::AtMost(most), Some(judged)) => (format!("<= {most:.0}"), amount(judged)),
        (_, None) | (Bar::None, _) => return ("-".to_owned(), "-".to_owned(), "-".to_owned()),
    };
    (bar, judged, if line.passed { "ok" } else { "MISSED" }.to_owned())
}

fn ratio(spread: Spread) -> String {
    format!("{:.2}x ({:.2}-{:.2})", spread.median, spread.low, spread.high)
}

fn value(figure: &Figure, measure: Measure) -> String {
    if measure == Measure::Lost { format!("{:.1} %", figure.lost * 100.0) } else { amount(figure.value.median) }
}

/// The ratio to the floor, if there is one. Lost events are added, since they make the contender cheaper.
fn peer(figure: Option<&Figure>, measure: Measure) -> String {
    let Some(figure) = figure else { return "-".to_owned() };
    let shown = match figure.ratio {
        Some(ratio) => format!("{:.1}x", ratio.median),
        None => value(figure, measure),
    };
    if measure != Measure::Lost && figure.lost > 0.0 {
        return format!("{shown}, {:.0} % lost", figure.lost * 100.0);
    }
    shown
}

fn amount(value: f64) -> String {
    if value.fract() == 0.0 || value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// Writes all data: the judged lines, and the samples behind them.
pub(crate) fn write_json(lines: &[Line], samples: &Samples, options: &Options, file: &Path) -> Result<()> {
    let taken: Vec<Value> = samples
        .all()
        .map(|(load, counted, contender, samples)| {
            json!({
                "work": load.work,
                "runtime": load.runtime,
                "size": load.size,
                "counted": counted,
                "contender": contender,
                "samples": samples.iter().map(Sample::values).collect::<Vec<_>>(),
            })
        })
        .collect();
    let report = json!({
        "samples_each": options.samples,
        "lines": lines.iter().map(line_json).collect::<Vec<_>>(),
        "samples": taken,
    });
    fs::write(file, serde_json::to_string_pretty(&report)?).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(())
}

fn line_json(line: &Line) -> Value {
    let (bar, ..) = verdict(line);
    let figures: Vec<Value> = line.values.iter().map(|(name, figure)| figure_json(name, figure.as_ref())).collect();
    json!({
        "row": line.case.row,
        "work": line.case.label,
        "unit": line.case.measure.unit(),
        "bar": bar,
        "judged": line.judged,
        "passed": line.judged.map(|_| line.passed),
        "contenders": figures,
    })
}

fn figure_json(name: &str, figure: Option<&Figure>) -> Value {
    let spread = |spread: Spread| json!({ "low": spread.low, "median": spread.median, "high": spread.high });
    json!({
        "contender": name,
        "value": figure.map(|figure| spread(figure.value)),
        "of_floor": figure.and_then(|figure| figure.ratio).map(spread),
        "of_floor_by_wall": figure.and_then(|figure| figure.wall_ratio).map(spread),
        "lost": figure.map(|figure| figure.lost),
    })
}
