//! The runs around the changes of the clock.

use std::time::SystemTime;

use taskvisor::{RuntimeError, ScheduledRun, Tree};

/// The largest number of runs of a task of this program in a year.
const A_YEAR: usize = 366 * 24;

/// Returns the runs of the task within the next year that are the last two before a change of the clock, and the first
/// two after it.
pub(crate) fn around(tree: &Tree, path: &str) -> Result<Vec<String>, RuntimeError> {
    around_after(tree, path, SystemTime::now())
}

pub(crate) fn around_after(tree: &Tree, path: &str, after: SystemTime) -> Result<Vec<String>, RuntimeError> {
    let all = tree.schedule_after(after, A_YEAR)?;
    let runs: Vec<&ScheduledRun> = all.iter().filter(|run| run.path == path).take(366).collect();
    let changes = (1..runs.len()).filter(|index| offset(runs[index - 1]) != offset(runs[*index]));
    let lines = changes.flat_map(|index| &runs[index.saturating_sub(2)..(index + 2).min(runs.len())]);
    Ok(lines.map(ToString::to_string).collect())
}

/// The offset at the end of `2026-03-29T03:00:00+02:00`.
fn offset(run: &ScheduledRun) -> &str {
    run.local.get(19..).unwrap_or_default()
}
