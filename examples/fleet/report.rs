//! The report: the owners of each key, and the results of the checks.

use std::fmt::Write as _;
use std::time::Duration;

use crate::checks::{Check, Verdict, shown};
use crate::history::History;
use crate::log::{DEPLOY, FEEDS, LEDGER};
use crate::plan::Fault;

/// The number of columns of the time line.
const COLUMNS: u32 = 90;

/// Returns the whole report. Times are since `start`.
pub(crate) fn whole(history: &History, replicas: usize, start: Duration, checks: &[Check]) -> String {
    let mut text = chart(history, replicas, start);
    for key in [LEDGER, FEEDS] {
        text += &table(history, key, start);
    }
    text += &jobs(history, replicas);
    text += &faults(history, start);
    let still = shown(history.stood_still);
    let _ = writeln!(text, "\nchecks, on a machine that stood still for up to {still}");
    for Check { name, verdict, told } in checks {
        let mark = match verdict {
            Verdict::Passed => "ok",
            Verdict::Late => "late",
            Verdict::Failed => "FAILED",
            Verdict::Nothing => "-",
        };
        let _ = writeln!(text, "  {mark:<6}  {name:<26}  {told}");
    }
    text
}

/// Returns a line for each replica and key, with its work and its faults.
fn chart(history: &History, replicas: usize, start: Duration) -> String {
    let end = history.runs.iter().map(|run| run.end.min(history.finish)).max().unwrap_or(start).max(history.finish);
    let step = (end.saturating_sub(start) / COLUMNS).max(Duration::from_millis(1));
    let at = |column: u32| start + step * column;
    let mut scale = String::new();
    for second in (0..).step_by(5).map(Duration::from_secs).take_while(|second| start + *second < end) {
        let column = usize::try_from(second.as_nanos() / step.as_nanos()).unwrap_or_default();
        while scale.chars().count() < column {
            scale.push(' ');
        }
        let _ = write!(scale, "{} s", second.as_secs());
    }
    let mut text = format!(
        "\nwho worked when (a column is {:.2} s)\n  █ works   ▓ works while its line is down   · stands by   ~ line is down   z stopped   \
         blank: it is not there\n",
        step.as_secs_f64()
    );
    for (key, name) in [(LEDGER, "ledger"), (FEEDS, "feeds"), (DEPLOY, "deploy")] {
        let _ = writeln!(text, "\n  {name:<10}  {scale}");
        for replica in 0..replicas {
            let cells = (0..COLUMNS).map(|column| cell(history, key, replica, at(column), at(column + 1)));
            let line: String = cells.collect();
            let _ = writeln!(text, "  {:>10}  {}", format!("r{}", replica + 1), line.trim_end());
        }
    }
    text
}

fn cell(history: &History, key: &str, replica: usize, from: Duration, to: Duration) -> char {
    let works = history.of(key).any(|it| it.replica == replica && it.from < to && it.end_of_work() > from);
    let is_hit = |it: &&crate::plan::Episode| it.hits(replica) && it.from < to && it.to > from;
    let fault = history.episodes.iter().filter(is_hit).map(|it| it.fault).next_back();
    match (works, fault) {
        (true, Some(Fault::Line(_) | Fault::Server)) => '▓',
        (true, _) => '█',
        (false, None | Some(Fault::Pooler | Fault::Clock(_))) => '·',
        (false, Some(Fault::Line(_) | Fault::Server)) => '~',
        (false, Some(Fault::Stop)) => 'z',
        (false, Some(Fault::Kill | Fault::Term)) => ' ',
    }
}

fn table(history: &History, key: &str, start: Duration) -> String {
    let since = |at: Duration| format!("{:.3}", at.saturating_sub(start).as_secs_f64());
    let mut text = format!("\n{key}\n  {:>9}  {:>9}  owner  {:>17}  {:>4}  ended by\n", "from", "to", "token", "runs");
    for it in history.of(key) {
        let by = match history.ended_by(it) {
            _ if it.to >= history.finish || history.after(it).is_none() => "the end".to_owned(),
            Some(fault) => fault.to_string(),
            None => "no fault: the machine was too slow".to_owned(),
        };
        let by = match it.frozen {
            Some(stop) => format!("{by}; dropped {} ms after SIGCONT", it.to.saturating_sub(stop.to).as_millis()),
            None => by,
        };
        let to = since(it.end_of_work().min(history.finish));
        let _ = writeln!(
            text,
            "  {:>9}  {to:>9}  {:<5}  {:>17}  {:>4}  {by}",
            since(it.from),
            format!("r{}", it.replica + 1),
            it.token,
            it.runs
        );
    }
    text
}

fn faults(history: &History, start: Duration) -> String {
    let since = |at: Duration| at.saturating_sub(start).as_secs_f64();
    let mut text = "\nfaults\n".to_owned();
    for it in &history.episodes {
        let whose = it.replica.map_or_else(|| "all".to_owned(), |replica| format!("r{}", replica + 1));
        let _ = writeln!(text, "  {:>9.3}  {:>9.3}  {whose:<4}  {}", since(it.from), since(it.to), it.fault);
    }
    text
}

fn jobs(history: &History, replicas: usize) -> String {
    let count = |replica| history.of(DEPLOY).filter(|it| it.replica == replica).count();
    let counts: Vec<_> = (0..replicas).map(|replica| format!("r{} {}", replica + 1, count(replica))).collect();
    format!("\ndeploy\n  jobs run: {}\n", counts.join(", "))
}
