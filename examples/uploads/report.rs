//! The results for all files, as text.

use std::path::Path;

use taskvisor::TaskStatus;
use taskvisor::prelude::*;

use crate::ledger::{Job, Ledger};
use crate::listing::shown;

/// The results for all files.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// One line for all files.
    pub(crate) summary: String,
    /// A line with the reason for each file that was not copied.
    pub(crate) not_done: Vec<String>,
    /// A line for each skipped entry.
    pub(crate) skipped: Vec<String>,
}

impl Report {
    /// Waits for all jobs.
    pub(crate) async fn of(mut ledger: Ledger, destination: &Path) -> Self {
        let (mut done, mut not_done) = (0, Vec::new());
        for (name, file) in std::mem::take(&mut ledger.files) {
            match why_not(&file.job).await {
                None => done += 1,
                Some(_) if ledger.is_gone(&file) => {
                    ledger.skipped.insert(name, "gone before it was copied");
                }
                Some(why) => not_done.push(format!("not copied: {}: {why}", shown(&name))),
            }
        }
        let told = |number, what| if number == 0 { String::new() } else { format!(", {number} {what}") };
        let (fewer, more) = (told(not_done.len(), "not copied"), told(ledger.changes, "found changed"));
        Self {
            summary: format!("{done} copied to {}{fewer}{more}", shown(destination.as_os_str())),
            not_done,
            skipped: ledger.skipped.iter().map(|(name, what)| format!("skipped: {}: {what}", shown(name))).collect(),
        }
    }
}

/// The reason why a file was not copied, if it was not.
async fn why_not(job: &Job) -> Option<String> {
    match job {
        Job::NotSubmitted => Some("not submitted: the program was requested to stop".into()),
        Job::Refused(error) => Some(format!("not submitted: {error}")),
        Job::Submitted(handle) => reason(&handle.outcome().await, &handle.status()),
    }
}

fn reason(outcome: &TaskOutcome, status: &TaskStatus) -> Option<String> {
    match (outcome, &status.last_error) {
        (TaskOutcome::Completed, _) => None,
        // Canceled while it waited for a retry or for its turn.
        (TaskOutcome::Canceled { error: None, .. }, Some(error)) => Some(format!("{outcome} after it failed: {error}")),
        (TaskOutcome::Canceled { .. }, None) if status.attempt == 0 => Some(format!("{outcome} before its turn came")),
        _ => Some(outcome.to_string()),
    }
}
