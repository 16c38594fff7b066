//! Tables for a terminal of 80 columns.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::board::Row;

const COLUMNS: usize = 80;
/// The width of all columns but that of the target.
const OTHERS: usize = 47;

/// A line for each target, and another for its error.
pub(crate) fn of_targets(rows: &[Row], watched: Duration) -> String {
    let longest = rows.iter().map(|row| row.target.as_str().len()).max().unwrap_or_default();
    let width = longest.clamp("target".len(), COLUMNS - OTHERS);
    let up = rows.iter().filter(|row| state(row) == "up").count();
    let mut lines = vec![
        format!("{up} of {} up after {} s", rows.len(), watched.as_secs()),
        format!("{:width$}  {:5}  {:>8}  {:>8}  {:>18}", "", "", "", "failures", "latency in ms"),
        format!(
            "{:width$}  {:5}  {:>8}  {:>8}  {:>8}  {:>8}",
            "target", "state", "attempts", "in a row", "median", "worst"
        ),
        "-".repeat(width + OTHERS),
    ];
    for row in rows {
        lines.push(format!(
            "{:width$}  {:5}  {:>8}  {:>8}  {:>8}  {:>8}",
            shortened(row.target.as_str(), width),
            state(row),
            row.attempts,
            row.failures,
            milliseconds(median(row.latencies.iter().copied().collect())),
            milliseconds(row.worst),
        ));
        lines.extend(row.failure.iter().map(|failure| shortened(&format!("  {failure}"), COLUMNS)));
    }
    lines.join("\n") + "\n"
}

/// A line for each kind of event.
pub(crate) fn of_events(counts: &BTreeMap<&'static str, u64>) -> String {
    let mut lines = vec![format!("{:<24}{:>8}", "event", "count"), "-".repeat(32)];
    lines.extend(counts.iter().map(|(kind, count)| format!("{kind:<24}{count:>8}")));
    lines.join("\n") + "\n"
}

fn state(row: &Row) -> &'static str {
    match (&row.failure, row.worst) {
        (Some(_), _) => "down",
        (None, Some(_)) => "up",
        (None, None) => "?",
    }
}

fn median(mut latencies: Vec<Duration>) -> Option<Duration> {
    latencies.sort_unstable();
    let middle = latencies.len() / 2;
    match latencies.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(latencies[middle]),
        _ => Some((latencies[middle - 1] + latencies[middle]) / 2),
    }
}

fn milliseconds(latency: Option<Duration>) -> String {
    match latency.map(|latency| latency.as_secs_f64() * 1e3) {
        None => "-".into(),
        Some(ms) if ms < 10.0 => format!("{ms:.2}"),
        Some(ms) if ms < 1000.0 => format!("{ms:.1}"),
        Some(ms) => format!("{ms:.0}"),
    }
}

/// Cuts out the middle of a long text: hosts differ at the start, ports at the end.
fn shortened(text: &str, columns: usize) -> String {
    let length = text.chars().count();
    if length <= columns {
        return text.to_owned();
    }
    let tail = columns / 3;
    let head = columns - tail - "..".len();
    text.chars().take(head).chain("..".chars()).chain(text.chars().skip(length - tail)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_line_a_target_and_fits_80_columns() {
        let row = |target: &str| Row::new(target.parse().expect("a target"));
        let long = format!("{}.example.com:65535", "host".repeat(20));
        let (mut web, mut db, new) = (row("web:80"), row("db:5432"), row(&long));
        web.answered(Duration::from_micros(1500));
        web.answered(Duration::from_millis(25));
        db.failed(&"refused ".repeat(20));

        let table = of_targets(&[web, db, new], Duration::from_secs(7));

        assert!(table.lines().all(|line| line.len() <= COLUMNS), "{table}");
        let starts: Vec<_> = table.lines().skip(4).map(|line| &line[..8]).collect();
        assert_eq!(starts, ["web:80  ", "db:5432 ", "  refuse", "hosthost"]);
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        let median = |ms: &[u64]| median(ms.iter().copied().map(Duration::from_millis).collect());
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[9, 1, 5]), Some(Duration::from_millis(5)));
        assert_eq!(median(&[9, 1, 5, 6]), Some(Duration::from_micros(5500)));
    }

    #[test]
    fn latencies_are_shown_with_three_digits_or_so() {
        let shown = |micros| milliseconds(Some(Duration::from_micros(micros)));
        assert_eq!([80, 12_340, 123_456, 1_234_567].map(shown), ["0.08", "12.3", "123.5", "1235"]);
    }
}
